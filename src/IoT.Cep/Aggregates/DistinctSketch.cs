using System.Numerics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// How many different values, within a standard error of 1.04 / sqrt(2^precision): HyperLogLog (P. Flajolet, É. Fusy, O. Gandouet and F. Meunier, 2007)
/// with 64-bit hashes. The count comes from the registers by O. Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches",
/// arXiv:1702.01284, 2017, algorithm 6), which is unbiased from 0 on, without tables and without a switch between ranges.
/// </summary>
/// <remarks>
/// Few values stand in a sorted list of the registers that are not 0, 4 bytes each, until that is a quarter of all registers. Registers do not depend on
/// the order of adding and merging.
/// </remarks>
internal record struct DistinctSketch<T>(int Precision) : IAccumulator<T, DistinctSketch<T>>, ISaveable
    where T : notnull
{
    internal const int MinPrecision = 4;
    internal const int MaxPrecision = 18;
    private const int RankBits = 6;

    private uint[]? _sparse;
    private int _count;
    private byte[]? _registers;
    private bool _isDense;

    private readonly int MaxSparse => Math.Max(8, 1 << (Precision - 4));

    /// <summary>The least precision whose standard error is not above the one asked for.</summary>
    internal static int PrecisionOf(double standardError) =>
        Math.Clamp((int)Math.Ceiling(Math.Log2(Math.Pow(1.04 / standardError, 2))), MinPrecision, MaxPrecision);

    public void Add(in T value)
    {
        ulong hash = ValueHash.Of(value);
        int register = (int)(hash >> (64 - Precision));

        // The last bit set ends the count where all others are 0.
        int rank = BitOperations.LeadingZeroCount((hash << Precision) | (1UL << (Precision - 1))) + 1;
        Raise(register, rank);
    }

    public void Merge(in DistinctSketch<T> other)
    {
        if (other._isDense)
        {
            for (int i = 0; i < other._registers!.Length; i++)
            {
                if (other._registers[i] > 0)
                {
                    Raise(i, other._registers[i]);
                }
            }
        }
        else
        {
            foreach (uint entry in other._sparse.AsSpan(0, other._count))
            {
                Raise((int)(entry >> RankBits), (int)(entry & ((1 << RankBits) - 1)));
            }
        }
    }

    public bool TryClear()
    {
        // The registers wait, cleared, for the next busy window; the list serves the next one.
        if (_isDense)
        {
            _registers.AsSpan().Clear();
        }

        _count = 0;
        _isDense = false;
        return true;
    }

    internal readonly double Estimate()
    {
        // How many registers have which rank.
        int ranks = 64 - Precision;
        Span<int> counts = stackalloc int[ranks + 2];
        counts.Clear();
        if (_isDense)
        {
            foreach (byte rank in _registers!)
            {
                counts[rank]++;
            }
        }
        else
        {
            counts[0] = (1 << Precision) - _count;
            foreach (uint entry in _sparse.AsSpan(0, _count))
            {
                counts[(int)(entry & ((1 << RankBits) - 1))]++;
            }
        }

        double registers = 1 << Precision;
        double sum = registers * Tau(1 - (counts[ranks + 1] / registers));
        for (int rank = ranks; rank >= 1; rank--)
        {
            sum = 0.5 * (sum + counts[rank]);
        }

        sum += registers * Sigma(counts[0] / registers);
        return registers * registers / (2 * Math.Log(2) * sum);
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Byte((byte)Precision);
        writer.Boolean(_isDense);
        if (_isDense)
        {
            SavedArrays.Write<byte>(writer, _registers);
        }
        else
        {
            SavedArrays.Write<uint>(writer, _sparse.AsSpan(0, _count));
        }
    }

    public void Load(StateReader reader)
    {
        this = new DistinctSketch<T>(reader.Byte()) { _isDense = reader.Boolean() };
        SavedArrays.Require(Precision is >= MinPrecision and <= MaxPrecision);
        if (_isDense)
        {
            _registers = SavedArrays.Read<byte>(reader);
            SavedArrays.Require(_registers.Length == 1 << Precision && !_registers.AsSpan().ContainsAnyExceptInRange((byte)0, (byte)(65 - Precision)));
        }
        else
        {
            foreach (uint entry in SavedArrays.Read<uint>(reader))
            {
                SavedArrays.Require(entry >> RankBits < 1 << Precision && (entry & ((1 << RankBits) - 1)) <= 65 - Precision);
                Raise((int)(entry >> RankBits), (int)(entry & ((1 << RankBits) - 1)));
            }
        }
    }

    private static double Sigma(double x)
    {
        if (x == 1)
        {
            return double.PositiveInfinity;
        }

        double power = 1, sum = x, before;
        do
        {
            x *= x;
            before = sum;
            sum += x * power;
            power += power;
        }
        while (sum != before);
        return sum;
    }

    private static double Tau(double x)
    {
        if (x is 0 or 1)
        {
            return 0;
        }

        double power = 1, sum = 1 - x, before;
        do
        {
            x = Math.Sqrt(x);
            before = sum;
            power /= 2;
            sum -= (1 - x) * (1 - x) * power;
        }
        while (sum != before);
        return sum / 3;
    }

    private void Raise(int register, int rank)
    {
        if (_isDense)
        {
            ref byte held = ref _registers![register];
            held = Math.Max(held, (byte)rank);
            return;
        }

        uint entry = ((uint)register << RankBits) | (uint)rank;
        int at = _sparse.AsSpan(0, _count).BinarySearch(entry);
        if (at >= 0)
        {
            return;
        }

        // The same register with another rank stands next to the place.
        at = ~at;
        if (at < _count && _sparse![at] >> RankBits == register)
        {
            return;
        }

        if (at > 0 && _sparse![at - 1] >> RankBits == register)
        {
            _sparse[at - 1] = entry;
            return;
        }

        if (_count == MaxSparse)
        {
            BecomeDense();
            _registers![register] = (byte)rank;
            return;
        }

        if (_sparse is null || _count == _sparse.Length)
        {
            Array.Resize(ref _sparse, Math.Min(MaxSparse, Math.Max(8, _count * 2)));
        }

        _sparse.AsSpan(at, _count - at).CopyTo(_sparse.AsSpan(at + 1));
        _sparse[at] = entry;
        _count++;
    }

    private void BecomeDense()
    {
        _registers ??= new byte[1 << Precision];
        foreach (uint entry in _sparse.AsSpan(0, _count))
        {
            _registers[entry >> RankBits] = (byte)(entry & ((1 << RankBits) - 1));
        }

        _isDense = true;
    }
}
