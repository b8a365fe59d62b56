using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows whose bounds follow from time alone, the same for every key: one or several series of them, each in order of its ends. All borders lie
/// between panes, so an event is taken in once, by its pane, and a window is put together from panes.
/// </summary>
internal abstract record TimeWindows : WindowSpec
{
    /// <summary>The longest window, offset, or time to wait: sums of times and spans then stay far from overflow, and from the end of time.</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromDays(3_652_059);

    /// <summary>How many series of windows there are.</summary>
    internal virtual int SeriesCount => 1;

    /// <summary>Whether windows of a series overlap.</summary>
    internal virtual bool Slides => false;

    /// <summary>The pane that an event of this time falls into.</summary>
    internal abstract (long Start, long End) PaneAt(long ticks);

    /// <summary>The first window of a series that ends behind this time. It holds this time.</summary>
    internal abstract (long Start, long End) FirstWindow(int series, long time);

    /// <summary>
    /// Where the block of panes ends that this pane belongs to. A window of overlapping ones either is the beginning of one block, or the end of one
    /// and the beginning of the next.
    /// </summary>
    internal virtual long BlockEnd(long paneStart) => long.MaxValue;

    /// <summary>The first end of a window of any series behind this time.</summary>
    internal long NextEnd(long time)
    {
        long next = FirstWindow(0, time).End;
        for (int series = 1; series < SeriesCount; series++)
        {
            next = Math.Min(next, FirstWindow(series, time).End);
        }

        return next;
    }

    /// <summary>Where the earliest window starts that ends behind this time; what lies before is in none of them.</summary>
    internal long EarliestStart(long time)
    {
        if (time < Ticks.Min)
        {
            return long.MinValue;
        }

        long earliest = FirstWindow(0, time).Start;
        for (int series = 1; series < SeriesCount; series++)
        {
            earliest = Math.Min(earliest, FirstWindow(series, time).Start);
        }

        return earliest;
    }

    /// <summary>The time up to which windows take nothing more.</summary>
    internal long GoneUpTo(long watermark) => Ticks.Minus(watermark, AllowedLateness.Ticks);

    private protected sealed override bool TakesEmission => true;

    internal override bool IsPast(long ticks, long watermark) => !MovesLate && ticks < EarliestStart(GoneUpTo(watermark));

    internal override (long Start, long End) Around(long ticks) => FirstWindow(0, ticks);

    /// <summary>What is to happen so long after a time would never happen: its results would be lost without a word.</summary>
    internal static void ThrowIfTooLong(TimeSpan value, string name)
    {
        if (value > Longest || value < -Longest)
        {
            throw new ArgumentOutOfRangeException(name, value, FormattableString.Invariant($"Windows, their offsets and times to wait are at most {Longest.TotalDays:N0} days long, as long as all times that there are."));
        }
    }
}
