using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// A sum of numbers that come and go, in two doubles: what an addition rounds away is kept in the second one and comes back (Knuth, "The Art of Computer
/// Programming", volume 2, 4.2.2, theorem B; Dekker, "A floating-point technique for extending the available precision", 1971). An addition or removal is
/// wrong by about 2^-105 of the largest sum, so that the numbers of years leave no trace in the 53 bits that are shown.
/// </summary>
/// <remarks>
/// That holds while what remains is not much smaller than what once was there. So the sum of magnitudes is kept as well, and <see cref="IsWorn"/> says
/// when the numbers that are left have to be added up anew. To get there again, large numbers have to come and all of them to leave: that is once
/// in a window's length, as many steps as there were events in it. Numbers are below 2^900, so that nothing overflows.
/// </remarks>
internal struct RunningSum
{
    private const double Worn = 1 << 20;

    private double _high;
    private double _low;
    private double _scale;
    private double _peak;

    /// <summary>The sum, to the last bit but for ties.</summary>
    internal readonly double Value => _high;

    /// <summary>Whether what has left was so much larger than what remains that its digits may be missing.</summary>
    internal readonly bool IsWorn
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _scale * Worn < _peak;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value)
    {
        Change(value);
        _scale += Math.Abs(value);
        _peak = double.MaxNative(_scale, _peak);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Remove(double value)
    {
        Change(-value);
        _scale -= Math.Abs(value);
    }

    /// <summary>TwoSum, and what it lost into the low part, of which the high one takes what it can hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Change(double value)
    {
        double high = _high + value;
        double part = high - _high;
        double low = _low + ((_high - (high - part)) + (value - part));
        double sum = high + low;
        _low = low - (sum - high);
        _high = sum;
    }
}
