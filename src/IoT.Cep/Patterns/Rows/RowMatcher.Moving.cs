namespace IoT.Cep;

/// <summary>Moves starts as was decided, and gives out what is found.</summary>
internal sealed partial class RowMatcher<TKey, T>
{
    internal override void Apply(TKey key, in T value, long ticks, long position)
    {
        try
        {
            Move(key, in value, ticks, position);
        }
        finally
        {
            Forget();
        }
    }

    internal override void Expire(long time)
    {
        while (_span != long.MaxValue && _starts.Oldest is var index and not None && DueOf(index) is var due && due <= time)
        {
            var key = _starts.At(index).Key;
            if (_report == RowReport.AtOnce)
            {
                _starts.Remove(index);
            }
            else
            {
                _starts.ClearPaths(index);
                Release(key, due);
            }

            Tidy(key);
        }
    }

    private long DueOf(int index) => Extensibility.Ticks.Plus(_starts.At(index).Ticks, _span);

    /// <summary>No row comes any more: what is preferred so far is preferred for good. An interval's end is not reached.</summary>
    internal override void Finish(long time)
    {
        while (_report == RowReport.WhenDecided && _starts.Oldest is var index and not None)
        {
            var key = _starts.At(index).Key;
            long end = Math.Max(time, _starts.Of(key).Ticks);
            while (_starts.OldestOf(key) is var oldest and not None)
            {
                _starts.ClearPaths(oldest);
                Release(key, end);
            }

            Tidy(key);
        }
    }

    private void Move(TKey key, in T value, long ticks, long position)
    {
        if (_decisions.Count == 0 && _pattern.RowsBefore == 0)
        {
            return;
        }

        // The key's place comes first: where there is none left, no row stays behind.
        long row = _starts.Of(key).Rows;
        foreach (int chain in _added)
        {
            _chains.At(chain).Position = position;
        }

        foreach (var decision in _decisions)
        {
            bool isAlive = decision.Count > 0 || decision.Best != None;
            int index = decision.Start != None ? decision.Start : isAlive ? _starts.Add(key, ticks, position, row) : None;
            if (index != None)
            {
                Replace(index, in decision);
            }
        }

        GiveEnded(key, ticks, position);
        if (_report == RowReport.WhenDecided)
        {
            Release(key, ticks);
        }

        Remember(key, in value, ticks);
        Limit(key);
        Tidy(key);
    }

    private void Replace(int index, in Decision decision)
    {
        _starts.ClearPaths(index);
        for (int i = decision.From; i < decision.From + decision.Count; i++)
        {
            _starts.AddPath(index, _outcomes[i].State, _outcomes[i].Last);
        }

        if (decision.Best != None)
        {
            _starts.SetBest(index, decision.Best);
        }

        if (_starts.At(index) is { Path: None, Best: None })
        {
            _starts.Remove(index);
        }
    }

    /// <summary>Matches that end with this row. Each is given, also where another one moves on where the next may begin.</summary>
    private void GiveEnded(TKey key, long ticks, long position)
    {
        long resume = -1;
        foreach (var (last, start) in _ended)
        {
            _chains.Hold(last);
            var error = Resume(last, Math.Min(start, position), ref resume);
            Find(key, last, ticks, error);
        }

        DropBefore(key, resume);
    }

    /// <summary>Gives the matches of those starts that are decided, up to the first one that is not.</summary>
    private void Release(TKey key, long time)
    {
        while (_starts.OldestOf(key) is var index and not None && _starts.At(index) is { Path: None } start)
        {
            if (start.Best == None)
            {
                _starts.Remove(index);
                continue;
            }

            if (_report == RowReport.AfterInterval && DueOf(index) > time)
            {
                return;
            }

            _chains.Hold(start.Best);
            long resume = start.Position + 1;
            var error = Resume(start.Best, start.Position, ref resume);
            Find(key, start.Best, time, error);
            DropBefore(key, resume);
        }
    }

    private void Find(TKey key, int last, long ticks, Exception? error) => _found.Enqueue(
        (new Found<TKey>(key, _chains.At(_chains.FirstOf(last)).Ticks, _chains.At(last).Ticks, ticks, IsTimeout: false, error), last));

    /// <summary>Moves on where the next match may begin, or says why that can't be told.</summary>
    private AfterMatchException? Resume(int last, long start, ref long resume)
    {
        var after = _pattern.After;
        long to = after.Kind switch
        {
            AfterKind.NoSkip => -1,
            AfterKind.ToNext => start + 1,
            AfterKind.PastLastEvent => _chains.At(last).Position + 1,
            _ => TargetOf(last),
        };
        if (after.IsStrict && (to < 0 || to == start))
        {
            resume = Math.Max(resume, start + 1);
            return new AfterMatchException(to < 0
                ? $"A match of '{_pattern}' can't be skipped from: the variable '{after.Target}' has no row."
                : $"A match of '{_pattern}' can't be skipped from: the variable '{after.Target}' has its first row, where the match began.");
        }

        resume = Math.Max(resume, to);
        return null;
    }

    private long TargetOf(int last)
    {
        long found = -1;
        for (int at = last; at != None; at = _chains.At(at).Previous)
        {
            if (Shape.HandleOf(_chains.At(at).Label) == _pattern.After.Target)
            {
                found = _chains.At(at).Position;
                if (_pattern.After.Kind == AfterKind.ToLast)
                {
                    break;
                }
            }
        }

        return found;
    }

    private void DropBefore(TKey key, long position)
    {
        while (_starts.OldestOf(key) is var index and not None && _starts.At(index).Position < position)
        {
            _starts.Remove(index);
        }
    }

    private void Remember(TKey key, in T value, long ticks)
    {
        ref var rows = ref _starts.Of(key);
        if (_pattern.RowsBefore > 0)
        {
            rows.Ring ??= new T[_pattern.RowsBefore];
            rows.Ring[rows.Rows % rows.Ring.Length] = value;
        }

        rows.Rows++;
        rows.Ticks = ticks;
    }

    /// <summary>A key whose starts have more rows, or more paths, than they may loses the oldest or the newest of them.</summary>
    private void Limit(TKey key)
    {
        while (_starts.Of(key) is var rows && ((rows.Count * rows.Rows) - rows.Begun > _limits.MaxPerKey || rows.Paths > _limits.MaxPerKey))
        {
            Interlocked.Increment(ref _limits.Query.DiscardedPartialMatches);
            _starts.Remove(_limits.WhenFull == WhenMatchesFull.DropNewest ? rows.Newest : rows.Oldest);
        }
    }

    /// <summary>Forgets a key with which no match can begin any more.</summary>
    private void Tidy(TKey key)
    {
        int place = _starts.Keys.IndexOf(key);
        if (place >= 0 && _starts.Keys.Entries[place].State.Count == 0 && _pattern.RowsBefore == 0)
        {
            _starts.Keys.Remove(key);
        }
    }
}
