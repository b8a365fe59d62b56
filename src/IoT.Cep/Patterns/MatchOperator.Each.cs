using System.Numerics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>
/// Several patterns, or one by runs: an event is shown to those that it may begin a match of, and to those that it concerns and that have something open for its
/// key. So it costs what is open, and not what patterns there are.
/// </content>
internal sealed partial class MatchOperator<TKey, T, TResult, TGiving>
{
    private readonly OpenKeys<TKey, T> _open;
    private readonly List<int> _asked = [];

    // A bit for each matcher: by condition those that look at it, and those that an event may begin a match of because of it.
    private readonly ulong[][] _concerned;
    private readonly ulong[][] _begins;

    // Those that look at every event, and those that any event may begin a match of.
    private readonly ulong[] _always;
    private readonly ulong[] _alwaysBegins;

    // How many words an event's conditions take.
    private readonly int _words;

    private void ProcessByEach(in Batch<T> batch)
    {
        int count = AskConditions(batch.Events);
        for (int candidate = 0; candidate < count; candidate++)
        {
            int i = _candidates[candidate];
            Position = i;
            if (!Take(in batch.Events[i], batch.Ticks[i], _truths.AsSpan(i * _words, _words)))
            {
                continue;
            }

            // The event has had its effect: an error of a result's projection leads behind it.
            Position = i + 1;
            foreach (int matcher in _asked)
            {
                GiveOut(_matchers[matcher]);
            }
        }
    }

    /// <summary>Asks each condition over the whole batch, without a branch, and gives the events that may concern a pattern.</summary>
    private int AskConditions(ReadOnlySpan<T> events)
    {
        Pooled.Ensure(ref _truths, events.Length * _words);
        Pooled.Ensure(ref _candidates, events.Length);
        var truths = _truths.AsSpan(0, events.Length * _words);
        truths.Clear();
        _isAsking = true;
        for (int number = 0; number < _conditions.Length; number += 64)
        {
            Ask(_conditions.AsSpan(number, Math.Min(64, _conditions.Length - number)), events, truths[(number >> 6)..]);
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

    private void Ask(ReadOnlySpan<Func<T, bool>> conditions, ReadOnlySpan<T> events, Span<ulong> truths)
    {
        int words = _words;
        for (int i = 0; i < events.Length; i++)
        {
            ulong bits = 0;
            for (int bit = 0; bit < conditions.Length; bit++)
            {
                bits |= (ulong)Bit(conditions[bit](events[i])) << bit;
            }

            truths[i * words] = bits;
        }
    }

    /// <summary>Shows an event to the patterns that it concerns.</summary>
    /// <returns>Whether there are any.</returns>
    private bool Take(in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        var key = _keyOf(value);
        int place = _open.Find(key);
        _asked.Clear();
        for (int word = 0; word < _always.Length; word++)
        {
            ulong concerned = (_always[word] | Mask(_concerned, truths, word)) & (_alwaysBegins[word] | _open.At(place, word) | Mask(_begins, truths, word));
            for (; concerned != 0; concerned &= concerned - 1)
            {
                _asked.Add((word << 6) + BitOperations.TrailingZeroCount(concerned));
            }
        }

        if (_asked.Count == 0)
        {
            return false;
        }

        foreach (var matcher in _timely)
        {
            matcher.Expire(ticks);
            GiveOut(matcher);
        }

        foreach (int matcher in _asked)
        {
            _matchers[matcher].Decide(key, in value, ticks, truths);
        }

        // The user's conditions have run for all patterns: nothing fails in the middle.
        long position = _position++;
        foreach (int matcher in _asked)
        {
            _matchers[matcher].Apply(key, in value, ticks, position);
            place = _open.Note(place, key, matcher, _matchers[matcher].IsOpen(key));
        }

        return true;
    }

    private static ulong Mask(ulong[][] masks, ReadOnlySpan<ulong> truths, int word)
    {
        ulong mask = 0;
        for (int i = 0; i < truths.Length; i++)
        {
            for (ulong truth = truths[i]; truth != 0; truth &= truth - 1)
            {
                mask |= masks[(i << 6) + BitOperations.TrailingZeroCount(truth)][word];
            }
        }

        return mask;
    }

    private ulong[][] MasksOf(Func<Matcher<TKey, T>, IEnumerable<int>> numbersOf) =>
        [.. Enumerable.Range(0, _conditions.Length).Select(number => MaskOf(matcher => numbersOf(matcher).Contains(number)))];

    private ulong[] MaskOf(Func<Matcher<TKey, T>, bool> isIn)
    {
        ulong[] mask = new ulong[(_matchers.Length + 63) / 64];
        for (int i = 0; i < _matchers.Length; i++)
        {
            mask[i >> 6] |= isIn(_matchers[i]) ? 1UL << (i & 63) : 0;
        }

        return mask;
    }
}
