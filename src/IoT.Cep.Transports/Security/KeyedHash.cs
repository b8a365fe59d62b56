using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace IoT.Cep;

/// <summary>
/// A 64-bit hash under keys of this process (the multiply-and-fold of wyhash): who does not know the keys can't make texts that collide, and among
/// 10,000 texts two collide by accident once in 10^11 processes.
/// </summary>
internal static class KeyedHash
{
    private static readonly ulong _first = Random(), _second = Random();

    internal static ulong Of(ReadOnlySpan<char> text)
    {
        var words = MemoryMarshal.Cast<char, ulong>(text);
        ulong hash = _first ^ (ulong)text.Length;
        foreach (ulong word in words)
        {
            hash = Fold(hash ^ word, _second);
        }

        ulong rest = 0;
        foreach (char c in text[(words.Length * 4)..])
        {
            rest = (rest << 16) | c;
        }

        return Fold(Fold(hash ^ rest, _second), _first ^ hash);
    }

    private static ulong Fold(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left, right, out ulong low);
        return high ^ low;
    }

    // Odd, so that no multiplication loses a bit.
    private static ulong Random() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;
}
