using System.Numerics;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>Counts of durations, to within a 64th of each: buckets as wide as their power of two asks for, as HdrHistogram has them.</summary>
internal sealed class Histogram
{
    private const int SubBits = 6;

    private readonly long[] _counts = new long[(64 - SubBits) << SubBits];

    internal long Count { get; private set; }

    internal long Most { get; private set; }

    /// <summary>Counts a number that is not negative.</summary>
    internal void Add(long value)
    {
        _counts[IndexOf(value)]++;
        Count++;
        Most = Math.Max(Most, value);
    }

    /// <summary>The number that this share of all is not above.</summary>
    internal long At(double share)
    {
        long wanted = (long)Math.Ceiling(Count * share), seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
            {
                return Math.Min(Most, LastOf(i));
            }
        }

        return Most;
    }

    private static int IndexOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value | 1) - SubBits);
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static long LastOf(int index)
    {
        int shift = Math.Max(0, (index >> SubBits) - 1);
        long first = (long)(index - (shift << SubBits)) << shift;
        return first + (1L << shift) - 1;
    }
}
