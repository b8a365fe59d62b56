using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where events go: most lengthen their key's newest session, which is a look-up and nothing else.</summary>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>
    /// First all look-ups, then all updates, so that nothing that is guessed wrong there waits for memory. Where a selector throws, what was looked up
    /// before is added first, as everywhere.
    /// </summary>
    private void AddSome(in Batch<T> batch, int start, int end)
    {
        int found = start;
        try
        {
            bool isDirect = WholeNumber.Is<TKey>() && _sessions.Direct.Length > 0
                && !batch.Ticks[start..end].ContainsAnyExceptInRange(_watermark, long.MaxValue);
            found = isDirect ? FindDirect(batch.Events[..end], start) : Find(in batch, start, end);
        }
        finally
        {
            end = found == start ? Position : found;
            Add(in batch, start, end);
            Position = end;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Find(in Batch<T> batch, int start, int end)
    {
        var (keyOf, kernel, indexes, selected, watermark) = (_parts.Key.Select, _kernel, _indexes, _selected, _watermark);
        var events = batch.Events;
        var ticks = batch.Ticks;
        var view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
        for (int i = start; i < end; i++)
        {
            Position = i;
            if (ticks[i] < watermark && IsLate(ticks[i]))
            {
                indexes[i - start] = Late;
                continue;
            }

            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            selected[i - start] = kernel.Select(in events[i]);
            int index = view.IndexOf(id, out uint hash);
            if (index < 0)
            {
                index = _sessions.Add(id, hash);
                view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
            }

            indexes[i - start] = index;
            Ahead.PrefetchEnds(ref view.EntryAt(index));
        }

        return end;
    }

    /// <summary>The same where keys say where their sessions stand, for events that are not late.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int FindDirect(ReadOnlySpan<T> events, int start)
    {
        var (keyOf, kernel) = (_parts.Key.Select, _kernel);
        ref int index = ref MemoryMarshal.GetArrayDataReference(_indexes);
        ref TValue selected = ref MemoryMarshal.GetArrayDataReference(_selected);
        int[] direct = _sessions.Direct;
        ref var entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
        bool isLarge = _sessions.IsLarge;
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            Ahead.Prefetch(in events[i]);
            var id = keyOf(events[i]);
            ulong place = WholeNumber.Of(id);
            selected = kernel.Select(in events[i]);
            int found = place < (ulong)direct.Length ? direct[place] - 1 : -1;
            if (found < 0)
            {
                found = _sessions.FindOrAdd(id);
                direct = _sessions.Direct;
                entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
            }

            if (isLarge)
            {
                Ahead.PrefetchEnds(ref Unsafe.Add(ref entries, (uint)found));
            }

            index = found;
            index = ref Unsafe.Add(ref index, 1);
            selected = ref Unsafe.Add(ref selected, 1);
        }

        return events.Length;
    }

    /// <summary>How many keys may begin sessions without a closer look.</summary>
    private int Room => _parts.Key.MaxKeys - _sessions.Open - _closed.Count;

    private bool IsLate(long time)
    {
        if (!_windows.IsPast(time, _watermark))
        {
            return false;
        }

        Interlocked.Increment(ref Query.LateEvents);
        return true;
    }

    /// <summary>Any event; the look-up may have been long ago, so everything is looked at.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Take(int index, in T value, in TValue selected, long time)
    {
        if (time < _closedUpTo)
        {
            Reopen();
        }

        ref var newest = ref _sessions.Keys.Entries[index].State;
        if (newest.Phase == SessionPhase.Changed && (ulong)(time - newest.Last) < (ulong)_gap)
        {
            _kernel.Add(ref newest.State, in value, in selected, time);
            newest.Last = time;
            newest.Due = _due.Add(time, index);
        }
        else
        {
            Place(index, in value, in selected, time);
        }
    }

    /// <summary>An event that does not simply lengthen its key's newest session.</summary>
    private void Place(int index, in T value, in TValue selected, long time)
    {
        ref var newest = ref _sessions.Keys.Entries[index].State;
        if (newest.Phase == SessionPhase.Changed && _closesEarly && time >= _closedUpTo && time >= newest.Last)
        {
            // Its session is over, and so is what ended before it.
            Close(time);
            _closedUpTo = time;
        }

        if (newest.Phase == SessionPhase.None)
        {
            // The aggregates' own code runs first: where it throws, nothing has begun.
            RequireRoom(index);
            newest.Clear();
            _kernel.Add(ref newest.State, in value, in selected, time);
            _sessions.Begin(ref newest, time);
            newest.Due = _due.Add(time, index);
        }
        else if (time >= newest.Last && time - newest.Last >= _windows.Gap)
        {
            TState state = default;
            _kernel.Add(ref state, in value, in selected, time);
            _sessions.Push(index);
            (newest.State, newest.First, newest.Last, newest.Phase) = (state, time, time, SessionPhase.Changed);
            newest.Due = _due.Add(time, index);
        }
        else
        {
            PlaceAmong(index, in value, in selected, time);
        }
    }

    /// <summary>Makes sure that one more key may have a session.</summary>
    /// <exception cref="KeyLimitException">There are as many as allowed.</exception>
    private void RequireRoom(int index)
    {
        var (maxKeys, keys) = (_parts.Key.MaxKeys, _counted);
        if (Room > 0)
        {
            return;
        }

        // Those closed before the watermark still count, but a key only once, and this one is not one more where it has such a session itself.
        keys.Clear();
        foreach (ref var closed in _closed.All)
        {
            int at = _sessions.Keys.IndexOf(closed.Key);
            if (at < 0 || _sessions.Keys.Entries[at].State.Phase == SessionPhase.None)
            {
                keys.Add(closed.Key);
            }
        }

        if (_sessions.Open + keys.Count >= maxKeys && !keys.Contains(_sessions.KeyAt(index)))
        {
            throw new KeyLimitException(maxKeys);
        }
    }

    private void PlaceAmong(int index, in T value, in TValue selected, long time)
    {
        var (older, newer) = _sessions.Around(index, time);
        bool joinsOlder = older >= 0 && time - _sessions.At(index, older).Last < _windows.Gap;
        bool joinsNewer = newer >= 0 && _sessions.At(index, newer).First - time < _windows.Gap;
        if (!joinsOlder && !joinsNewer)
        {
            Begin(index, in value, in selected, time, newer);
            return;
        }

        int joined = joinsOlder ? older : newer;
        ref var session = ref _sessions.At(index, joined);
        _kernel.Add(ref session.State, in value, in selected, time);
        session.First = Math.Min(session.First, time);
        bool isLonger = time > session.Last;
        session.Last = Math.Max(session.Last, time);
        if (joinsOlder && joinsNewer)
        {
            Join(index, older, newer);
        }
        else if (isLonger || session.Phase == SessionPhase.Given)
        {
            session.Phase = SessionPhase.Changed;
            session.Due = _due.Add(session.Last, index);
        }
    }

    /// <summary>Makes one session of two, in the newer one's place. Where both have been given, the older one's result is corrected and the other withdrawn.</summary>
    private void Join(int index, int older, int newer)
    {
        ref var from = ref _sessions.At(index, older);
        ref var into = ref _sessions.At(index, newer);
        _kernel.Merge(ref from.State, in into.State);
        if (from.Given != 0 && into.Given != 0)
        {
            _given.Withdraw(new WithdrawnSession<TKey, TState>
            {
                Key = _sessions.KeyAt(index),
                Start = into.First,
                End = _windows.EndOf(into.Last),
                Given = _given.At(into.Given),
                State = into.State,
            });
            _given.Remove(into.Given);
            into.Given = from.Given;
        }
        else
        {
            into.Given = Math.Max(from.Given, into.Given);
            _kernel.Release(ref into.State);
        }

        (into.State, into.First, into.Phase) = (from.State, from.First, SessionPhase.Changed);
        into.Due = _due.Add(into.Last, index);
        _sessions.Remove(index, older);
    }

    /// <summary>A session of one event, behind a newer one.</summary>
    private void Begin(int index, in T value, in TValue selected, long time, int newer)
    {
        var session = new Session<TState> { First = time, Last = time, Phase = SessionPhase.Changed };
        _kernel.Add(ref session.State, in value, in selected, time);
        session.Due = _due.Add(time, index);
        Insert(index, in session, newer);
    }

    private void Restore(TKey id, Session<TState> session)
    {
        int index = _sessions.FindOrAdd(id);
        session.Due = (session.Phase == SessionPhase.Changed ? _due : _gone).Add(session.Last, index);
        Insert(index, in session);
    }

    /// <summary>Puts a session among those of its key, if there are any.</summary>
    private void Insert(int index, in Session<TState> session)
    {
        ref var newest = ref _sessions.Keys.Entries[index].State;
        if (newest.Phase == SessionPhase.None)
        {
            _sessions.Begin(ref newest, session.First);
            newest = session;
        }
        else
        {
            Insert(index, in session, _sessions.Around(index, session.First).Newer);
        }
    }

    private void Insert(int index, in Session<TState> session, int newer)
    {
        if (newer >= 0)
        {
            _sessions.InsertBehind(index, newer, in session);
            return;
        }

        int moved = _sessions.Push(index);
        ref var newest = ref _sessions.At(index, SessionTable<TKey, TState>.Newest);
        newest = session;
        newest.Older = moved;
    }
}
