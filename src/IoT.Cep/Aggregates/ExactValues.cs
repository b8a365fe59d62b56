using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>All values of a window, for quantiles without error. More than the limit make the result an error.</summary>
internal record struct ExactValues(int Limit) : IAccumulator<double, ExactValues>, ISaveable
{
    private double[]? _values;
    private int _count;
    private bool _isExceeded;

    public void Add(in double value)
    {
        if (_count == Limit)
        {
            _isExceeded = true;
            return;
        }

        Grow(_count + 1);
        _values![_count++] = value;
    }

    public void Merge(in ExactValues other)
    {
        _isExceeded |= other._isExceeded || other._count > Limit - _count;
        if (!_isExceeded && other._count > 0)
        {
            Grow(_count + other._count);
            other._values.AsSpan(0, other._count).CopyTo(_values.AsSpan(_count));
            _count += other._count;
        }
    }

    public bool TryClear()
    {
        // An array grown by one busy window is not held for all that follow.
        if (_values is { Length: > 64 } && _count * 4 < _values.Length)
        {
            _values = null;
        }

        _count = 0;
        _isExceeded = false;
        return true;
    }

    /// <summary>
    /// The value below which a part of the values lies, between two of them in proportion (type 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in
    /// statistical packages", The American Statistician 50(4), 1996; SQL's percentile_cont). A NaN makes it NaN.
    /// </summary>
    internal readonly double Quantile(double part)
    {
        double result = 0;
        Quantiles(new ReadOnlySpan<double>(in part), new Span<double>(ref result));
        return result;
    }

    /// <summary>Several of them for one sort.</summary>
    internal readonly void Quantiles(ReadOnlySpan<double> parts, Span<double> results)
    {
        if (_isExceeded)
        {
            throw new AggregateLimitException(Limit, "Raise its limit (maxValues), or use ApproximateQuantile, which has none.");
        }

        // A copy is sorted: the order in which values stand belongs to the state.
        double[] scratch = ArrayPool<double>.Shared.Rent(_count);
        var sorted = scratch.AsSpan(0, _count);
        _values.AsSpan(0, _count).CopyTo(sorted);
        sorted.Sort();
        for (int i = 0; i < parts.Length; i++)
        {
            results[i] = _count == 0 || double.IsNaN(sorted[0]) ? double.NaN : At(sorted, parts[i]);
        }

        ArrayPool<double>.Shared.Return(scratch);
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Int32(Limit);
        writer.Boolean(_isExceeded);
        SavedArrays.Write<double>(writer, _values.AsSpan(0, _count));
    }

    public void Load(StateReader reader)
    {
        this = new ExactValues(reader.Int32()) { _isExceeded = reader.Boolean(), _values = SavedArrays.Read<double>(reader) };
        _count = _values.Length;
        SavedArrays.Require(_count <= Limit);
    }

    private static double At(ReadOnlySpan<double> sorted, double part)
    {
        double place = part * (sorted.Length - 1);
        int below = (int)place;
        double share = place - below;
        return share == 0 ? sorted[below] : (sorted[below] * (1 - share)) + (sorted[below + 1] * share);
    }

    private void Grow(int count)
    {
        if (_values is null || count > _values.Length)
        {
            Array.Resize(ref _values, Math.Max(count, Math.Min(Limit, Math.Max(8, (_values?.Length ?? 0) * 2))));
        }
    }
}
