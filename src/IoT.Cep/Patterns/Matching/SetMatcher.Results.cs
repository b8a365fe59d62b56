using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Gives out what is complete.</summary>
internal sealed partial class SetMatcher<TKey, T>
{
    private readonly Spelling<T> _spelling;

    // What the event that was looked at last has completed, and how much of that was spelled.
    private Completed<T>[] _completed = new Completed<T>[4];
    private int _completedCount;
    private int _spelled;
    private bool _isSpelling;

    /// <summary>Whether the event that was looked at last has completed something.</summary>
    internal bool HasCompleted => _completedCount > 0;

    internal override bool HasFound => _isSpelling || (_completedCount > 0 && SpellNext());

    internal override Found<TKey> Next => new(_keys.At(Now.Place).Key, _spelling.Start, _spelling.End, Now.Ticks, IsTimeout: false);

    private ref readonly Completed<T> Now => ref _completed[_spelled - 1];

    /// <summary>The next result's key group.</summary>
    internal byte NextGroup => Now.Group;

    /// <summary>The next result's time.</summary>
    internal long NextTicks => Now.Ticks;

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

    /// <summary>Gives out all matches there are: where nothing can fail on the way, that needs not be done one by one.</summary>
    internal void GiveAll(OrderedOutput<Match<T>> output)
    {
        _spelling.GiveAll(_completed.AsSpan(0, _completedCount), output);
        Forget();
    }

    /// <summary>All of a set has become matches, each of which is spelled out before its events are let go.</summary>
    private void Complete(int place, long set, int label, in T value, long ticks, long limit)
    {
        Reserve(1) = new Completed<T> { Place = place, Group = _keys.At(place).Group, Set = set, Label = label, Last = value, Ticks = ticks, Limit = limit };
        _completedCount++;
    }

    /// <summary>Room for so many more.</summary>
    private ref Completed<T> Reserve(int more)
    {
        // One more than there can be: what is written last may not count.
        if (_completedCount + more + 1 > _completed.Length)
        {
            Array.Resize(ref _completed, (_completedCount + more + 1) * 2);
        }

        return ref _completed[_completedCount];
    }

    private void Forget()
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            Array.Clear(_completed);
        }

        (_spelled, _completedCount) = (0, 0);
    }

    private bool SpellNext()
    {
        if (_spelled == _completedCount)
        {
            Forget();
            return false;
        }

        ref readonly var completed = ref _completed[_spelled++];
        _spelling.Begin(in completed);
        return _isSpelling = _spelling.MoveNext();
    }

    /// <summary>Without recursion: sets are as deep as there are events.</summary>
    private double Count(long set, long limit, Dictionary<long, double> counted)
    {
        var open = new Stack<long>();
        open.Push(set);
        while (open.TryPeek(out long at))
        {
            bool isTaking = SharedSets<T>.IsTaking(at);
            var parts = isTaking ? default : _sets.PartsOf(at);
            long one = isTaking ? _sets.TakingAt(at).Before : parts.Left;
            long other = !isTaking && parts.RightLatest > limit ? parts.Right : SharedSets<T>.None;
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

/// <summary>A set whose matches are complete.</summary>
internal struct Completed<T>
{
    internal long Set;
    internal long Ticks;

    /// <summary>What began no later has expired.</summary>
    internal long Limit;
    internal int Place;

    /// <summary>Which one of the events that were looked up together: until all the rest is known.</summary>
    internal int Index;

    /// <summary>The key's group.</summary>
    internal byte Group;

    /// <summary>Which step took the last event, where the set does not have it; else negative.</summary>
    internal int Label;

    /// <summary>The last event.</summary>
    internal T Last;
}
