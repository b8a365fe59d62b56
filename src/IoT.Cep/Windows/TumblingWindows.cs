using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Windows of one size, one after the other.</summary>
internal sealed record TumblingWindows : WindowSpec
{
    private readonly long _size;
    private readonly long _offset;

    internal TumblingWindows(TimeSpan size, TimeSpan offset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
        _size = size.Ticks;
        _offset = offset.Ticks - Ticks.Floor(offset.Ticks, _size, 0);
    }

    private protected override string Describe() =>
        $"tumbling {TimeSpan.FromTicks(_size)}{(_offset == 0 ? "" : $" + {TimeSpan.FromTicks(_offset)}")}";

    internal override bool CanKeepKeyTime => true;

    internal long StartOf(long ticks) => Ticks.Floor(ticks, _size, _offset);

    /// <summary>The end of a window; time does not go past its last tick.</summary>
    internal long EndOf(long start) => Ticks.Plus(start, _size);

    /// <summary>When a window takes nothing more.</summary>
    internal long GoneAt(long start) => GoneBehind(EndOf(start));

    internal override bool IsPast(long ticks, long watermark) => GoneAt(StartOf(ticks)) <= watermark;

    internal override (long Start, long End) Around(long ticks) => (StartOf(ticks), EndOf(StartOf(ticks)));
}
