namespace IoT.Cep;

/// <summary>Windows of one size, one after the other.</summary>
internal sealed record TumblingWindows : TimeWindows
{
    private readonly long _size;
    private readonly long _offset;

    internal TumblingWindows(TimeSpan size, TimeSpan offset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(size, TimeSpan.Zero);
        ThrowIfTooLong(size, nameof(size));
        ThrowIfTooLong(offset, nameof(offset));
        _size = size.Ticks;
        _offset = offset.Ticks - Extensibility.Ticks.Floor(offset.Ticks, _size, 0);
    }

    private protected override string Describe() =>
        $"tumbling {TimeSpan.FromTicks(_size)}{(_offset == 0 ? "" : $" + {TimeSpan.FromTicks(_offset)}")}";

    internal override bool CanKeepKeyTime => !IsEarly && !MovesLate;

    internal long StartOf(long ticks) => Extensibility.Ticks.Floor(ticks, _size, _offset);

    /// <summary>The end of a window; time does not go past its last tick.</summary>
    internal long EndOf(long start) => Extensibility.Ticks.Plus(start, _size);

    /// <summary>When a window takes nothing more.</summary>
    internal long GoneAt(long start) => GoneBehind(EndOf(start));

    internal override (long Start, long End) PaneAt(long ticks) => FirstWindow(0, ticks);

    internal override (long Start, long End) FirstWindow(int series, long time) => (StartOf(time), EndOf(StartOf(time)));
}
