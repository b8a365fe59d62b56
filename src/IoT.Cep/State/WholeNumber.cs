using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Keys that are whole numbers, as device numbers are: the key itself can say where its entry stands. All of it folds to a constant or a move for
/// a key's type.
/// </summary>
internal static class WholeNumber
{
    /// <summary>Whether keys of this type are whole numbers of at most 64 bits; equal keys have equal bits then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Is<TKey>() =>
        typeof(TKey) == typeof(int) || typeof(TKey) == typeof(uint) || typeof(TKey) == typeof(long) || typeof(TKey) == typeof(ulong)
        || typeof(TKey) == typeof(short) || typeof(TKey) == typeof(ushort) || typeof(TKey) == typeof(byte) || typeof(TKey) == typeof(sbyte)
        || typeof(TKey) == typeof(char) || typeof(TKey) == typeof(nint) || typeof(TKey) == typeof(nuint) || typeof(TKey).IsEnum;

    /// <summary>The key's bits as a number of its own: a negative one is a large one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Of<TKey>(TKey key) => Unsafe.SizeOf<TKey>() switch
    {
        sizeof(byte) => Unsafe.BitCast<TKey, byte>(key),
        sizeof(ushort) => Unsafe.BitCast<TKey, ushort>(key),
        sizeof(uint) => Unsafe.BitCast<TKey, uint>(key),
        _ => Unsafe.BitCast<TKey, ulong>(key),
    };

    /// <summary>The key of these bits.</summary>
    internal static TKey ToKey<TKey>(int number)
    {
        byte eight = (byte)number;
        ushort sixteen = (ushort)number;
        ulong all = (uint)number;
        return Unsafe.SizeOf<TKey>() switch
        {
            sizeof(byte) => Unsafe.As<byte, TKey>(ref eight),
            sizeof(ushort) => Unsafe.As<ushort, TKey>(ref sixteen),
            sizeof(uint) => Unsafe.As<int, TKey>(ref number),
            _ => Unsafe.As<ulong, TKey>(ref all),
        };
    }
}
