using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Count and sum of one selector's values, where nobody asks for the extremes: half of what <see cref="Moments"/> take, and no jump, which would wait for
/// the memory that it depends on. The sums are the same to the bit.
/// </summary>
internal struct Mean
{
    internal long Count;
    internal double Sum;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value)
    {
        Sum = Neutral(Sum, Count) + value;
        Count++;
    }

    /// <summary>Takes in all values of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Merge(in Mean other)
    {
        Sum = Neutral(Sum, Count) + Neutral(other.Sum, other.Count);
        Count += other.Count;
    }

    /// <summary>The sum of no values as -0.0, which changes no number that it is added to; 0.0 would change -0.0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Neutral(double sum, long count) =>
        BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(sum) | ((count - 1) & long.MinValue));
}
