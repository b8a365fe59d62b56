namespace IoT.Cep;

/// <summary>Why a pattern did not match: the partial match of a key that came furthest.</summary>
/// <param name="Pattern">The pattern.</param>
/// <param name="Began">The time of its first event; null where none began.</param>
/// <param name="Taken">The steps that took events, in order: a repeated one with how many.</param>
/// <param name="WaitedFor">The steps, with their conditions, any of which could have taken the next event.</param>
/// <param name="Ending">What ended it, or that it is still open.</param>
/// <param name="EndedAt">When that was; null where it is open, or none began.</param>
public sealed record WhyNot(
    string Pattern, DateTimeOffset? Began, IReadOnlyList<string> Taken, IReadOnlyList<string> WaitedFor, string Ending, DateTimeOffset? EndedAt)
{
    /// <summary>The same as text, over several lines.</summary>
    public override string ToString() => Began is null
        ? $"no match of '{Pattern}': none began\n  waited for: {string.Join(", or ", WaitedFor)}\n  {Ending}"
        : $"no match of '{Pattern}': the one that came furthest began at {Began:O}\n  had: {string.Join(", ", Taken)}\n  waited for: {string.Join(", or ", WaitedFor)}\n  {Ending}{(EndedAt is { } at ? $" at {at:O}" : "")}";
}

/// <summary>An operator that can tell why there was no match.</summary>
internal interface ITellsWhyNot
{
    /// <summary>Whether a history is kept.</summary>
    bool Remembers { get; }

    /// <summary>The shapes of its patterns.</summary>
    IEnumerable<object> Shapes { get; }

    /// <summary>The furthest partial match of a key, with how far it came; null where the operator keeps no history, or has no such keys.</summary>
    (int Length, WhyNot Why)? WhyNot(object key, long from, long to);
}

/// <summary>
/// What became of the last partial matches: a ring that other threads may read. Only where it is asked for; a matcher without one pays a comparison with null
/// where a partial match begins, goes on or ends, and nothing for an event that concerns none.
/// </summary>
internal sealed class MatchHistory<TKey, T>(PatternShape<T> shape, int capacity)
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Story[] _ring = new Story[capacity];
    private long _next;

    /// <summary>A partial match began, or another one went two ways.</summary>
    /// <returns>Its number.</returns>
    internal long Begin(TKey key, long start)
    {
        lock (_gate)
        {
            _ring[_next % capacity] = new Story { Number = _next, Key = key, Start = start };
            return _next++;
        }
    }

    internal void Advance(long number, Chains<T> chains, int last, State<T> state)
    {
        lock (_gate)
        {
            ref var story = ref _ring[number % capacity];
            if (story.Number == number)
            {
                (story.Length, story.Taken, story.State, story.Ending) = (chains.LengthOf(last), Describe(chains, last), state, null);
            }
        }
    }

    internal void End(long number, string ending, long ticks, bool isMatch = false)
    {
        lock (_gate)
        {
            ref var story = ref _ring[number % capacity];
            if (story.Number == number)
            {
                (story.Ending, story.EndedAt, story.IsMatch) = (ending, ticks, isMatch || story.IsMatch);
            }
        }
    }

    internal (int Length, WhyNot Why) WhyNot(TKey key, long from, long to, State<T> start)
    {
        lock (_gate)
        {
            Story? furthest = null;
            for (long number = Math.Max(0, _next - capacity); number < _next; number++)
            {
                ref var story = ref _ring[number % capacity];
                if (story.State is not null && story.Start >= from && story.Start <= to && !story.IsMatch && story.Length >= (furthest?.Length ?? 0)
                    && EqualityComparer<TKey>.Default.Equals(story.Key, key))
                {
                    furthest = story;
                }
            }

            string pattern = shape.Pattern.ToString();
            if (furthest is not { } found)
            {
                string ending = _next <= capacity
                    ? "none has begun for this key in that time, or all became matches"
                    : $"of the last {capacity:N0} partial matches none was this key's in that time, or all became matches";
                return (0, new WhyNot(pattern, null, [], WaitedFor(start), ending, null));
            }

            return (found.Length, new WhyNot(
                pattern, Extensibility.Ticks.ToTime(found.Start), found.Taken, WaitedFor(found.State!), found.Ending ?? "still open",
                found.Ending is null ? null : Extensibility.Ticks.ToTime(found.EndedAt)));
        }
    }

    private static string[] WaitedFor(State<T> state) => [.. state.Transitions.Select(transition => transition.Kind switch
    {
        TransitionKind.Take => string.Join(" | ", transition.Choices.Select(choice => $"{choice.Handle} ({choice.Condition.Text})")),
        _ => "the end of the absence",
    }).Distinct()];

    private string[] Describe(Chains<T> chains, int last)
    {
        var steps = new List<string>();
        while (last != Chains<T>.None)
        {
            var handle = shape.HandleOf(chains.At(last).Label);
            int count = 0;
            for (; last != Chains<T>.None && shape.HandleOf(chains.At(last).Label) == handle; last = chains.At(last).Previous)
            {
                count++;
            }

            steps.Insert(0, count == 1 ? handle.Name : $"{handle.Name} × {count}");
        }

        return [.. steps];
    }

    private struct Story
    {
        internal long Number;
        internal TKey Key;
        internal long Start;
        internal int Length;
        internal string[] Taken;
        internal State<T>? State;
        internal string? Ending;
        internal long EndedAt;
        internal bool IsMatch;
    }
}
