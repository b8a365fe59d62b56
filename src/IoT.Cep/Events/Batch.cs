namespace IoT.Cep.Extensibility;

/// <summary>
/// A run of events as an operator or a sink sees it: a column of timestamps beside a column of events, and two
/// optional columns (identity and kind) that are empty where the stream has none.
/// </summary>
/// <remarks>
/// The buffers belong to whoever made the batch and are used again as soon as the call returns: copy what must be kept.
/// </remarks>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="events">The events, in order of arrival.</param>
/// <param name="ticks">Their event times: 100 ns ticks since 1970-01-01 UTC, one for each event.</param>
public readonly ref struct Batch<T>(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
{
    /// <summary>The events, in order of arrival.</summary>
    public ReadOnlySpan<T> Events { get; } = events;

    /// <summary>The event times: 100 ns ticks since 1970-01-01 UTC, one for each event.</summary>
    public ReadOnlySpan<long> Ticks { get; } = ticks;

    /// <summary>What each event is a result of; empty where the stream's events have no identity.</summary>
    public ReadOnlySpan<ResultId> Ids { get; init; }

    /// <summary>Whether each event is new or corrects an earlier one; empty where all are new.</summary>
    public ReadOnlySpan<EventKind> Kinds { get; init; }

    /// <summary>Each event's key group, where a keyed operator made the batch: results of several shards are put in order by it.</summary>
    internal ReadOnlySpan<byte> Groups { get; init; }

    /// <summary>Whether the source knows that no event of it is before an earlier one: then the first and the last time say all about the others.</summary>
    internal bool IsSorted { get; init; }

    /// <summary>How many events there are.</summary>
    public int Length => Events.Length;

    /// <summary>The part of this batch that begins at <paramref name="start"/>.</summary>
    /// <param name="start">The first event's index.</param>
    /// <param name="length">How many events.</param>
    public Batch<T> Slice(int start, int length) => new(Events.Slice(start, length), Ticks.Slice(start, length))
    {
        Ids = Ids.IsEmpty ? default : Ids.Slice(start, length),
        Kinds = Kinds.IsEmpty ? default : Kinds.Slice(start, length),
        Groups = Groups.IsEmpty ? default : Groups.Slice(start, length),
        IsSorted = IsSorted,
    };
}

/// <summary>Whether an event is new or corrects an earlier one of the same <see cref="ResultId"/>.</summary>
public enum EventKind : byte
{
    /// <summary>A new result.</summary>
    Insert,

    /// <summary>Replaces the earlier result of the same identity.</summary>
    Update,

    /// <summary>
    /// Takes the earlier result of the same identity back. Only its identity counts: the value may be any, and the type's default behind a projection,
    /// which is not run for it. There may be no earlier result (a condition that a correction fails does not know whether what it corrects had passed):
    /// then there is nothing to do.
    /// </summary>
    Retract,
}

/// <summary>
/// What a result is the result of, the same after a restart or a correction: the key with the window's bounds, or
/// the key with a match's first and last event. A store that upserts on it holds each result once.
/// </summary>
/// <param name="Key">The key; null where the stream has no key.</param>
/// <param name="Start">The window's start or the first event's time: 100 ns ticks since 1970-01-01 UTC.</param>
/// <param name="End">The window's end or the last event's time: 100 ns ticks since 1970-01-01 UTC.</param>
/// <param name="Ordinal">
/// Tells results of the same key and bounds apart, counting from 0; with gaps where keys give way (<see cref="WhenKeysFull.EvictIdle"/>).
/// </param>
public readonly record struct ResultId(object? Key, long Start, long End, int Ordinal);
