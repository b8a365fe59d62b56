using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows whose borders follow from a key's events in order of time, one by one: where an event comes between two others, all later borders move. So
/// events are held until the watermark reaches them, one behind the watermark is late, and there are no corrections.
/// </summary>
internal abstract record SortedWindows : WindowSpec
{
    internal sealed override bool IsPast(long ticks, long watermark) => ticks < watermark;

    internal override (long Start, long End) Around(long ticks) => (ticks, Ticks.Plus(ticks, 1));

    private protected sealed override string CannotCorrect =>
        "a late event would move every later window's borders. Raise maxDisorder in WithEventTime(...), so that the event is not late";
}

/// <summary>What an event or a deadline does to a key's window.</summary>
[Flags]
internal enum WindowTurn
{
    /// <summary>The event is in no window.</summary>
    None = 0,

    /// <summary>The event goes into the window, and opens one where none is open.</summary>
    Add = 1,

    /// <summary>The window gives a result, and goes on.</summary>
    Fire = 2,

    /// <summary>The window gives a result, and is over.</summary>
    Close = 4,
}

/// <summary>Where a key's window stands when an event or a deadline comes.</summary>
/// <param name="Start">The time of its first event.</param>
/// <param name="Time">The event's time, or the deadline.</param>
/// <param name="Count">How many events it has, with the one that comes; 1 where that would open it.</param>
/// <param name="Watermark">The watermark.</param>
internal readonly record struct WindowProgress(long Start, long Time, long Count, long Watermark);

/// <summary>A kind of sorted windows, as a struct so that its questions cost no call. User code that it runs sees a copy of the mark, so it may throw.</summary>
internal interface IWindowRule<T, TMark>
    where TMark : struct
{
    WindowTurn Take(ref TMark mark, in WindowProgress progress, in T value);

    /// <summary>When the window is to be asked next if nothing comes; <see cref="long.MaxValue"/> for never.</summary>
    long DeadlineOf(in TMark mark, in WindowProgress progress);

    WindowTurn OnDeadline(ref TMark mark, in WindowProgress progress);
}
