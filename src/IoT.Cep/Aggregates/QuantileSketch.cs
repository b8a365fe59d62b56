using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Quantiles with a bounded relative error: DDSketch (C. Masson, J. E. Rim and H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees", PVLDB 12(12), 2019). Values are counted in buckets whose borders grow by a factor of (1 + error) / (1 - error), so the middle
/// of a value's bucket is off by at most the error times the value. Adding and merging commute: the sketch does not depend on any order.
/// </summary>
internal record struct QuantileSketch : IRemovableAccumulator<double, QuantileSketch>, ISaveable
{
    // Below the smallest normal double, whose logarithm would be coarse, a value is 0.
    private const double LeastMagnitude = 2.2250738585072014E-308;

    private double _perLog;
    private LogBuckets _negative;
    private LogBuckets _positive;
    private long _zeros;
    private long _negativeInfinities;
    private long _positiveInfinities;
    private long _notNumbers;

    internal QuantileSketch(double error)
    {
        Error = error;
        _perLog = 1 / Math.Log((1 + error) / (1 - error));
    }

    public double Error { get; private set; }

    internal readonly long Count => _negative.Total + _positive.Total + _zeros + _negativeInfinities + _positiveInfinities + _notNumbers;

    public void Add(in double value)
    {
        if (Math.Abs(value) < LeastMagnitude)
        {
            _zeros++;
        }
        else if (double.IsFinite(value))
        {
            (value > 0 ? ref _positive : ref _negative).Add(BucketOf(Math.Abs(value)), 1);
        }
        else
        {
            CountOf(value)++;
        }
    }

    public void Remove(in double value)
    {
        if (Math.Abs(value) < LeastMagnitude)
        {
            _zeros--;
        }
        else if (double.IsFinite(value))
        {
            (value > 0 ? ref _positive : ref _negative).Remove(BucketOf(Math.Abs(value)));
        }
        else
        {
            CountOf(value)--;
        }
    }

    public void Merge(in QuantileSketch other)
    {
        _negative.Merge(in other._negative);
        _positive.Merge(in other._positive);
        _zeros += other._zeros;
        _negativeInfinities += other._negativeInfinities;
        _positiveInfinities += other._positiveInfinities;
        _notNumbers += other._notNumbers;
    }

    public bool TryClear()
    {
        _negative.Clear();
        _positive.Clear();
        _zeros = _negativeInfinities = _positiveInfinities = _notNumbers = 0;
        return true;
    }

    /// <summary>The value with this part of the others below it, within the error; NaN where there is none, or a NaN among them.</summary>
    internal readonly double Quantile(double part)
    {
        if (Count == 0 || _notNumbers > 0)
        {
            return double.NaN;
        }

        long rank = (long)(part * (Count - 1));
        if ((rank -= _negativeInfinities) < 0)
        {
            return double.NegativeInfinity;
        }

        if (rank < _negative.Total)
        {
            return -MiddleOf(_negative.BucketAt(_negative.Total - 1 - rank));
        }

        if ((rank -= _negative.Total + _zeros) < 0)
        {
            return 0;
        }

        return rank < _positive.Total ? MiddleOf(_positive.BucketAt(rank)) : double.PositiveInfinity;
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Double(Error);
        _negative.Save(writer);
        _positive.Save(writer);
        writer.Int64(_zeros);
        writer.Int64(_negativeInfinities);
        writer.Int64(_positiveInfinities);
        writer.Int64(_notNumbers);
    }

    public void Load(StateReader reader)
    {
        this = new QuantileSketch(reader.Double());
        _negative.Load(reader);
        _positive.Load(reader);
        (_zeros, _negativeInfinities, _positiveInfinities, _notNumbers) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
    }

    private readonly int BucketOf(double magnitude) => (int)Math.Ceiling(Math.Log(magnitude) * _perLog);

    /// <summary>What is off by the same part from both borders, (g^(i-1), g^i]: 2 g^i / (g + 1), and 2 / (g + 1) is 1 - error.</summary>
    private readonly double MiddleOf(int bucket) => Math.Min(double.MaxValue, Math.Exp(bucket / _perLog) * (1 - Error));

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    private ref long CountOf(double value)
    {
        if (double.IsNaN(value))
        {
            return ref _notNumbers;
        }

        return ref value > 0 ? ref _positiveInfinities : ref _negativeInfinities;
    }
}
