using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>64 well-mixed bits of a value, the same in every process: sketches are saved, and merged with those of other processes.</summary>
internal static class ValueHash
{
    internal static ulong Of<T>(T value)
        where T : notnull
    {
        // What is wider than 32 bits by its bits; -0.0 and 0.0 are equal, and all NaN.
        if (typeof(T) == typeof(double))
        {
            double number = Unsafe.As<T, double>(ref value);
            return Mix(BitConverter.DoubleToUInt64Bits(number == 0 ? 0 : double.IsNaN(number) ? double.NaN : number));
        }

        if (typeof(T) == typeof(float))
        {
            float number = Unsafe.As<T, float>(ref value);
            return Mix(BitConverter.SingleToUInt32Bits(number == 0 ? 0 : float.IsNaN(number) ? float.NaN : number));
        }

        if (typeof(T) == typeof(ulong))
        {
            return Mix(Unsafe.As<T, ulong>(ref value));
        }

        if (typeof(T) == typeof(DateTimeOffset))
        {
            return Mix((ulong)Unsafe.As<T, DateTimeOffset>(ref value).UtcTicks);
        }

        if (typeof(T) == typeof(Guid))
        {
            var halves = MemoryMarshal.Cast<Guid, ulong>(new ReadOnlySpan<Guid>(ref Unsafe.As<T, Guid>(ref value)));
            return Mix(halves[0] + Mix(halves[1]));
        }

        return Mix(StableHash.Of(value));
    }

    /// <summary>The finalizer of splitmix64 (G. L. Steele, D. Lea and C. H. Flood, 2014): each bit in changes half of those out.</summary>
    private static ulong Mix(ulong bits)
    {
        bits += 0x9E3779B97F4A7C15;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }
}
