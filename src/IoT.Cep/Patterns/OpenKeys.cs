using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Of each key, which of several patterns may have something open for it: an event that begins nothing is shown to those alone. A pattern that has nothing open any
/// more may still be noted, until it was asked in vain.
/// </summary>
internal sealed class OpenKeys<TKey, T>(Matcher<TKey, T>[] matchers)
    where TKey : notnull
{
    private readonly int _words = (matchers.Length + 63) / 64;
    private readonly PlacedMap<TKey, byte> _keys = new(int.MaxValue);

    // For each place as many words as the patterns need.
    private ulong[] _open = [];

    internal long Bytes => _keys.Bytes + ((long)_open.Length * sizeof(ulong));

    /// <summary>The key's place, or -1.</summary>
    internal int Find(TKey key) => _keys.Find(key);

    /// <summary>Which of the patterns of a word may have something open.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong At(int place, int word) => place < 0 ? 0 : _open[(place * _words) + word];

    /// <summary>Notes whether a pattern has something open.</summary>
    /// <returns>The key's place, or -1.</returns>
    internal int Note(int place, TKey key, int matcher, bool isOpen)
    {
        if (place < 0)
        {
            if (!isOpen)
            {
                return place;
            }

            place = Add(key);
        }

        ref ulong word = ref _open[(place * _words) + (matcher >> 6)];
        ulong bit = 1UL << (matcher & 63);
        word = isOpen ? word | bit : word & ~bit;
        return place;
    }

    /// <summary>Notes anew what all patterns have open.</summary>
    internal void NoteAll()
    {
        for (int i = 0; i < matchers.Length; i++)
        {
            int matcher = i;
            matchers[i].VisitKeys(key => Note(_keys.Find(key), key, matcher, isOpen: true));
        }
    }

    private int Add(TKey key)
    {
        if (!_keys.HasPlace)
        {
            Sweep();
            if (_keys.Count * 2 > _keys.Places)
            {
                _keys.Grow();
            }
        }

        int place = _keys.Add(key);
        if (_open.Length < _keys.Places * _words)
        {
            Array.Resize(ref _open, _keys.Places * _words * 2);
        }

        _open.AsSpan(place * _words, _words).Clear();
        return place;
    }

    /// <summary>Forgets keys of which no pattern has anything open: where there would have to be more places.</summary>
    private void Sweep()
    {
        for (int place = 0; place < _keys.Places; place++)
        {
            if (!_keys.At(place).IsLive)
            {
                continue;
            }

            bool isOpen = false;
            for (int i = 0; i < matchers.Length; i++)
            {
                if ((_open[(place * _words) + (i >> 6)] >> (i & 63) & 1) != 0)
                {
                    isOpen |= matchers[i].IsOpen(_keys.At(place).Key);
                }
            }

            if (!isOpen)
            {
                _keys.Remove(place);
            }
        }
    }
}
