using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>
/// Gives the same string back for the same UTF-8 bytes, so that a device's name is allocated once. Bounded: when it is
/// full, an older name gives way, so hostile names can't fill memory. For one thread at a time.
/// </summary>
/// <remarks>
/// Four-way set-associative with round-robin replacement: a look-up touches one set. The hash is seeded at random, so that names chosen to
/// collide only push each other out, which costs an allocation and never more.
/// </remarks>
public sealed class StringPool
{
    /// <summary>Longer texts are not pooled; device names and units are shorter.</summary>
    public const int MaxPooledBytes = 128;

    private const int Ways = 4;
    private readonly Entry[] _entries;
    private readonly int _setMask;
    private readonly ulong _seed;
    private byte _victim;

    /// <summary>Makes a pool.</summary>
    /// <param name="capacity">How many strings it keeps at most, rounded up to a power of two; 131,072 by default.</param>
    public StringPool(int capacity = 131_072)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, Ways);
        int sets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity) / Ways;
        _entries = new Entry[sets * Ways];
        _setMask = sets - 1;
        _seed = (ulong)Random.Shared.NextInt64();
    }

    /// <summary>How many look-ups had to allocate a string.</summary>
    public long Misses { get; private set; }

    /// <summary>The string of these bytes.</summary>
    /// <param name="utf8">Valid UTF-8, or it is replaced by U+FFFD where it isn't.</param>
    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length == 0)
        {
            return "";
        }

        if (utf8.Length > MaxPooledBytes)
        {
            Misses++;
            return Encoding.UTF8.GetString(utf8);
        }

        ulong hash = Hash(utf8, _seed);
        var set = _entries.AsSpan(((int)(hash >> 32) & _setMask) * Ways, Ways);
        foreach (ref var entry in set)
        {
            if (entry.Hash == hash && entry.Utf8 is { } known && utf8.SequenceEqual(known))
            {
                return entry.Text!;
            }
        }

        Misses++;
        ref var victim = ref set[_victim++ % Ways];
        foreach (ref var entry in set)
        {
            if (entry.Utf8 is null)
            {
                victim = ref entry;
                break;
            }
        }

        victim = new Entry { Hash = hash, Utf8 = utf8.ToArray(), Text = Encoding.UTF8.GetString(utf8) };
        return victim.Text;
    }

    private static ulong Hash(ReadOnlySpan<byte> bytes, ulong seed)
    {
        ulong hash = seed ^ ((ulong)bytes.Length * 0x9E3779B97F4A7C15);
        while (bytes.Length >= 8)
        {
            hash = (hash ^ System.Runtime.InteropServices.MemoryMarshal.Read<ulong>(bytes)) * 0x9FB21C651E98DF25;
            hash ^= hash >> 32;
            bytes = bytes[8..];
        }

        ulong tail = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            tail |= (ulong)bytes[i] << (8 * i);
        }

        hash = (hash ^ tail) * 0x9FB21C651E98DF25;
        return hash ^ (hash >> 29);
    }

    private struct Entry
    {
        internal ulong Hash;
        internal byte[]? Utf8;
        internal string? Text;
    }
}
