using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows of one size that begin every hop. Between two starts there is at most one end, so a hop is one pane or two: the "paired windows" of
/// Krishnamurthy, Wu and Franklin, On-the-Fly Sharing for Streamed Aggregation (SIGMOD 2006), which never are more panes than by the greatest
/// common divisor.
/// </summary>
internal sealed record HoppingWindows : TimeWindows
{
    /// <summary>A key costs a state for each pane of a window: a day by the second.</summary>
    private const int MaxHops = 86_400;

    private readonly long _size;
    private readonly long _hop;
    private readonly long _offset;
    private readonly long _block;

    internal HoppingWindows(TimeSpan size, TimeSpan hop, TimeSpan offset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(hop, TimeSpan.Zero);
        ThrowIfTooLong(size, nameof(size));
        ThrowIfTooLong(offset, nameof(offset));
        if (size < hop)
        {
            throw new ArgumentOutOfRangeException(
                nameof(hop), hop, $"A hop longer than the window ({size}) leaves events out. Make it at most as long, or drop those events before with Where.");
        }

        long hops = ((size.Ticks - 1) / hop.Ticks) + 1;
        if (hops > MaxHops)
        {
            throw new ArgumentOutOfRangeException(
                nameof(hop), hop, $"A window of {size} has {hops:N0} hops of {hop}; at most {MaxHops:N0} are supported, since each costs a state for each key.");
        }

        (_size, _hop, _block) = (size.Ticks, hop.Ticks, hops * hop.Ticks);
        _offset = offset.Ticks - Ticks.Floor(offset.Ticks, _hop, 0);
    }

    internal override bool Slides => true;

    private protected override string Describe() =>
        $"hopping {TimeSpan.FromTicks(_size)} every {TimeSpan.FromTicks(_hop)}{(_offset == 0 ? "" : $" + {TimeSpan.FromTicks(_offset)}")}";

    internal override (long Start, long End) PaneAt(long ticks)
    {
        long start = Ticks.Floor(ticks, _hop, _offset);
        long border = start + (_size % _hop);
        return border == start ? (start, start + _hop) : ticks < border ? (start, border) : (border, start + _hop);
    }

    internal override (long Start, long End) FirstWindow(int series, long time)
    {
        long start = Ticks.Floor(time - _size, _hop, _offset) + _hop;
        return (start, start + _size);
    }

    /// <summary>As many hops as a window touches.</summary>
    internal override long BlockEnd(long paneStart) => Ticks.Floor(paneStart, _block, _offset) + _block;
}
