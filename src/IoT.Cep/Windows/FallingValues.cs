using System.Numerics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The greatest value of each key's window, by the values that may still become it: an event drops those before it that are not greater, so what
/// is left falls from the oldest to the youngest, and the oldest is the greatest (Lemire, "Streaming maximum-minimum filter using no more than three
/// comparisons per element", Nordic Journal of Computing, 2006). Of n values in no order about ln n are left.
/// </summary>
/// <remarks>
/// A NaN is greater than all: while it is in the window nothing else is the result. What a window's start has passed goes when its key is asked next.
/// All keys' values stand in one store, each key's in a ring of 4, 8, 16 ... places.
/// </remarks>
internal sealed class FallingValues : IDisposable
{
    private const int FirstBits = 2;
    private const int InitialPlaces = 256;
    private const int LargeStore = 1 << 20;

    private Ring[] _rings = [];
    private Value[] _store = [];
    private int _used;
    private int _usedRings;

    // Rings that were given back, by how long they are; the first value's time names the next one.
    private readonly int[] _free = new int[31];

    internal FallingValues() => Array.Fill(_free, -1);

    /// <summary>How many keys have values.</summary>
    internal int UsedRings => _usedRings;

    /// <summary>Adds a key's youngest value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Push(int place, long ticks, double value)
    {
        if (place >= _rings.Length)
        {
            Array.Resize(ref _rings, Math.Max(InitialPlaces, (int)BitOperations.RoundUpToPowerOf2((uint)place + 1)));
        }

        ref var ring = ref _rings[place];
        if (ring.Length == 0)
        {
            Begin(ref ring);
        }

        var values = _store.AsSpan(ring.Start, ring.Length);
        int mask = ring.Length - 1, count = double.IsNaN(value) ? 0 : ring.Count;
        while (count > 0 && values[(ring.First + count - 1) & mask].Number <= value)
        {
            count--;
        }

        if (count == ring.Length)
        {
            ring.Count = count;
            Move(ref ring, ring.Length * 2);
            values = _store.AsSpan(ring.Start, ring.Length);
            mask = ring.Length - 1;
        }

        values[(ring.First + count) & mask] = new Value { Ticks = ticks, Number = value };
        ring.Count = count + 1;
    }

    /// <summary>The greatest of a key's values that are not before the start; there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal double Greatest(int place, long start)
    {
        ref var ring = ref _rings[place];
        var values = _store.AsSpan(ring.Start, ring.Length);
        int mask = ring.Length - 1;
        while (values[ring.First].Ticks < start)
        {
            ring.First = (ring.First + 1) & mask;
            ring.Count--;
        }

        double greatest = values[ring.First].Number;
        if (ring.Count << 3 < ring.Length && ring.Length > 16)
        {
            Move(ref ring, ring.Length / 2);
        }

        return greatest;
    }

    /// <summary>A key has no events any more.</summary>
    internal void Clear(int place)
    {
        ref var ring = ref _rings[place];
        Return(in ring);
        ring = default;
        if (--_usedRings == 0)
        {
            Reset();
        }
    }

    /// <summary>Forgets all values.</summary>
    internal void ClearAll()
    {
        Array.Clear(_rings);
        _usedRings = 0;
        Reset();
    }

    public void Dispose()
    {
        Pooled.Return(ref _store, 0);
        _rings = [];
        _used = 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Begin(ref Ring ring)
    {
        ring = new Ring { Start = Rent(FirstBits), Length = 1 << FirstBits };
        _usedRings++;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Move(ref Ring ring, int length)
    {
        int start = Rent(BitOperations.Log2((uint)length));
        for (int i = 0; i < ring.Count; i++)
        {
            _store[start + i] = _store[ring.Start + ((ring.First + i) & (ring.Length - 1))];
        }

        Return(in ring);
        ring = new Ring { Start = start, Length = length, Count = ring.Count };
    }

    private int Rent(int bits)
    {
        int start = _free[bits];
        if (start >= 0)
        {
            _free[bits] = (int)_store[start].Ticks;
            return start;
        }

        start = _used;
        _used += 1 << bits;
        if (_used > _store.Length)
        {
            Pooled.Grow(ref _store, start, Math.Max(_used, InitialPlaces));
        }

        return start;
    }

    private void Return(in Ring ring)
    {
        int bits = BitOperations.Log2((uint)ring.Length);
        _store[ring.Start].Ticks = _free[bits];
        _free[bits] = ring.Start;
    }

    private void Reset()
    {
        Array.Fill(_free, -1);
        _used = 0;
        if (_store.Length > LargeStore)
        {
            // A burst has passed, and with it what it took.
            Pooled.Return(ref _store, 0);
            _rings = [];
        }
    }

    /// <summary>Where a key's values stand: so many from the first one on, around the end of so many places.</summary>
    private struct Ring
    {
        internal int Start;
        internal int Length;
        internal int First;
        internal int Count;
    }

    private struct Value
    {
        internal long Ticks;
        internal double Number;
    }
}
