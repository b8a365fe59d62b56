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
    private readonly KeyRange _keys;
    private readonly bool _identity;
    private readonly OrderedOutput<Match<T>> _output;
    private readonly List<int> _moving = [];
    private ulong[] _takes = [];
    private int[] _candidates = [];
    private bool _asking;

    // State that checkpoints save: each key's runs, oldest first.
    private readonly PartialMatches<T> _matches;
    private readonly RunTable<TKey, T> _runs;
    private readonly List<(TKey Key, long Start)> _foundAtLastEnd = [];
    private long _lastEnd = long.MinValue;

    internal MatchOperator(Operator<Match<T>> next, QueryContext query, MatchNode<TKey, T> node, KeyRange keys, bool identity)
        : base(next, query, node.Input.IsOrdered)
    {
        _steps = node.Pattern.Steps;
        _keyOf = node.Key.Select;
        _dependent = _steps.Select((s, i) => s.Dependent is null ? 0 : 1UL << i).Aggregate(0UL, (all, one) => all | one);
        _span = node.Pattern.Span?.Ticks ?? long.MaxValue;
        _keys = keys;
        _identity = identity;
        _output = new OrderedOutput<Match<T>>(next);
        _matches = new PartialMatches<T>([.. _steps.Select(s => s.Handle)]);
        _runs = new RunTable<TKey, T>(_matches, query, node.Key.MaxKeys, node.MaxPartialMatches);
    }

    /// <summary>How many keys have partial matches, and how many events these hold.</summary>
    internal (int Keys, int Events) Held => (_runs.Keys, _matches.Count);

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
        _runs.Expire(watermark, _span);
        _output.Flush();
    }

    protected override void OnEnd() => _output.Flush();

    protected override bool OwnsOnLoad(T value) => _keys.Owns(_keyOf, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        SaveFound(writer);
        _output.Save(writer, static (w, match) => match.Save(w), static (w, key) => StateCodec.Require<TKey>().Write(w, (TKey)key!));
        _runs.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        LoadFound(reader);
        _output.Load(reader, _keys, r => Match<T>.Load(r, _matches.Steps), static r => StateCodec.Require<TKey>().Read(r));
        _runs.Load(reader, _keys);
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
        _runs.Expire(ticks, _span);
        bool begins = (takes & 1) != 0;
        if (!begins && _runs.IsEmpty)
        {
            return;
        }

        var key = _keyOf(value);

        // An event that can only begin a match moves none, and needs no look-up here.
        int oldest = (takes & ~1UL) == 0 ? None : _runs.OldestOf(key);
        if (oldest != None)
        {
            Decide(in value, oldest, takes);
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
                _runs.Reserve(key);
                _runs.Add(key, _matches.Take(value, ticks, None), 1, ticks);
            }
        }
    }

    /// <summary>Asks the conditions of all the key's runs before any of them moves: user code runs before state is touched.</summary>
    private void Decide(in T value, int run, ulong takes)
    {
        _moving.Clear();
        for (; run != None; run = _runs.At(run).Next)
        {
            int step = _runs.At(run).Length;
            if ((takes >> step & 1) != 0 && (_steps[step].Dependent is not { } dependent || dependent(value, new PartialMatch<T>(_matches, _runs.At(run).Last))))
            {
                _moving.Add(run);
            }
        }
    }

    private void Advance(in T value, long ticks, TKey key)
    {
        foreach (int index in _moving)
        {
            ref var run = ref _runs.At(index);
            run.Last = _matches.Take(value, ticks, run.Last);
            if (++run.Length == _steps.Length)
            {
                Emit(key, run.Last);
                run.Last = None;
                _runs.Remove(index);
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
}
