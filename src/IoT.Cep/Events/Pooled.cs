using System.Buffers;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Buffers out of the shared pool, counted: tests assert that all came back.</summary>
internal static class Pooled
{
    private static long _outstanding;

    [ThreadStatic]
    private static long _outstandingHere;

    /// <summary>How many buffers are out.</summary>
    internal static long Outstanding => Volatile.Read(ref _outstanding);

    /// <summary>
    /// How many buffers this thread rented beyond those it returned: what runs on one thread is accounted for exactly, whatever others do meanwhile.
    /// </summary>
    internal static long OutstandingHere => _outstandingHere;

    internal static T[] Rent<T>(int length)
    {
        Interlocked.Increment(ref _outstanding);
        _outstandingHere++;
        return ArrayPool<T>.Shared.Rent(length);
    }

    /// <summary>Gives a buffer back; references are cleared first, so that the pool keeps no event alive.</summary>
    internal static void Return<T>(ref T[] buffer, int used)
    {
        if (buffer.Length == 0)
        {
            return;
        }

        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            buffer.AsSpan(0, Math.Min(used, buffer.Length)).Clear();
        }

        ArrayPool<T>.Shared.Return(buffer);
        buffer = [];
        Interlocked.Decrement(ref _outstanding);
        _outstandingHere--;
    }

    /// <summary>Makes a scratch column as long as a batch; what it held is forgotten.</summary>
    internal static void Ensure<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            Grow(ref buffer, 0, Math.Max(length, Extensibility.EventBuffer<T>.DefaultCapacity));
        }
    }

    internal static void Grow<T>(ref T[] buffer, int used, int needed)
    {
        var larger = Rent<T>(Math.Max(needed, buffer.Length * 2));
        buffer.AsSpan(0, used).CopyTo(larger);

        // All of it is cleared: what was removed or filtered may still stand behind what is used.
        Return(ref buffer, buffer.Length);
        buffer = larger;
    }

    /// <summary>Gives a ring of places, of which there are a power of two, another length; what stands in it from one number to another is there again.</summary>
    internal static void ResizeRing<T>(ref T[] ring, ref int mask, long from, long end, int length)
    {
        var resized = Rent<T>(length);

        // It is one run or two in the old ring, and as many in the new one.
        while (from < end)
        {
            int at = (int)from & mask, to = (int)from & (length - 1);
            int run = (int)Math.Min(end - from, Math.Min(mask + 1 - at, length - to));
            ring.AsSpan(at, run).CopyTo(resized.AsSpan(to));
            from += run;
        }

        Return(ref ring, ring.Length);
        (ring, mask) = (resized, length - 1);
    }
}
