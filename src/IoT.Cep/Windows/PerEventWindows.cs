using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What happens to one more event of a key whose window per event holds as many as allowed.</summary>
public enum WindowOverflow
{
    /// <summary>The event that came fails, under the query's error policy: the query stops, or the event becomes a dead letter.</summary>
    Fail,

    /// <summary>The key's oldest event leaves its windows before its time, and is counted: windows are then over the last so many events.</summary>
    DropOldest,
}

/// <summary>A window for each event: from so long before it to so long after it, both inside, and with it all events of its own time.</summary>
internal sealed record PerEventWindows : WindowSpec
{
    private readonly string _text;

    internal PerEventWindows(TimeSpan before, TimeSpan after, int maxEventsPerKey, WindowOverflow whenFull, string text)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEventsPerKey, 1);
        if (!Enum.IsDefined(whenFull))
        {
            throw new ArgumentOutOfRangeException(nameof(whenFull), whenFull, "This is not a way to deal with a full window.");
        }

        (Before, After, MaxEventsPerKey, WhenFull, _text) = (before.Ticks, after.Ticks, maxEventsPerKey, whenFull, text);
    }

    /// <summary>How many ticks before an event its window begins.</summary>
    internal long Before { get; }

    /// <summary>How many ticks after an event its window's last instant is.</summary>
    internal long After { get; }

    internal int MaxEventsPerKey { get; }

    internal WindowOverflow WhenFull { get; }

    internal override bool NeedsOrder => true;

    private protected override string CannotCorrect =>
        "a late event would change the results of all events within the window's size behind it. Raise maxDisorder in WithEventTime(...), so that the event is not late";

    private protected override string Describe() => _text
        + (MaxEventsPerKey == Window.DefaultMaxEventsPerKey && WhenFull == WindowOverflow.Fail
            ? "" : FormattableString.Invariant($", at most {MaxEventsPerKey:N0} events a key, then {WhenFull}"));

    internal long StartOf(long ticks) => Ticks.Minus(ticks, Before);

    /// <summary>The first instant behind an event's window; time does not go past its last tick.</summary>
    internal long EndOf(long ticks) => Ticks.Plus(Ticks.Plus(ticks, After), 1);

    /// <summary>Whether no event of an event's window is to come any more once time has reached this. What is equal to a watermark is on time.</summary>
    internal bool IsDue(long ticks, long time) => EndOf(ticks) <= time;

    internal override bool IsPast(long ticks, long watermark) => ticks < watermark;

    internal override (long Start, long End) Around(long ticks) => (StartOf(ticks), EndOf(ticks));
}
