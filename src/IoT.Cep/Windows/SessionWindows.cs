using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Windows that last as long as events follow one another closely enough.</summary>
internal sealed record SessionWindows : WindowSpec
{
    internal SessionWindows(TimeSpan gap)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(gap, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(gap, nameof(gap));
        Gap = gap.Ticks;
    }

    internal long Gap { get; }

    // A late event may join two sessions whose results were given: one of them holds no longer.
    internal override bool CanRetract => IsUpdating;

    private protected override string Describe() => $"session {TimeSpan.FromTicks(Gap)}";

    /// <summary>The end of a session whose last event has this time; time does not go past its last tick.</summary>
    internal long EndOf(long last) => Ticks.Plus(last, Gap);

    /// <summary>
    /// The latest last event of sessions about which something is to be done by this time: a session fires at its end, and takes nothing more once the
    /// lateness is over as well.
    /// </summary>
    internal long LastOver(long time, SessionPhase phase) => time == long.MaxValue ? time
        : Ticks.Minus(phase == SessionPhase.Changed ? time : Ticks.Minus(time, AllowedLateness.Ticks), Gap);

    /// <summary>An event that would be a session by itself whose time is over. Any other event is behind every session that was forgotten.</summary>
    internal override bool IsPast(long ticks, long watermark) => GoneBehind(EndOf(ticks)) <= watermark;

    internal override (long Start, long End) Around(long ticks) => (ticks, EndOf(ticks));
}
