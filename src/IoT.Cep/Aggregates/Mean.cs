using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Count and sum of one selector's values, where nobody asks for the extremes: half of what <see cref="Moments"/> take, and no jump, which would wait for
/// the memory that it depends on. The sums are the same to the bit.
/// </summary>
/// <remarks>
/// The sum of no values is -0.0, which changes no number that it is added to; 0.0 would change -0.0. It is kept with its sign turned, so that a new state
/// is an empty one. Turned as bits and not by a minus, which a compiler may take together with the addition: a NaN that is subtracted keeps its sign.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct Mean
{
    internal long Count;
    private long _turnedSum;

    internal double Sum
    {
        readonly get => BitConverter.Int64BitsToDouble(_turnedSum ^ long.MinValue);
        private set => _turnedSum = BitConverter.DoubleToInt64Bits(value) ^ long.MinValue;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value)
    {
        Sum += value;
        Count++;
    }

    /// <summary>Takes in all values of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Merge(in Mean other)
    {
        Sum += other.Sum;
        Count += other.Count;
    }

    /// <summary>Merges two states at a time, each with its counterpart, as long as there are two; says how many were merged.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int MergePairs(Span<Mean> into, ReadOnlySpan<Mean> others)
    {
        if (!Vector256.IsHardwareAccelerated)
        {
            return 0;
        }

        var turn = Vector256.Create(long.MinValue);
        var sums = Vector256.Create(0, -1L, 0, -1L);
        int pairs = Math.Min(into.Length, others.Length) & ~1;
        ref long state = ref Unsafe.As<Mean, long>(ref MemoryMarshal.GetReference(into));
        ref long other = ref Unsafe.As<Mean, long>(ref MemoryMarshal.GetReference(others));
        for (nuint i = 0; i < (nuint)pairs * 2; i += 4)
        {
            var (mine, its) = (Vector256.LoadUnsafe(ref state, i), Vector256.LoadUnsafe(ref other, i));
            var sum = ((mine ^ turn).AsDouble() + (its ^ turn).AsDouble()).AsInt64() ^ turn;
            Vector256.ConditionalSelect(sums, sum, mine + its).StoreUnsafe(ref state, i);
        }

        return pairs;
    }

    internal readonly void Save(StateWriter writer)
    {
        writer.Int64(Count);
        writer.Double(Sum);
    }

    internal static Mean Load(StateReader reader) => new() { Count = reader.Int64(), Sum = reader.Double() };
}
