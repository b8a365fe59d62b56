using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The partial matches of all keys: each in its key's list, oldest first, and in one list of all by start, at whose head stands what expires next.
/// </summary>
internal sealed class RunTable<TKey, T>(PartialMatches<T> matches, QueryContext query, int maxKeys, int maxRuns)
    where TKey : notnull
{
    private const int None = -1;

    private readonly KeyedMap<TKey, Runs> _byKey = new(maxKeys);
    private Run[] _runs = new Run[64];
    private int _runCount;
    private int _runFree = None;
    private int _oldest = None;
    private int _newest = None;

    /// <summary>How many keys have partial matches.</summary>
    internal int Keys => _byKey.Count;

    internal bool IsEmpty => _oldest == None;

    internal ref Run At(int index) => ref _runs[index];

    /// <summary>The key's oldest run, or -1.</summary>
    internal int OldestOf(TKey key)
    {
        int index = _byKey.IndexOf(key);
        return index < 0 ? None : _byKey.Entries[index].State.Oldest;
    }

    /// <summary>Makes sure that the key has a place.</summary>
    /// <exception cref="KeyLimitException">There is none left.</exception>
    internal void Reserve(TKey key) => RunsOf(key);

    /// <summary>Forgets the runs that began so long before a time.</summary>
    internal void Expire(long time, long span)
    {
        while (_oldest != None && span != long.MaxValue && time - _runs[_oldest].Start >= span)
        {
            Remove(_oldest);
        }
    }

    internal void Save(StateWriter writer)
    {
        int count = 0;
        for (int run = _oldest; run != None; run = _runs[run].Newer)
        {
            count++;
        }

        writer.Int32(count);
        var (keyCodec, eventCodec) = count == 0 ? default : (StateCodec.Require<TKey>(), StateCodec.Require<T>());
        for (int run = _oldest; run != None; run = _runs[run].Newer)
        {
            keyCodec!.Write(writer, _runs[run].Key);
            var chain = new Stack<int>();
            for (int at = _runs[run].Last; at != None; at = matches.At(at).Previous)
            {
                chain.Push(at);
            }

            writer.Int32(chain.Count);
            foreach (int at in chain)
            {
                writer.Int64(matches.At(at).Ticks);
                eventCodec!.Write(writer, matches.At(at).Event);
            }
        }
    }

    internal void Load(StateReader reader, KeyRange keys)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            var key = StateCodec.Require<TKey>().Read(reader);
            int last = None, length = reader.Int32();
            long start = 0;
            for (int i = 0; i < length; i++)
            {
                long ticks = reader.Int64();
                start = i == 0 ? ticks : start;
                last = matches.Take(StateCodec.Require<T>().Read(reader), ticks, last);
            }

            if (keys.Contains(StableHash.GroupOf(key)))
            {
                Add(key, last, length, start);
            }
            else
            {
                matches.Free(last);
            }
        }

        SortByStart();
    }

    private ref Runs RunsOf(TKey key)
    {
        ref var runs = ref _byKey.GetOrAdd(key, out bool added);
        if (added)
        {
            runs = new Runs { Oldest = None, Newest = None };
        }

        return ref runs;
    }

    internal void Add(TKey key, int last, int length, long start)
    {
        ref var runs = ref RunsOf(key);
        if (runs.Count >= maxRuns)
        {
            Interlocked.Increment(ref query.DiscardedPartialMatches);
            Remove(runs.Oldest);
            runs = ref RunsOf(key);
        }

        int index = RentRun();
        _runs[index] = new Run { Key = key, Last = last, Length = length, Start = start, Next = None, Previous = runs.Newest, Newer = None, Older = _newest };
        runs.Count++;
        Link(ref runs.Oldest, ref runs.Newest, index);
        if (_newest != None)
        {
            _runs[_newest].Newer = index;
        }
        else
        {
            _oldest = index;
        }

        _newest = index;
    }

    private void Link(ref int oldest, ref int newest, int index)
    {
        if (newest != None)
        {
            _runs[newest].Next = index;
        }
        else
        {
            oldest = index;
        }

        newest = index;
    }

    private int RentRun()
    {
        if (_runFree != None)
        {
            int index = _runFree;
            _runFree = _runs[index].Next;
            return index;
        }

        if (_runCount == _runs.Length)
        {
            Array.Resize(ref _runs, _runs.Length * 2);
        }

        return _runCount++;
    }

    internal void Remove(int index)
    {
        var run = _runs[index];
        matches.Free(run.Last);
        ref var runs = ref _byKey.Find(run.Key);
        Unlink(run.Previous, run.Next, ref runs.Oldest, ref runs.Newest, byKey: true);
        Unlink(run.Older, run.Newer, ref _oldest, ref _newest, byKey: false);
        if (--runs.Count == 0)
        {
            _byKey.Remove(run.Key);
        }

        _runs[index] = new Run { Key = default!, Next = _runFree };
        _runFree = index;
    }

    private void Unlink(int before, int behind, ref int first, ref int last, bool byKey)
    {
        if (before == None)
        {
            first = behind;
        }
        else if (byKey)
        {
            _runs[before].Next = behind;
        }
        else
        {
            _runs[before].Newer = behind;
        }

        if (behind == None)
        {
            last = before;
        }
        else if (byKey)
        {
            _runs[behind].Previous = before;
        }
        else
        {
            _runs[behind].Older = before;
        }
    }

    /// <summary>Runs loaded from several shards expire in order of their start.</summary>
    private void SortByStart()
    {
        var order = new List<int>();
        for (int run = _oldest; run != None; run = _runs[run].Newer)
        {
            order.Add(run);
        }

        (_oldest, _newest) = (None, None);
        foreach (int index in order.OrderBy(i => _runs[i].Start))
        {
            (_runs[index].Older, _runs[index].Newer) = (_newest, None);
            if (_newest == None)
            {
                _oldest = index;
            }
            else
            {
                _runs[_newest].Newer = index;
            }

            _newest = index;
        }
    }

    /// <summary>A partial match, in its key's list and in the list of all by start.</summary>
    internal struct Run
    {
        internal TKey Key;
        internal int Last;
        internal int Length;
        internal long Start;
        internal int Next;
        internal int Previous;
        internal int Newer;
        internal int Older;
    }

    private struct Runs
    {
        internal int Oldest;
        internal int Newest;
        internal int Count;
    }
}
