namespace IoT.Cep.Conformance;

/// <summary>The handles of a pattern's steps by their names, as the pattern is built: a condition may name a step that stands behind its own.</summary>
internal sealed class Handles
{
    private readonly Dictionary<string, Step> _handles = new(StringComparer.Ordinal);

    internal IEnumerable<KeyValuePair<string, Step>> All => _handles;

    internal Step? Find(string name) => _handles.GetValueOrDefault(name);

    internal void Add(string name, Step handle)
    {
        if (!_handles.TryAdd(name, handle))
        {
            throw new NotSupportedException($"Two elements are called {name}.");
        }
    }
}

/// <summary>What an expression sees: the event that is asked about, and what the match has so far.</summary>
internal readonly ref struct Scope
{
    private readonly PartialMatch<Row> _match;
    private readonly Handles? _handles;
    private readonly string? _own;

    internal Scope(Row current) => Current = current;

    /// <param name="current">The event.</param>
    /// <param name="match">The match so far.</param>
    /// <param name="handles">The pattern's handles.</param>
    /// <param name="own">The name of the step under test.</param>
    internal Scope(Row current, PartialMatch<Row> match, Handles handles, string? own)
    {
        Current = current;
        _match = match;
        _handles = handles;
        _own = own;
    }

    internal Row Current { get; }

    internal Bound Bound(string name)
    {
        if (name == _own)
        {
            return new Bound(_match.Taken);
        }

        return _handles?.Find(name) switch
        {
            Steps<Row> steps => new Bound(_match[steps]),
            Step<Row> step when _match.Has(step) => new Bound(_match[step]),
            _ => default,
        };
    }
}

/// <summary>The events that a step has taken: several, or one, or none.</summary>
internal readonly ref struct Bound
{
    private readonly PartialEvents<Row> _events;
    private readonly Row? _only;

    internal Bound(PartialEvents<Row> events) => _events = events;

    internal Bound(Row only) => _only = only;

    internal int Count => _only is null ? _events.Count : 1;

    internal Row At(int index) => _only ?? _events[index];

    internal Value Of(string function, string field)
    {
        var selector = FieldSelector.Of(field);
        if (function == "sum")
        {
            return Value.Of(_only is null ? _events.Sum(selector.Number) : selector.Number(_only));
        }

        // The values that the match keeps know no null: where there is one, the events are gone through.
        bool areAllThere = _only is null && _events.Count > 0 && _events.Sum(selector.Absent) == 0;
        return areAllThere
            ? Value.Of(function switch { "avg" => _events.Average(selector.Number), "min" => _events.Min(selector.Number), _ => _events.Max(selector.Number) })
            : Enumerated(function, field);
    }

    private Value Enumerated(string function, string field)
    {
        var (count, sum, min, max) = (0, 0.0, double.PositiveInfinity, double.NegativeInfinity);
        for (int i = 0; i < Count; i++)
        {
            if (At(i).Of(field) is { IsNull: false } value)
            {
                (count, sum, min, max) = (count + 1, sum + value.Number, Math.Min(min, value.Number), Math.Max(max, value.Number));
            }
        }

        return count == 0 ? Value.Null : Value.Of(function switch { "avg" => sum / count, "min" => min, _ => max });
    }
}

/// <summary>The selectors of a field, the same ones each time: a match keeps the values of those that it knows.</summary>
internal sealed class FieldSelector
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, FieldSelector> _known = new(StringComparer.Ordinal);

    private FieldSelector(string field)
    {
        Number = row => row.Of(field).Number;
        Absent = row => row.Of(field).IsNull ? 1 : 0;
    }

    internal Func<Row, double> Number { get; }

    internal Func<Row, double> Absent { get; }

    internal static FieldSelector Of(string field) => _known.GetOrAdd(field, static name => new FieldSelector(name));
}
