using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The borders of a histogram's buckets: made once, outside the projection, and checked then. Two with the same borders are equal.</summary>
public sealed class HistogramBounds : IEquatable<HistogramBounds>
{
    private const int MaxBounds = 10_000;

    private readonly double[] _bounds;

    private HistogramBounds(double[] bounds) => _bounds = bounds;

    /// <summary>The borders, in ascending order.</summary>
    public IReadOnlyList<double> Bounds => _bounds;

    /// <summary>Borders one by one.</summary>
    /// <param name="bounds">In ascending order, finite, at most 10,000. n borders make n + 1 buckets: below the first, between each two, from the last on.</param>
    public static HistogramBounds Of(params ReadOnlySpan<double> bounds)
    {
        if (bounds.Length is 0 or > MaxBounds)
        {
            throw new ArgumentException($"A histogram has 1 to {MaxBounds:N0} bounds, not {bounds.Length:N0}.", nameof(bounds));
        }

        for (int i = 0; i < bounds.Length; i++)
        {
            if (!double.IsFinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
            {
                throw new ArgumentException($"A histogram's bounds must be finite and ascend; {bounds[i]} at {i} does not.", nameof(bounds));
            }
        }

        return new HistogramBounds(bounds.ToArray());
    }

    /// <summary>Buckets of one width: <c>Linear(0, 10, 5)</c> has the borders 0, 10, 20, 30, 40, 50.</summary>
    /// <param name="from">The first border.</param>
    /// <param name="width">The width.</param>
    /// <param name="buckets">How many buckets between the first and the last border.</param>
    public static HistogramBounds Linear(double from, double width, int buckets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(buckets, MaxBounds);
        return Of([.. Enumerable.Range(0, buckets + 1).Select(i => from + (width * i))]);
    }

    /// <summary>Buckets that grow: <c>Exponential(1, 2, 4)</c> has the borders 1, 2, 4, 8, 16.</summary>
    /// <param name="from">The first border, above 0.</param>
    /// <param name="factor">How much larger each border is than the one before.</param>
    /// <param name="buckets">How many buckets between the first and the last border.</param>
    public static HistogramBounds Exponential(double from, double factor, int buckets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(from, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(buckets, MaxBounds);
        return Of([.. Enumerable.Range(0, buckets + 1).Select(i => from * Math.Pow(factor, i))]);
    }

    /// <inheritdoc/>
    public bool Equals(HistogramBounds? other) => ReferenceEquals(this, other) || (other is not null && _bounds.AsSpan().SequenceEqual(other._bounds));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as HistogramBounds);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_bounds.Length, _bounds[0], _bounds[^1]);

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", _bounds.Select(b => b.ToString(CultureInfo.InvariantCulture)));

    internal int Count => _bounds.Length;

    internal ReadOnlySpan<double> Span => _bounds;

    /// <summary>How many borders are at or below the value: the number of its bucket.</summary>
    internal int BucketOf(double value)
    {
        int at = _bounds.AsSpan().BinarySearch(value);
        return at >= 0 ? at + 1 : ~at;
    }
}

/// <summary>How many values of a window fell between which borders.</summary>
/// <param name="Bounds">The borders. Each belongs to the bucket above it.</param>
/// <param name="Counts">One more than there are borders: below the first, between each two, from the last on.</param>
/// <param name="NotNumbers">Values that are NaN, which are in no bucket.</param>
public sealed record Histogram(HistogramBounds Bounds, IReadOnlyList<long> Counts, long NotNumbers)
{
    /// <summary>How many values are in the buckets.</summary>
    public long Total
    {
        get
        {
            long total = 0;
            foreach (long count in Counts)
            {
                total += count;
            }

            return total;
        }
    }

    /// <inheritdoc/>
    public bool Equals(Histogram? other) =>
        other is not null && Bounds.Equals(other.Bounds) && Counts.SequenceEqual(other.Counts) && NotNumbers == other.NotNumbers;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Bounds, Total, NotNumbers);
}

/// <summary>Counts by bucket, the last one for NaN.</summary>
internal record struct HistogramCounts(HistogramBounds? Bounds) : IRemovableAccumulator<double, HistogramCounts>, ISaveable
{
    private long[]? _counts;

    internal readonly Histogram Result => new(Bounds!, _counts is null ? new long[Bounds!.Count + 1] : _counts[..^1], _counts?[^1] ?? 0);

    public void Add(in double value) => Count(value)++;

    public void Remove(in double value) => Count(value)--;

    public void Merge(in HistogramCounts other)
    {
        if (other._counts is not null)
        {
            _counts ??= new long[Bounds!.Count + 2];
            for (int i = 0; i < _counts.Length; i++)
            {
                _counts[i] += other._counts[i];
            }
        }
    }

    public bool TryClear()
    {
        _counts?.AsSpan().Clear();
        return true;
    }

    public readonly void Save(StateWriter writer)
    {
        SavedArrays.Write(writer, Bounds!.Span);
        SavedArrays.Write<long>(writer, _counts);
    }

    public void Load(StateReader reader)
    {
        this = new HistogramCounts(HistogramBounds.Of(SavedArrays.Read<double>(reader)));
        long[] counts = SavedArrays.Read<long>(reader);
        SavedArrays.Require(counts.Length == 0 || counts.Length == Bounds!.Count + 2);
        _counts = counts.Length == 0 ? null : counts;
    }

    private ref long Count(double value)
    {
        _counts ??= new long[Bounds!.Count + 2];
        return ref _counts[double.IsNaN(value) ? _counts.Length - 1 : Bounds!.BucketOf(value)];
    }
}
