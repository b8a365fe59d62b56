using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// A hash of a key that is the same in every process, so that saved state finds its key group again. (A string's own
/// hash code is seeded anew in each process.) Multiply-and-fold as in wyhash; not for hash tables that face chosen keys.
/// </summary>
internal static class StableHash
{
    /// <summary>Keyed state is divided into this many groups, the unit in which it moves between shards.</summary>
    internal const int KeyGroups = 128;

    private const ulong Prime0 = 0xA0761D6478BD642F, Prime1 = 0xE7037ED1A0B428DB, Prime2 = 0x8EBC6AF09C88C6E3;

    internal static int GroupOf<TKey>(TKey key)
        where TKey : notnull => (int)(Of(key) >> 57);

    internal static ulong Of<TKey>(TKey key)
        where TKey : notnull
    {
        if (typeof(TKey) == typeof(string))
        {
            return OfBytes(MemoryMarshal.AsBytes(Unsafe.As<TKey, string>(ref key).AsSpan()));
        }

        if (typeof(TKey) == typeof(int))
        {
            return Fold((ulong)(uint)Unsafe.As<TKey, int>(ref key) ^ Prime0, Prime1);
        }

        if (typeof(TKey) == typeof(long))
        {
            return Fold((ulong)Unsafe.As<TKey, long>(ref key) ^ Prime0, Prime1);
        }

        // Equal values of these may print differently: 1.0 and 1.00, one instant with two offsets.
        if (typeof(TKey).IsPrimitive || typeof(TKey).IsEnum || typeof(TKey) == typeof(decimal) || typeof(TKey) == typeof(DateTimeOffset))
        {
            return OfHashCode(key);
        }

        return OfObject(key);
    }

    /// <summary>
    /// The hash of a boxed key or of a tuple's part, the same as <see cref="Of"/>'s. Tuples and records may mix a seed into their own hash codes: of a
    /// tuple the parts are hashed, of anything else the printed form, in no country's format.
    /// </summary>
    private static ulong OfObject(object? key)
    {
        switch (key)
        {
            case null:
                return Prime2;
            case string text:
                return OfBytes(MemoryMarshal.AsBytes(text.AsSpan()));
            case int number:
                return Of(number);
            case long number:
                return Of(number);
            case bool or char or byte or sbyte or short or ushort or uint or ulong or nint or nuint or float or double or decimal or DateTimeOffset or Enum:
                return OfHashCode(key);
            case ITuple tuple:
                ulong hash = Prime2 ^ (ulong)tuple.Length;
                for (int i = 0; i < tuple.Length; i++)
                {
                    hash = Fold(hash ^ OfObject(tuple[i]), Prime0);
                }

                return Fold(hash, Prime1);
            default:
                return OfBytes(MemoryMarshal.AsBytes((Printed(key) ?? "").AsSpan()));
        }
    }

    /// <summary>A record prints its members in the thread's culture, whatever it is asked for; a saved key must find its group in any.</summary>
    private static string? Printed(object key)
    {
        if (key is IFormattable value)
        {
            return value.ToString(null, CultureInfo.InvariantCulture);
        }

        var culture = CultureInfo.CurrentCulture;
        if (ReferenceEquals(culture, CultureInfo.InvariantCulture))
        {
            return key.ToString();
        }

        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            return key.ToString();
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    // Primitive values hash alike in every process.
    private static ulong OfHashCode<TKey>(TKey key)
        where TKey : notnull => Fold((ulong)(uint)key.GetHashCode() ^ Prime0, Prime1);

    private static ulong OfBytes(ReadOnlySpan<byte> bytes)
    {
        ulong hash = Prime2 ^ (ulong)bytes.Length;
        while (bytes.Length >= sizeof(ulong))
        {
            hash = Fold(hash ^ MemoryMarshal.Read<ulong>(bytes), Prime0);
            bytes = bytes[sizeof(ulong)..];
        }

        ulong tail = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            tail |= (ulong)bytes[i] << (8 * i);
        }

        return Fold(hash ^ tail, Prime1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return BitOperations.RotateLeft(high, 32) ^ low;
    }
}
