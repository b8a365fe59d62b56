namespace IoT.Cep;

/// <summary>Gives out what is complete.</summary>
internal sealed partial class SetMatcher<TKey, T>
{
    private readonly Spelling<T> _spelling;
    private readonly Queue<(TKey Key, long Set, long Ticks, long Limit)> _complete = new();
    private bool _isSpelling;

    internal override bool HasFound
    {
        get
        {
            if (!_isSpelling && _complete.TryPeek(out var complete))
            {
                _spelling.Begin(complete.Set, complete.Limit);
                _isSpelling = _spelling.MoveNext();
            }

            return _isSpelling;
        }
    }

    internal override Found<TKey> Next => new(_complete.Peek().Key, _spelling.Start, _spelling.End, _complete.Peek().Ticks, IsTimeout: false);

    internal override Match<T> NextMatch => _spelling.ToMatch();

    internal override PartialMatch<T> NextPartial => _spelling.ToPartial();

    /// <summary>How many partial matches there are: counted along the sets, so it may be a number beyond all bounds.</summary>
    internal override double Open
    {
        get
        {
            var counted = new Dictionary<long, double>();
            double open = 0;
            for (int i = 0; i < _keys.Count; i++)
            {
                ref var sets = ref _keys.Entries[i].State;
                long limit = Math.Max(_expired, sets.Floor);
                counted.Clear();
                for (int j = 0; j < sets.Groups; j++)
                {
                    open += sets[j].LatestStart <= limit ? 0 : Count(sets[j].Set, limit, counted) * sets[j].At.Weight;
                }
            }

            return open;
        }
    }

    internal override void RemoveFound()
    {
        _isSpelling = _spelling.MoveNext();
        if (!_isSpelling)
        {
            _complete.Dequeue();
        }
    }

    /// <summary>Without recursion: sets are as deep as there are events.</summary>
    private double Count(long set, long limit, Dictionary<long, double> counted)
    {
        var open = new Stack<long>();
        open.Push(set);
        while (open.TryPeek(out long at))
        {
            bool isUnion = SharedSets<T>.IsUnion(at);
            long one = isUnion ? _sets.UnionAt(at).Left : _sets.TakingAt(at).Before;
            long other = isUnion && _sets.UnionAt(at).RightLatest > limit ? _sets.UnionAt(at).Right : SharedSets<T>.None;
            bool isReady = true;
            foreach (long part in (ReadOnlySpan<long>)[one, other])
            {
                if (part != SharedSets<T>.None && !counted.ContainsKey(part))
                {
                    open.Push(part);
                    isReady = false;
                }
            }

            if (isReady)
            {
                open.Pop();
                counted[at] = one == SharedSets<T>.None ? 1 : counted[one] + (other == SharedSets<T>.None ? 0 : counted[other]);
            }
        }

        return counted[set];
    }
}
