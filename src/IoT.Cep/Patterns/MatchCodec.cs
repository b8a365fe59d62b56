using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Saves matches that are the events of the next pattern or window. A match is little without the shape of its pattern, whose handles the query reads it by: saved state
/// has the pattern's text, and which of the plan's patterns with that text it is; loaded, it is a match of the plan that is loaded.
/// </summary>
internal static class MatchCodec
{
    [ThreadStatic]
    private static List<object>? _shapes;

    /// <summary>Registered when a pattern is matched: before that there is no match to be saved.</summary>
    internal static void Register<T>()
    {
        if (StateCodec.Find<Match<T>>() is not null)
        {
            return;
        }

        StateCodec.Register<Match<T>>(Write, Read<T>);
        StateCodec.Register<Timeout<T>>(
            static (writer, timeout) =>
            {
                writer.Time(timeout.At);
                Write(writer, timeout.Partial);
            },
            static reader =>
            {
                var at = reader.Time();
                return new Timeout<T>(Read<T>(reader), at);
            });
    }

    /// <summary>While a plan is saved or loaded on this thread, matches are of its patterns.</summary>
    internal static Scope In(IEnumerable<Operator> operators)
    {
        var outer = _shapes;
        _shapes = [.. operators.OfType<ITellsWhyNot>().SelectMany(one => one.Shapes).Distinct()];
        return new Scope(outer);
    }

    private static void Write<T>(StateWriter writer, Match<T> match)
    {
        if (match.Shape is null)
        {
            writer.Text(null);
            return;
        }

        var alike = Alike<T>(match.Shape.Pattern.ToString());
        int number = alike.IndexOf(match.Shape);
        if (number < 0)
        {
            throw new NotSupportedException($"State that holds a match of '{match.Shape.Pattern}' can't be saved: the match is of another query. Select from it what is needed.");
        }

        writer.Text(match.Shape.Pattern.ToString());
        writer.Int32(number);
        match.Save(writer);
    }

    private static Match<T> Read<T>(StateReader reader)
    {
        if (reader.Text() is not { } text)
        {
            return default;
        }

        int number = reader.Int32();
        var alike = Alike<T>(text);
        return number < alike.Count
            ? Match<T>.Load(reader, alike[number])
            : throw new InvalidDataException($"Saved state has a match of '{text}', which this query does not match: it was saved by another query.");
    }

    private static List<PatternShape<T>> Alike<T>(string text) =>
        [.. (_shapes ?? []).OfType<PatternShape<T>>().Where(shape => string.Equals(shape.Pattern.ToString(), text, StringComparison.Ordinal))];

    internal readonly ref struct Scope(List<object>? outer)
    {
        public void Dispose() => _shapes = outer;
    }
}
