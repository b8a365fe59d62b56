using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Count, sum, minimum and maximum of one selector's values: all simple aggregates of it are one state and one update.</summary>
internal struct Moments
{
    internal long Count;
    internal double Sum;
    private double _min;
    private double _max;

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

        // Both give NaN where either is, so a NaN stays; the sum would not do as its sign, since infinities of both signs make one as well.
        _min = Math.Min(_min, value);
        _max = Math.Max(_max, value);
    }
}
