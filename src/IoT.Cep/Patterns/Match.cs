using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A found match: its steps' events. One object for each match.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Match<T>
{
    private readonly Step[] _steps;
    private readonly T _first;
    private readonly T _second;
    private readonly T[] _more;

    internal Match(Step[] steps, T first, T second, T[] more, long start, long end)
    {
        _steps = steps;
        _first = first;
        _second = second;
        _more = more;
        StartTicks = start;
        EndTicks = end;
    }

    /// <summary>The time of its first event.</summary>
    public DateTimeOffset Start => Extensibility.Ticks.ToTime(StartTicks);

    /// <summary>The time of its last event.</summary>
    public DateTimeOffset End => Extensibility.Ticks.ToTime(EndTicks);

    internal long StartTicks { get; }

    internal long EndTicks { get; }

    internal void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<T>();
        writer.Int64(StartTicks);
        writer.Int64(EndTicks);
        codec.Write(writer, _first);
        if (_steps.Length > 1)
        {
            codec.Write(writer, _second);
        }

        foreach (var one in _more)
        {
            codec.Write(writer, one);
        }
    }

    internal static Match<T> Load(StateReader reader, Step<T>[] steps)
    {
        var codec = StateCodec.Require<T>();
        var (start, end) = (reader.Int64(), reader.Int64());
        var first = codec.Read(reader);
        var second = steps.Length > 1 ? codec.Read(reader) : default!;
        var more = steps.Length > 2 ? new T[steps.Length - 2] : [];
        for (int i = 0; i < more.Length; i++)
        {
            more[i] = codec.Read(reader);
        }

        return new Match<T>(steps, first, second, more, start, end);
    }

    /// <summary>The event that a step took.</summary>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern.</exception>
    public T this[Step<T> step]
    {
        get
        {
            ArgumentNullException.ThrowIfNull(step);
            if (step.Index >= _steps.Length || _steps[step.Index] != step)
            {
                throw new ArgumentException($"The step '{step}' is of another pattern; this one has {string.Join(", ", _steps.AsEnumerable())}.", nameof(step));
            }

            return step.Index switch { 0 => _first, 1 => _second, _ => _more[step.Index - 2] };
        }
    }
}

/// <summary>The match so far, as a condition sees it: a ref struct, so nothing is allocated and nothing can be kept.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public readonly ref struct PartialMatch<T>
{
    private readonly PartialMatches<T> _matches;
    private readonly int _last;

    internal PartialMatch(PartialMatches<T> matches, int last)
    {
        _matches = matches;
        _last = last;
    }

    /// <summary>The event that an earlier step took.</summary>
    /// <param name="step">The step's handle.</param>
    /// <exception cref="ArgumentException">The handle is of another pattern, or of a step that comes later.</exception>
    public T this[Step<T> step] => _matches.EventOf(_last, step);
}
