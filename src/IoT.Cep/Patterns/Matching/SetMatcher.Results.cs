using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Gives out what is complete.</summary>
internal sealed partial class SetMatcher<TKey, T>
{
    private readonly Spelling<T> _spelling;
    private readonly Queue<Completed> _completed = new();
    private Completed _completedNow;
    private bool _isSpelling;

    internal override bool HasFound => _isSpelling || SpellNext();

    internal override Found<TKey> Next => new(_keys.At(_completedNow.Place).Key, _spelling.Start, _spelling.End, _completedNow.Ticks, IsTimeout: false);

    /// <summary>The next result's key group.</summary>
    internal byte NextGroup => _keys.At(_completedNow.Place).Group;

    /// <summary>The next result's time.</summary>
    internal long NextTicks => _completedNow.Ticks;

    internal override Match<T> NextMatch => _spelling.ToMatch();

    internal override PartialMatch<T> NextPartial => _spelling.ToPartial();

    /// <summary>How many partial matches there are: counted along the sets, so it may be a number beyond all bounds.</summary>
    internal override double Open
    {
        get
        {
            var counted = new Dictionary<long, double>();
            double open = 0;
            for (int i = 0; i < _keys.Places; i++)
            {
                ref var sets = ref _keys.At(i).State;
                if (!_keys.At(i).IsLive)
                {
                    continue;
                }

                long limit = Math.Max(_expired, sets.Floor);
                counted.Clear();
                for (int j = 0; j < sets.Groups; j++)
                {
                    open += sets[j].LatestStart <= limit ? 0 : Count(sets[j].Set, limit, counted) * _configurations.At(sets[j].At).Weight;
                }
            }

            return open;
        }
    }

    internal override void RemoveFound() => _isSpelling = _spelling.MoveNext();

    /// <summary>All of a set has become matches, each of which is spelled out before the next event is looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Complete(int place, long set, long ticks, long limit)
    {
        if (_isSpelling)
        {
            _completed.Enqueue(new Completed(place, set, ticks, limit));
            return;
        }

        Spell(new Completed(place, set, ticks, limit));
    }

    private void Spell(in Completed completed)
    {
        _completedNow = completed;
        _spelling.Begin(completed.Set, completed.Limit);
        _isSpelling = _spelling.MoveNext();
    }

    private bool SpellNext()
    {
        if (_completed.Count > 0)
        {
            Spell(_completed.Dequeue());
        }

        return _isSpelling;
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

    private readonly record struct Completed(int Place, long Set, long Ticks, long Limit);
}
