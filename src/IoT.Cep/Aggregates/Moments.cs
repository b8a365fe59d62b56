using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Count, sum, minimum and maximum of one selector's values: all simple aggregates of it are one state and one update.</summary>
internal struct Moments
{
    internal long Count;
    internal double Sum;
    private double _min;
    private double _max;

    /// <summary>Field by field: a struct that was made in parts and is then copied as a whole keeps the processor waiting.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Set(long count, double sum, double minimum, double maximum)
    {
        Count = count;
        Sum = sum;
        _min = minimum;
        _max = maximum;
    }

    /// <summary>The same where nobody asks for the extremes, which may be anything then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void SetSum(long count, double sum)
    {
        Count = count;
        Sum = sum;
    }

    internal readonly double Minimum => _min;

    internal readonly double Maximum => _max;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value)
    {
        if (Count++ == 0)
        {
            Sum = _min = _max = value;
            return;
        }

        Sum += value;

        // One instruction each; where one of both is NaN they give the second, and fmin and fmax of ARM give NaN.
        _min = double.MinNative(value, _min);
        _max = double.MaxNative(value, _max);

        // So a NaN that is there stays, and a new one is kept here; the sum would not do as its sign, since infinities of both signs make one as well.
        if (double.IsNaN(value))
        {
            _min = _max = value;
        }
    }

    /// <summary>Takes in all values of another.</summary>
    internal void Merge(in Moments other)
    {
        if (other.Count == 0)
        {
            return;
        }

        if (Count == 0)
        {
            this = other;
            return;
        }

        Count += other.Count;
        Sum += other.Sum;

        // As in Add: a NaN that is there stays, and the other's is kept here.
        _min = double.MinNative(other._min, _min);
        _max = double.MaxNative(other._max, _max);
        if (double.IsNaN(other._min))
        {
            _min = _max = other._min;
        }
    }
}
