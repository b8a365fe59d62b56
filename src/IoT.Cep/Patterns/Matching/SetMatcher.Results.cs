using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Gives out what is complete.</summary>
internal sealed partial class SetMatcher<TKey, T>
{
    private readonly Spelling<T> _spelling;

    // What the event that was looked at last has completed, and how much of that was spelled.
    private Completed[] _completed = new Completed[4];
    private int _completedCount;
    private int _spelled;
    private bool _isSpelling;

    /// <summary>Whether the event that was looked at last has completed something.</summary>
    internal bool HasCompleted => _completedCount > 0;

    internal override bool HasFound => _isSpelling || (_completedCount > 0 && SpellNext());

    internal override Found<TKey> Next => new(_keys.At(Now.Place).Key, _spelling.Start, _spelling.End, Now.Ticks, IsTimeout: false);

    private ref readonly Completed Now => ref _completed[_spelled - 1];

    /// <summary>The next result's key group.</summary>
    internal byte NextGroup => _keys.At(Now.Place).Group;

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
        foreach (ref readonly var completed in _completed.AsSpan(0, _completedCount))
        {
            _spelling.GiveAll(completed.Set, completed.Limit, completed.Label, output, completed.Ticks, _keys.At(completed.Place).Group);
        }

        _completedCount = 0;
    }

    /// <summary>All of a set has become matches, each of which is spelled out before the next event is looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Complete(int place, long set, int label, long ticks, long limit)
    {
        if (_completedCount == _completed.Length)
        {
            Array.Resize(ref _completed, _completedCount * 2);
        }

        _completed[_completedCount++] = new Completed(place, set, label, ticks, limit);
    }

    private bool SpellNext()
    {
        if (_spelled == _completedCount)
        {
            (_spelled, _completedCount) = (0, 0);
            return false;
        }

        ref readonly var completed = ref _completed[_spelled++];
        _spelling.Begin(completed.Set, completed.Limit, completed.Label);
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

    private readonly record struct Completed(int Place, long Set, int Label, long Ticks, long Limit);
}
