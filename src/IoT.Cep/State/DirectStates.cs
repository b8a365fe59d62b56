using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// States of keys that are whole numbers, each in the place its key says: no hash, no probe, no key beside it. Worth its memory while the keys
/// are dense.
/// </summary>
internal sealed class DirectStates<TState>
{
    /// <summary>How many places a key may cost: as many as the hashed form has at its emptiest.</summary>
    internal const int MaxPlacesPerKey = 4;

    // So much is given whatever the number of keys: a share of the first cache, and about what a hashed table begins with.
    private const int FreeBytes = 32 * 1024;
    private const int FirstPlaces = 64;

    private TState[] _states = [];
    private ulong[] _taken = [];

    // The most keys there were at a time: a table that was emptied for the next window will fill again.
    private int _mostKeys;

    internal int Length => _states.Length;

    /// <summary>All places, for a loop over a batch; stale once a place was taken.</summary>
    internal TState[] States => _states;

    internal ref TState this[int place] => ref _states[place];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsTaken(ulong place) => place < (ulong)_states.Length && (_taken[place >> 6] >> (int)(place & 63) & 1) != 0;

    /// <summary>Takes a place that is not taken. False where it is too far off for so few keys.</summary>
    internal bool TryTake(ulong place, int keys)
    {
        if (!TryReach(place, keys))
        {
            return false;
        }

        _taken[place >> 6] |= 1UL << (int)(place & 63);
        return true;
    }

    /// <summary>Makes sure that there is such a place. False where it is too far off for so few keys.</summary>
    internal bool TryReach(ulong place, int keys)
    {
        _mostKeys = Math.Max(_mostKeys, keys);
        return place < (ulong)_states.Length || TryGrow(place);
    }

    /// <summary>Empties these places.</summary>
    internal void Clear(ReadOnlySpan<int> places)
    {
        // In order of place where most are taken: memory likes that better than the order in which keys came.
        if (places.Length >= _states.Length / 8)
        {
            Array.Clear(_states);
        }
        else
        {
            foreach (int place in places)
            {
                _states[place] = default!;
            }
        }

        Array.Clear(_taken);
    }

    private bool TryGrow(ulong place)
    {
        long limit = Math.Max(FreeBytes / Unsafe.SizeOf<TState>(), (long)MaxPlacesPerKey * _mostKeys);
        if (place >= (ulong)Math.Min(limit, Array.MaxLength))
        {
            return false;
        }

        long length = Math.Max(Math.Max((long)place + 1, FirstPlaces), Math.Min(_states.Length * 2L, limit));
        Array.Resize(ref _states, (int)Math.Min(length, Array.MaxLength));
        Array.Resize(ref _taken, (int)((_states.Length + 63L) / 64));
        return true;
    }
}
