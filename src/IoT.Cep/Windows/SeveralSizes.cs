using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Tumbling windows of several sizes at once. A pane lies between two neighbouring borders of any of them.</summary>
internal sealed record SeveralSizes : TimeWindows
{
    /// <summary>Each costs a state for each key, and a merge for each pane.</summary>
    private const int MaxSizes = 16;

    private readonly long[] _sizes;
    private readonly long _offset;

    internal SeveralSizes(ReadOnlySpan<TimeSpan> sizes, TimeSpan offset)
    {
        if (sizes.Length is 0 or > MaxSizes)
        {
            throw new ArgumentException($"Windows come in 1 to {MaxSizes} sizes, not {sizes.Length}.", nameof(sizes));
        }

        ThrowIfTooLong(offset, nameof(offset));
        _sizes = new long[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(sizes[i], TimeSpan.Zero, nameof(sizes));
            ThrowIfTooLong(sizes[i], nameof(sizes));
            _sizes[i] = sizes[i].Ticks;
        }

        // The largest last: it takes panes over when the others have merged them.
        Array.Sort(_sizes);
        for (int i = 1; i < _sizes.Length; i++)
        {
            if (_sizes[i] == _sizes[i - 1])
            {
                throw new ArgumentException($"The size {TimeSpan.FromTicks(_sizes[i])} stands twice.", nameof(sizes));
            }
        }

        _offset = offset.Ticks;
    }

    internal override int SeriesCount => _sizes.Length;

    private protected override string Describe() =>
        $"tumbling {string.Join(", ", _sizes.Select(size => $"{TimeSpan.FromTicks(size)}"))}{(_offset == 0 ? "" : $" + {TimeSpan.FromTicks(_offset)}")}";

    internal override (long Start, long End) PaneAt(long ticks)
    {
        (long start, long end) = (long.MinValue, long.MaxValue);
        for (int series = 0; series < _sizes.Length; series++)
        {
            (long first, long last) = FirstWindow(series, ticks);
            (start, end) = (Math.Max(start, first), Math.Min(end, last));
        }

        return (start, end);
    }

    internal override (long Start, long End) FirstWindow(int series, long time)
    {
        long start = Ticks.Floor(time, _sizes[series], _offset);
        return (start, start + _sizes[series]);
    }

    public bool Equals(SeveralSizes? other) => other is not null && base.Equals(other) && _offset == other._offset && _sizes.AsSpan().SequenceEqual(other._sizes);

    public override int GetHashCode() => HashCode.Combine(base.GetHashCode(), _offset, _sizes.Length, _sizes[0]);
}
