using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Count, sum, minimum and maximum of one selector's values: all simple aggregates of it are one state and one update.</summary>
internal struct Moments
{
    internal long Count;
    internal double Sum;
    private double _min;
    private double _max;

    // A NaN among the values shows in the sum, wherever it stood; comparisons alone would depend on the order.
    internal readonly double Minimum => double.IsNaN(Sum) ? double.NaN : _min;

    internal readonly double Maximum => double.IsNaN(Sum) ? double.NaN : _max;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value)
    {
        if (Count++ == 0)
        {
            Sum = _min = _max = value;
            return;
        }

        Sum += value;
        _min = double.MinNative(value, _min);
        _max = double.MaxNative(value, _max);
    }
}
