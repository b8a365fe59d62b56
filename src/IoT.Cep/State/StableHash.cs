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

        if (typeof(TKey) == typeof(Guid))
        {
            return OfBytes(MemoryMarshal.AsBytes(new ReadOnlySpan<Guid>(in Unsafe.As<TKey, Guid>(ref key))));
        }

        if (key is string text)
        {
            return OfBytes(MemoryMarshal.AsBytes(text.AsSpan()));
        }

        // Equal values of these may print differently: 1.0 and 1.00, one instant with two offsets.
        if (typeof(TKey) == typeof(decimal) || typeof(TKey) == typeof(DateTimeOffset))
        {
            return Fold((ulong)(uint)key.GetHashCode() ^ Prime0, Prime1);
        }

        // Primitive values hash alike in every process; tuples and records may mix a seed in, so their printed form is hashed.
        return typeof(TKey).IsPrimitive || typeof(TKey).IsEnum
            ? Fold((ulong)(uint)key.GetHashCode() ^ Prime0, Prime1)
            : OfBytes(MemoryMarshal.AsBytes(((key is IFormattable value ? value.ToString(null, CultureInfo.InvariantCulture) : key.ToString()) ?? "").AsSpan()));
    }

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
