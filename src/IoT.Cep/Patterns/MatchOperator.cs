using System.Numerics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Finds the matches of one pattern, or of several at once. Conditions on the event alone are asked first, each once for each event, over the whole batch: an
/// event that concerns no pattern costs no look-up.
/// </summary>
internal sealed partial class MatchOperator<TKey, T, TResult, TGiving> : OrderedOperator<T, TResult>, IHoldsMatches, ITellsWhyNot
    where TKey : notnull
    where TGiving : struct, IGiving<T, TResult>
{
    private readonly Matcher<TKey, T>[] _matchers;
    private readonly Matcher<TKey, T>[] _timely;
    private readonly Func<T, bool>[] _conditions;
    private readonly ulong[][] _concerned;
    private readonly ulong[] _always;
    private readonly int _words;
    private readonly Func<T, TKey> _keyOf;
    private readonly KeyRange _keys;
    private readonly bool _identity;
    private readonly bool _remembers;
    private readonly bool _seesEveryEvent;
    private readonly TGiving _giving;
    private readonly OrderedOutput<TResult> _output;
    private ulong[] _truths = [];
    private int[] _candidates = [];
    private readonly List<Matcher<TKey, T>> _asked = [];
    private readonly List<(TKey Key, long Start, long End)> _given = [];
    private long _givenAt = long.MinValue;
    private bool _isAsking;
    private bool _isGiving;
    private Matcher<TKey, T>? _giver;

    // State that checkpoints save: each key's partial matches, and how many events were seen.
    private long _position;

    internal MatchOperator(Operator<TResult> next, QueryContext query, MatchParts<TKey, T> parts, TGiving giving, KeyRange keys, bool identity)
        : base(next, query, parts.IsOrdered)
    {
        _matchers = parts.MakeMatchers(query, giving.TakesTimeouts);
        _conditions = [.. parts.Conditions.All.Select(condition => condition.Simple!)];
        _words = Math.Max(1, (_conditions.Length + 63) / 64);
        int concernedWords = (_matchers.Length + 63) / 64;
        _concerned = [.. Enumerable.Range(0, _conditions.Length).Select(_ => new ulong[concernedWords])];
        _always = new ulong[concernedWords];
        for (int i = 0; i < _matchers.Length; i++)
        {
            foreach (int number in _matchers[i].Shape.Numbers)
            {
                _concerned[number][i >> 6] |= 1UL << i;
            }

            _always[i >> 6] |= _matchers[i].SeesEveryEvent ? 1UL << i : 0;
        }

        _timely = Array.FindAll(_matchers, matcher => matcher is not SetMatcher<TKey, T>);
        _remembers = parts.Remembered > 0;
        _keyOf = parts.Key.Select;
        _keys = keys;
        _identity = identity;
        _giving = giving;
        _output = new OrderedOutput<TResult>(next);
        if (_matchers is [SetMatcher<TKey, T> sets])
        {
            _giver = _sets = sets;
            _seesEveryEvent = sets.SeesEveryEvent;
        }
    }

    MatchesHeld IHoldsMatches.Held => new(
        _matchers.Sum(matcher => matcher.Keys), _matchers.Sum(matcher => matcher.Events), _matchers.Sum(matcher => matcher.Open), _matchers.Sum(matcher => matcher.Bytes));

    bool ITellsWhyNot.Remembers => _remembers;

    IEnumerable<object> ITellsWhyNot.Shapes => _matchers.Select(matcher => matcher.Shape);

    (int Length, WhyNot Why)? ITellsWhyNot.WhyNot(object key, long from, long to) => key is TKey own && _keys.Contains(StableHash.GroupOf(own))
        ? _matchers.Select(matcher => matcher.WhyNot(own, from, to)).MaxBy(one => one?.Length)
        : null;

    /// <summary>While conditions on the event alone are asked, nothing of the batch has been applied.</summary>
    protected override bool IsAtomic => _isAsking;

    protected override bool IsGivingOut => _isGiving;

    protected override void DropResult()
    {
        _isGiving = false;
        _giver!.RemoveFound();
    }

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        // Where a result's projection threw, others of the same event are left.
        GiveOut();
        if (_sets is not null)
        {
            ProcessBySets(in batch, _sets);
            return;
        }

        int count = AskConditions(batch.Events);
        for (int candidate = 0; candidate < count; candidate++)
        {
            int i = _candidates[candidate];
            Position = i;
            Take(in batch.Events[i], batch.Ticks[i], _truths.AsSpan(i * _words, _words));

            // The event has had its effect: an error of a result's projection leads behind it.
            Position = i + 1;
            foreach (var matcher in _asked)
            {
                GiveOut(matcher);
            }
        }
    }

    protected override void OnTime(long watermark)
    {
        GiveOut();
        Expire(watermark);
        _output.Flush();
    }

    protected override void OnEnd()
    {
        foreach (var matcher in _matchers)
        {
            matcher.Finish(Watermark);
        }

        GiveOut();
        _output.Flush();
    }

    protected override bool OwnsOnLoad(T value) => _keys.Owns(_keyOf, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        writer.Int64(_position);
        var codec = StateCodec.Find<TKey>();
        writer.Int64(_givenAt);
        writer.Int32(_given.Count);
        foreach (var (key, start, end) in _given)
        {
            codec!.Write(writer, key);
            writer.Int64(start);
            writer.Int64(end);
        }

        _output.Save(writer, (w, result) => _giving.Save(w, result), static (w, key) => StateCodec.Require<TKey>().Write(w, (TKey)key!));
        foreach (var matcher in _matchers)
        {
            matcher.Save(writer);
        }
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        _position = Math.Max(_position, reader.Int64());
        LoadGiven(reader);
        _output.Load(reader, _keys, r => _giving.Load(r, _matchers[0].Shape), static r => StateCodec.Require<TKey>().Read(r));
        foreach (var matcher in _matchers)
        {
            matcher.Load(reader, _keys);
        }
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
        Pooled.Return(ref _truths, 0);
        Pooled.Return(ref _candidates, 0);
        Pooled.Return(ref _chunk, _chunk.Length);
        Pooled.Return(ref _bits, 0);
    }

    /// <summary>Asks each condition over the whole batch, without a branch, and gives the events that may concern a pattern.</summary>
    private int AskConditions(ReadOnlySpan<T> events)
    {
        Pooled.Ensure(ref _truths, events.Length * _words);
        Pooled.Ensure(ref _candidates, events.Length);
        var truths = _truths.AsSpan(0, events.Length * _words);
        truths.Clear();
        _isAsking = true;
        for (int number = 0; number < _conditions.Length; number++)
        {
            Ask(_conditions[number], events, truths[(number >> 6)..], number & 63);
        }

        _isAsking = false;
        bool always = _always.AsSpan().ContainsAnyExcept(0UL);
        int count = 0;
        var candidates = _candidates.AsSpan(0, events.Length);
        for (int i = 0; i < events.Length; i++)
        {
            candidates[count] = i;
            count += always || truths.Slice(i * _words, _words).ContainsAnyExcept(0UL) ? 1 : 0;
        }

        return count;
    }

    private void Ask(Func<T, bool> condition, ReadOnlySpan<T> events, Span<ulong> truths, int bit)
    {
        int words = _words;
        for (int i = 0; i < events.Length; i++)
        {
            truths[i * words] |= (condition(events[i]) ? 1UL : 0) << bit;
        }
    }

    private void Take(in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        foreach (var matcher in _timely)
        {
            matcher.Expire(ticks);
            GiveOut(matcher);
        }

        var key = _keyOf(value);
        _asked.Clear();
        for (int word = 0; word < _always.Length; word++)
        {
            for (ulong concerned = Concerned(truths, word); concerned != 0; concerned &= concerned - 1)
            {
                var matcher = _matchers[(word << 6) + BitOperations.TrailingZeroCount(concerned)];
                matcher.Decide(key, in value, ticks, truths);
                _asked.Add(matcher);
            }
        }

        // The user's conditions have run for all patterns: nothing fails in the middle.
        long position = _position++;
        foreach (var matcher in _asked)
        {
            matcher.Apply(key, in value, ticks, position);
        }
    }

    private ulong Concerned(ReadOnlySpan<ulong> truths, int word)
    {
        ulong concerned = _always[word];
        for (int i = 0; i < truths.Length; i++)
        {
            for (ulong truth = truths[i]; truth != 0; truth &= truth - 1)
            {
                concerned |= _concerned[(i << 6) + BitOperations.TrailingZeroCount(truth)][word];
            }
        }

        return concerned;
    }

    private void Expire(long time)
    {
        foreach (var matcher in _matchers)
        {
            matcher.Expire(time);
        }

        GiveOut();
    }

    private void GiveOut()
    {
        foreach (var matcher in _matchers)
        {
            GiveOut(matcher);
        }
    }

    private void GiveOut(Matcher<TKey, T> matcher)
    {
        while (matcher.HasFound)
        {
            if (matcher.Next.IsTimeout == _giving.TakesTimeouts)
            {
                _giver = matcher;
                _isGiving = true;
                Give(matcher, matcher.Next);
                _isGiving = false;
            }

            matcher.RemoveFound();
        }
    }

    private void Give(Matcher<TKey, T> matcher, in Found<TKey> found)
    {
        if (found.Error is { } error)
        {
            throw error;
        }

        var result = _giving.Make(matcher);
        byte group = (byte)StableHash.GroupOf(found.Key);
        if (!_identity)
        {
            _output.Add(result, found.Ticks, group);
            return;
        }

        int ordinal = OrdinalOf(found.Key, found.Start, found.End, found.Ticks);
        _output.Add(result, found.Ticks, group, new ResultId(found.Key, found.Start, found.End, ordinal), EventKind.Insert);
    }

    /// <summary>Matches of one key with the same first and last time are numbered in the order in which they are found.</summary>
    private int OrdinalOf(TKey key, long start, long end, long ticks)
    {
        if (ticks != _givenAt)
        {
            _givenAt = ticks;
            _given.Clear();
        }

        int ordinal = 0;
        foreach (var (otherKey, otherStart, otherEnd) in _given)
        {
            ordinal += otherStart == start && otherEnd == end && EqualityComparer<TKey>.Default.Equals(otherKey, key) ? 1 : 0;
        }

        _given.Add((key, start, end));
        return ordinal;
    }

    private void LoadGiven(StateReader reader)
    {
        // Shards may have found their last matches at different times: only those of the latest can have another beside them.
        long givenAt = reader.Int64();
        if (givenAt > _givenAt)
        {
            _givenAt = givenAt;
            _given.Clear();
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var given = (StateCodec.Require<TKey>().Read(reader), reader.Int64(), reader.Int64());
            if (givenAt == _givenAt)
            {
                _given.Add(given);
            }
        }
    }
}

/// <summary>What an operator's partial matches hold.</summary>
internal interface IHoldsMatches
{
    MatchesHeld Held { get; }
}

/// <summary>What partial matches hold.</summary>
/// <param name="Keys">How many keys have some.</param>
/// <param name="Events">How many events they hold.</param>
/// <param name="Open">How many are open.</param>
/// <param name="Bytes">The memory that is set aside for them.</param>
internal readonly record struct MatchesHeld(int Keys, int Events, double Open, long Bytes);
