using System.Numerics;

namespace IoT.Cep;

/// <content>How keys are found: by their places, or by their hashes.</content>
internal sealed partial class KeyIndex<TKey>
{
    /// <summary>How many places a dense key may cost: fewer bytes than its slots do at their emptiest.</summary>
    private const int MaxPlacesPerKey = 4;

    /// <summary>So many places are given whatever the number of keys: a share of the first cache.</summary>
    private const int FreePlaces = 4_096;

    // Direct: a number and one by key; 0 where there is none.
    private int[]? _places;

    // Hashed: slots by hash. Empty where keys say their places.
    private Slot[] _slots = [];
    private int _shift;
    private int _used;

    /// <summary>
    /// Keys that came in any order may turn out dense. Asked where the slots are full: so an index that goes to and fro has twice as many keys each
    /// time.
    /// </summary>
    private void GrowSlots(ulong newKey)
    {
        bool isFull = Live * 2L >= _slots.Length;
        if (isFull && WholeNumber.Is<TKey>() && TryPlace(Math.Max(newKey, HighestKey()), Live + 1))
        {
            return;
        }

        Index(isFull ? _slots.Length * 2 : _slots.Length);
    }

    /// <summary>Makes sure that a key has a place. False where it is too far off for so few keys.</summary>
    private bool TryReach(ulong key, int keys)
    {
        if (key < (ulong)_places!.Length)
        {
            return true;
        }

        long limit = Math.Min(Math.Max(FreePlaces, (long)MaxPlacesPerKey * keys), Array.MaxLength);
        if (key >= (ulong)limit)
        {
            return false;
        }

        Array.Resize(ref _places, (int)Math.Max(Math.Max((long)key + 1, InitialSlots), Math.Min(_places.Length * 2L, limit)));
        return true;
    }

    /// <summary>Finds all keys anew, in whatever form suits those that are left.</summary>
    private void IndexAnew()
    {
        if (WholeNumber.Is<TKey>())
        {
            if (_places?.Length <= Math.Max(KeptEntries, (long)MaxPlacesPerKey * _entries.Length))
            {
                Array.Clear(_places);
                TakeAll();
                return;
            }

            if (TryPlace(HighestKey(), Live))
            {
                return;
            }
        }

        Index(SlotsFor(_entries.Length / 2));
    }

    /// <summary>Gives keys places, if the highest one is not too far off for so few.</summary>
    private bool TryPlace(ulong highest, int keys)
    {
        _places = [];
        if (!TryReach(highest, keys))
        {
            _places = null;
            return false;
        }

        _slots = [];
        TakeAll();
        return true;
    }

    private ulong HighestKey()
    {
        ulong highest = 0;
        for (int i = 0; i < Count; i++)
        {
            highest = Math.Max(highest, _entries[i].IsLive ? WholeNumber.Of(_entries[i].Key) : 0);
        }

        return highest;
    }

    /// <summary>At twice as many keys, four fifths of the slots are not yet taken.</summary>
    private static int SlotsFor(int keys) => Math.Max(InitialSlots, (int)BitOperations.RoundUpToPowerOf2((uint)(keys * 2.5)));

    private void Index(int slots)
    {
        if (_slots.Length == slots)
        {
            Array.Clear(_slots);
        }
        else
        {
            _slots = new Slot[slots];
        }

        _shift = 64 - BitOperations.Log2((uint)slots);
        _used = 0;
        TakeAll();
    }

    private void TakeAll()
    {
        for (int i = 0; i < Count; i++)
        {
            if (_entries[i].IsLive)
            {
                Take(in _entries[i], i);
            }
        }
    }

    private uint SlotOf(uint hash) => (uint)(hash * Golden >> _shift);

    private void Take(in Entry entry, int number)
    {
        if (_places is not null)
        {
            _places[WholeNumber.Of(entry.Key)] = number + 1;
            return;
        }

        uint slot = SlotOf(entry.Hash);
        while (_slots[slot].Number != 0)
        {
            slot = (slot + 1) & (uint)(_slots.Length - 1);
        }

        _slots[slot] = new Slot(entry.Hash, number + 1);
        _used++;
    }
}
