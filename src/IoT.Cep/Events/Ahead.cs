using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace IoT.Cep;

/// <summary>Asks for memory before it is needed. Changes nothing that can be seen, and does nothing where the processor has no such instruction.</summary>
internal static class Ahead
{
    // Half a page: the processor follows a column by itself, but stops at the end of each page of 4 KiB.
    private const int Bytes = 2_048;

    /// <summary>The bytes of a line of the cache.</summary>
    internal const int Line = 64;

    /// <summary>Asks for what stands a little behind an event in its column; that may be behind the column's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void Prefetch<T>(ref readonly T value)
    {
        if (Sse.IsSupported)
        {
            // An address is no access: a page that is not there is no fault, and an object that moves meanwhile makes it vain, no more.
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AddByteOffset(ref Unsafe.AsRef(in value), Bytes)));
        }
    }

    /// <summary>Asks for what stands there; it may be behind or before an array's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void PrefetchAt<T>(ref readonly T value)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in value)));
        }
    }

    /// <summary>The same for both ends of something that is longer than a line of the cache or lies across two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void PrefetchEnds<T>(ref readonly T value)
    {
        PrefetchAt(in value);
        PrefetchAt(in Unsafe.AddByteOffset(ref Unsafe.AsRef(in value), Unsafe.SizeOf<T>() - 1));
    }
}
