using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Matches sequences by runs: one small entry for each partial match. Conditions on the event alone are asked first, once for each event, so
/// an event that no step could take costs no look-up.
/// </summary>
internal sealed class MatchOperator<TKey, T> : OrderedOperator<T, Match<T>>
    where TKey : notnull
{
    private const int None = -1;

    private readonly StepNode<T>[] _steps;
    private readonly Func<T, TKey> _keyOf;
    private readonly ulong _dependent;
    private readonly long _span;
    private readonly int _maxRuns;
    private readonly KeyRange _keys;
    private readonly bool _identity;
    private readonly OrderedOutput<Match<T>> _output;
    private readonly List<int> _moving = [];
    private ulong[] _takes = [];
    private int[] _candidates = [];
    private bool _asking;

    // State that checkpoints save: each key's runs, oldest first.
    private readonly KeyedMap<TKey, Runs> _byKey;
    private readonly PartialMatches<T> _matches;
    private Run[] _runs = new Run[64];
    private int _runCount;
    private int _runFree = None;
    private int _oldest = None;
    private int _newest = None;
    private readonly List<(TKey Key, long Start)> _foundAtLastEnd = [];
    private long _lastEnd = long.MinValue;

    internal MatchOperator(Operator<Match<T>> next, QueryContext query, MatchNode<TKey, T> node, KeyRange keys, bool identity)
        : base(next, query, node.Input.IsOrdered)
    {
        _steps = node.Pattern.Steps;
        _keyOf = node.Key.Select;
        _dependent = _steps.Select((s, i) => s.Dependent is null ? 0 : 1UL << i).Aggregate(0UL, (all, one) => all | one);
        _span = node.Pattern.Span?.Ticks ?? long.MaxValue;
        _maxRuns = node.MaxPartialMatches;
        _keys = keys;
        _identity = identity;
        _output = new OrderedOutput<Match<T>>(next);
        _byKey = new KeyedMap<TKey, Runs>(node.Key.MaxKeys);
        _matches = new PartialMatches<T>([.. _steps.Select(s => s.Handle)]);
    }

    /// <summary>How many keys have partial matches, and how many events these hold.</summary>
    internal (int Keys, int Events) Held => (_byKey.Count, _matches.Count);

    /// <summary>While conditions on the event alone are asked, nothing of the batch has been applied.</summary>
    protected override bool IsAtomic => _asking;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        int count = AskSimple(batch.Events);
        for (int candidate = 0; candidate < count; candidate++)
        {
            int i = _candidates[candidate];
            Position = i;
            Take(in batch.Events[i], batch.Ticks[i], _takes[i] | _dependent);
        }
    }

    /// <summary>
    /// Asks each condition on the event alone over the whole batch, without a branch, and gives the events that some step could take: most events
    /// cost no look-up.
    /// </summary>
    private int AskSimple(ReadOnlySpan<T> events)
    {
        Pooled.Ensure(ref _takes, events.Length);
        Pooled.Ensure(ref _candidates, events.Length);
        var takes = _takes.AsSpan(0, events.Length);
        var candidates = _candidates.AsSpan(0, events.Length);
        takes.Clear();
        _asking = true;
        for (int step = 0; step < _steps.Length; step++)
        {
            if (_steps[step].Simple is { } simple)
            {
                for (int i = 0; i < takes.Length; i++)
                {
                    takes[i] |= (simple(events[i]) ? 1UL : 0) << step;
                }
            }
        }

        _asking = false;
        int count = 0;
        for (int i = 0; i < takes.Length; i++)
        {
            candidates[count] = i;
            count += (takes[i] | _dependent) != 0 ? 1 : 0;
        }

        return count;
    }

    protected override void OnTime(long watermark)
    {
        Expire(watermark);
        _output.Flush();
    }

    protected override void OnEnd() => _output.Flush();

    protected override bool OwnsOnLoad(T value) => _keys.Owns(_keyOf, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        int count = 0;
        for (int run = _oldest; run != None; run = _runs[run].Newer)
        {
            count++;
        }

        SaveFound(writer);
        _output.Save(writer, static (w, match) => match.Save(w), static (w, key) => StateCodec.Require<TKey>().Write(w, (TKey)key!));
        writer.Int32(count);
        if (count == 0)
        {
            return;
        }

        var (keyCodec, eventCodec) = (StateCodec.Require<TKey>(), StateCodec.Require<T>());
        for (int run = _oldest; run != None; run = _runs[run].Newer)
        {
            keyCodec.Write(writer, _runs[run].Key);
            var chain = new Stack<int>();
            for (int at = _runs[run].Last; at != None; at = _matches.At(at).Previous)
            {
                chain.Push(at);
            }

            writer.Int32(chain.Count);
            foreach (int at in chain)
            {
                writer.Int64(_matches.At(at).Ticks);
                eventCodec.Write(writer, _matches.At(at).Event);
            }
        }
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        LoadFound(reader);
        _output.Load(reader, _keys, r => Match<T>.Load(r, _matches.Steps), static r => StateCodec.Require<TKey>().Read(r));
        int count = reader.Int32();
        for (; count > 0; count--)
        {
            var key = StateCodec.Require<TKey>().Read(reader);
            int last = None, length = reader.Int32();
            for (int i = 0; i < length; i++)
            {
                long ticks = reader.Int64();
                last = _matches.Take(StateCodec.Require<T>().Read(reader), ticks, last);
            }

            if (_keys.Contains(StableHash.GroupOf(key)))
            {
                AddRun(key, last, length, StartOf(last));
            }
            else
            {
                _matches.Free(last);
            }
        }

        SortByStart();
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
        Pooled.Return(ref _takes, 0);
        Pooled.Return(ref _candidates, 0);
    }

    private void SaveFound(StateWriter writer)
    {
        writer.Int64(_lastEnd);
        writer.Int32(_foundAtLastEnd.Count);
        foreach (var (key, start) in _foundAtLastEnd)
        {
            StateCodec.Require<TKey>().Write(writer, key);
            writer.Int64(start);
        }
    }

    private void LoadFound(StateReader reader)
    {
        // Shards may have found their last matches at different times: only those of the latest can have another beside them.
        long lastEnd = reader.Int64();
        if (lastEnd > _lastEnd)
        {
            _lastEnd = lastEnd;
            _foundAtLastEnd.Clear();
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var found = (StateCodec.Require<TKey>().Read(reader), reader.Int64());
            if (lastEnd == _lastEnd)
            {
                _foundAtLastEnd.Add(found);
            }
        }
    }

    private void Take(in T value, long ticks, ulong takes)
    {
        Expire(ticks);
        bool begins = (takes & 1) != 0;
        if (!begins && _oldest == None)
        {
            return;
        }

        var key = _keyOf(value);

        // An event that can only begin a match moves none, and needs no look-up here.
        int index = (takes & ~1UL) == 0 ? None : _byKey.IndexOf(key);
        if (index >= 0 && _byKey.Entries[index].State.Oldest != None)
        {
            Decide(in value, _byKey.Entries[index].State.Oldest, takes);
            Advance(in value, ticks, key);
        }

        if (begins)
        {
            if (_steps.Length == 1)
            {
                Emit(key, _matches.Take(value, ticks, None));
            }
            else
            {
                // The key's place comes first: where there is none left, no event stays behind.
                RunsOf(key);
                AddRun(key, _matches.Take(value, ticks, None), 1, ticks);
            }
        }
    }

    /// <summary>Asks the conditions of all the key's runs before any of them moves: user code runs before state is touched.</summary>
    private void Decide(in T value, int run, ulong takes)
    {
        _moving.Clear();
        for (; run != None; run = _runs[run].Next)
        {
            int step = _runs[run].Length;
            if ((takes >> step & 1) != 0 && (_steps[step].Dependent is not { } dependent || dependent(value, new PartialMatch<T>(_matches, _runs[run].Last))))
            {
                _moving.Add(run);
            }
        }
    }

    private void Advance(in T value, long ticks, TKey key)
    {
        foreach (int index in _moving)
        {
            ref var run = ref _runs[index];
            run.Last = _matches.Take(value, ticks, run.Last);
            if (++run.Length == _steps.Length)
            {
                Emit(key, run.Last);
                run.Last = None;
                RemoveRun(index);
            }
        }
    }

    private void Emit(TKey key, int last)
    {
        var match = _matches.Finish(last);
        byte group = (byte)StableHash.GroupOf(key);
        if (_identity)
        {
            _output.Add(match, match.EndTicks, group, new ResultId(key, match.StartTicks, match.EndTicks, OrdinalOf(key, match)), EventKind.Insert);
        }
        else
        {
            _output.Add(match, match.EndTicks, group);
        }
    }

    /// <summary>Matches of one key with the same first and last time are numbered in the order in which they are found.</summary>
    private int OrdinalOf(TKey key, Match<T> match)
    {
        if (match.EndTicks != _lastEnd)
        {
            _lastEnd = match.EndTicks;
            _foundAtLastEnd.Clear();
        }

        int ordinal = _foundAtLastEnd.Count(found => found.Start == match.StartTicks && EqualityComparer<TKey>.Default.Equals(found.Key, key));
        _foundAtLastEnd.Add((key, match.StartTicks));
        return ordinal;
    }

    private void Expire(long time)
    {
        while (_oldest != None && _span != long.MaxValue && time - _runs[_oldest].Start >= _span)
        {
            RemoveRun(_oldest);
        }
    }

    private long StartOf(int last)
    {
        long start = 0;
        for (int at = last; at != None; at = _matches.At(at).Previous)
        {
            start = _matches.At(at).Ticks;
        }

        return start;
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

    private void AddRun(TKey key, int last, int length, long start)
    {
        ref var runs = ref RunsOf(key);
        if (runs.Count >= _maxRuns)
        {
            Query.DiscardedPartialMatches++;
            RemoveRun(runs.Oldest);
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

    private void RemoveRun(int index)
    {
        var run = _runs[index];
        _matches.Free(run.Last);
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
    private struct Run
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
