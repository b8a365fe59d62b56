using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A frequent value.</summary>
/// <typeparam name="T">The value's type.</typeparam>
/// <param name="Value">The value.</param>
/// <param name="Count">How often it occurred at most; exactly so often where <paramref name="Error"/> is 0.</param>
/// <param name="Error">It occurred at least <c>Count - Error</c> times.</param>
public readonly record struct HeavyHitter<T>(T Value, long Count, long Error);

/// <summary>
/// The most frequent values with a bounded number of counters: Space-Saving (A. Metwally, D. Agrawal and A. El Abbadi, "Efficient computation of frequent
/// and top-k elements in data streams", ICDT 2005). Of n values, a count is at most n / counters too high and never too low, and every value that occurs
/// more often than that has a counter. Up to as many different values as counters it is exact. Merging keeps the bound (M. Cafaro, M. Pulimeno and
/// P. Tempesta, "A parallel space saving algorithm for frequent items and the Hurwitz zeta distribution", Information Sciences 329, 2016).
/// </summary>
/// <remarks>Counters stand in a heap with the least at the root, whose value is the one that gives way to a new one.</remarks>
internal record struct HeavyHitters<T>(int Counters) : IAccumulator<T, HeavyHitters<T>>, ISaveable
    where T : notnull
{
    private Dictionary<T, int>? _slots;
    private HeavyHitter<T>[]? _entries;
    private int[]? _heap;
    private int[]? _places;
    private int _count;

    public void Add(in T value)
    {
        _slots ??= [];
        if (_slots.TryGetValue(value, out int slot))
        {
            _entries![slot] = _entries[slot] with { Count = _entries[slot].Count + 1 };
            SiftDown(_places![slot]);
        }
        else if (_count < Counters)
        {
            Append(new HeavyHitter<T>(value, 1, 0));
            SiftUp(_count - 1);
        }
        else
        {
            slot = _heap![0];
            long least = _entries![slot].Count;
            _slots.Remove(_entries[slot].Value);
            _slots[value] = slot;
            _entries[slot] = new HeavyHitter<T>(value, least + 1, least);
            SiftDown(0);
        }
    }

    public void Merge(in HeavyHitters<T> other)
    {
        if (other._count == 0)
        {
            return;
        }

        // A value that one side does not count may have occurred there as often as its least counter says.
        long ourLeast = Least, theirLeast = other.Least;
        var merged = new List<HeavyHitter<T>>(_count + other._count);
        for (int i = 0; i < _count; i++)
        {
            var ours = _entries![_heap![i]];
            merged.Add(other._slots!.TryGetValue(ours.Value, out int slot)
                ? new HeavyHitter<T>(ours.Value, ours.Count + other._entries![slot].Count, ours.Error + other._entries[slot].Error)
                : new HeavyHitter<T>(ours.Value, ours.Count + theirLeast, ours.Error + theirLeast));
        }

        for (int i = 0; i < other._count; i++)
        {
            var theirs = other._entries![other._heap![i]];
            if (_slots?.ContainsKey(theirs.Value) != true)
            {
                merged.Add(new HeavyHitter<T>(theirs.Value, theirs.Count + ourLeast, theirs.Error + ourLeast));
            }
        }

        merged.Sort(static (a, b) => Order(b, a));
        TryClear();

        // In ascending order they are a heap already.
        foreach (var entry in merged.Skip(merged.Count - Counters))
        {
            Append(entry);
        }
    }

    public bool TryClear()
    {
        _slots?.Clear();
        _entries.AsSpan(0, _count).Clear();
        _count = 0;
        return true;
    }

    /// <summary>The most frequent ones, the most frequent first.</summary>
    internal readonly HeavyHitter<T>[] Top(int count)
    {
        var top = _entries.AsSpan(0, _count).ToArray();
        Array.Sort(top, static (a, b) => Order(a, b));
        return top.Length <= count ? top : top[..count];
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Int32(Counters);
        writer.Int32(_count);
        for (int i = 0; i < _count; i++)
        {
            // In the order of the heap, so that the same values give way as if it had not been saved.
            var entry = _entries![_heap![i]];
            StateCodec.Require<T>().Write(writer, entry.Value);
            writer.Int64(entry.Count);
            writer.Int64(entry.Error);
        }
    }

    public void Load(StateReader reader)
    {
        this = new HeavyHitters<T>(reader.Int32());
        int count = reader.Int32();
        SavedArrays.Require(count >= 0 && count <= Counters);
        for (; count > 0; count--)
        {
            Append(new HeavyHitter<T>(StateCodec.Require<T>().Read(reader), reader.Int64(), reader.Int64()));
        }
    }

    private readonly long Least => _count < Counters ? 0 : _entries![_heap![0]].Count;

    /// <summary>The most frequent first; of equal ones the surer, then by value, so that a result does not depend on the order of arrival.</summary>
    private static int Order(in HeavyHitter<T> a, in HeavyHitter<T> b)
    {
        int order = b.Count.CompareTo(a.Count);
        order = order != 0 ? order : a.Error.CompareTo(b.Error);
        return order != 0 ? order : a.Value is IComparable<T> or IComparable
            ? ValueOrder.Compare(a.Value, b.Value)
            : ValueHash.Of(a.Value).CompareTo(ValueHash.Of(b.Value));
    }

    private void Append(in HeavyHitter<T> entry)
    {
        if (_entries is null || _count == _entries.Length)
        {
            int length = Math.Min(Counters, Math.Max(8, _count * 2));
            Array.Resize(ref _entries, length);
            Array.Resize(ref _heap, length);
            Array.Resize(ref _places, length);
        }

        (_slots ??= [])[entry.Value] = _count;
        _entries[_count] = entry;
        _heap![_count] = _places![_count] = _count;
        _count++;
    }

    private readonly void SiftUp(int place)
    {
        for (; place > 0 && CountAt(place) < CountAt((place - 1) / 2); place = (place - 1) / 2)
        {
            Swap(place, (place - 1) / 2);
        }
    }

    private readonly void SiftDown(int place)
    {
        while (true)
        {
            int child = (2 * place) + 1;
            if (child >= _count)
            {
                return;
            }

            child += child + 1 < _count && CountAt(child + 1) < CountAt(child) ? 1 : 0;
            if (CountAt(place) <= CountAt(child))
            {
                return;
            }

            Swap(place, child);
            place = child;
        }
    }

    private readonly long CountAt(int place) => _entries![_heap![place]].Count;

    private readonly void Swap(int a, int b)
    {
        (_heap![a], _heap[b]) = (_heap[b], _heap[a]);
        _places![_heap[a]] = a;
        _places[_heap[b]] = b;
    }
}
