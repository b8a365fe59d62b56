using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where events go: most lengthen their key's newest session, which is a look-up and nothing else.</summary>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>Gives the index of the first event that it left, because there are many keys now.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToFew(in Batch<T> batch, int start)
    {
        var (keyOf, kernel) = (_parts.Key.Select, _kernel);
        var events = batch.Events;
        var ticks = batch.Ticks[..events.Length];
        var view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
        for (int i = start; i < events.Length; i++)
        {
            Position = i;
            if (IsLate(ticks[i]))
            {
                continue;
            }

            ref readonly var value = ref events[i];
            var id = keyOf(value);
            var selected = kernel.Select(in value);
            int index = view.IndexOf(id, out uint hash);
            if (index < 0)
            {
                index = _sessions.Add(id, hash);
                view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
            }

            Take(ref view.StateAt(index), index, in value, in selected, ticks[i]);
            if (_sessions.Keys.Count >= ManyKeys)
            {
                return i + 1;
            }
        }

        return events.Length;
    }

    /// <summary>
    /// Many keys: look-ups run ahead, so that nothing stands between one that misses the cache and the next. Where a selector throws, what was looked up
    /// before is added first, as everywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int AddToMany(in Batch<T> batch, int start)
    {
        Pooled.Ensure(ref _ids, batch.Length);
        Pooled.Ensure(ref _selected, batch.Length);
        Pooled.Ensure(ref _indexes, batch.Length);
        var (keyOf, kernel) = (_parts.Key.Select, _kernel);
        var events = batch.Events;
        var (ids, selected, indexes, end) = (_ids, _selected, _indexes, start);
        var view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
        try
        {
            for (; end < events.Length; end++)
            {
                indexes[end] = Late;
                if (!IsLate(batch.Ticks[end]))
                {
                    ids[end] = keyOf(events[end]);
                    selected[end] = kernel.Select(in events[end]);
                    indexes[end] = view.IndexOf(ids[end], out _);
                    Ahead.PrefetchAt(ref view.StateAt(Math.Max(indexes[end], 0)).Phase);
                }
            }
        }
        finally
        {
            AddFound(in batch, start, end);
            Position = end;
        }

        return end;
    }

    private void AddFound(in Batch<T> batch, int start, int end)
    {
        var events = batch.Events;
        var ticks = batch.Ticks;
        for (int i = start; i < end; i++)
        {
            Position = i;
            int index = _indexes[i];
            if (index == Late)
            {
                continue;
            }

            if (index < 0)
            {
                // It may have come since it was looked for.
                index = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys).IndexOf(_ids[i], out uint hash);
                index = index < 0 ? _sessions.Add(_ids[i], hash) : index;
            }

            Take(ref _sessions.Keys.Entries[index].State, index, in events[i], in _selected[i], ticks[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsLate(long time)
    {
        if (time >= _watermark || !_windows.IsPast(time, _watermark))
        {
            return false;
        }

        Interlocked.Increment(ref Query.LateEvents);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Take(ref Session<TState> newest, int index, in T value, in TValue selected, long time)
    {
        if (newest.Phase == SessionPhase.Changed && (ulong)(time - newest.Last) < (ulong)_gap)
        {
            _kernel.Add(ref newest.State, in value, in selected, time);
            newest.Last = time;
            newest.Due = _due.Move(newest.Due, time + _gap, index, SessionTable<TKey, TState>.Newest);
        }
        else
        {
            Place(index, in value, in selected, time);
        }
    }

    /// <summary>An event that does not simply lengthen its key's newest session.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Place(int index, in T value, in TValue selected, long time)
    {
        ref var newest = ref _sessions.At(index, SessionTable<TKey, TState>.Newest);
        if (newest.Phase == SessionPhase.None)
        {
            // The aggregates' own code runs first: where it throws, nothing has begun.
            _sessions.RequireRoom();
            _kernel.Add(ref newest.State, in value, in selected, time);
            _sessions.Open(index, time, _due.Move(0, _windows.EndOf(time), index, SessionTable<TKey, TState>.Newest));
        }
        else if (time >= newest.Last && time - newest.Last >= _windows.Gap)
        {
            TState state = default;
            _kernel.Add(ref state, in value, in selected, time);
            _due.Place(newest.Due, _sessions.Push(index));
            (newest.State, newest.First, newest.Last, newest.Phase) = (state, time, time, SessionPhase.Changed);
            newest.Due = _due.Move(0, _windows.EndOf(time), index, SessionTable<TKey, TState>.Newest);
        }
        else
        {
            PlaceAmong(index, in value, in selected, time);
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
            session.Due = _due.Move(session.Due, _windows.EndOf(session.Last), index, joined);
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
        _due.Cancel(from.Due);
        into.Due = _due.Move(into.Due, _windows.EndOf(into.Last), index, newer);
        _sessions.Remove(index, older);
    }

    /// <summary>A session of one event, behind a newer one.</summary>
    private void Begin(int index, in T value, in TValue selected, long time, int newer)
    {
        var session = new Session<TState> { First = time, Last = time, Phase = SessionPhase.Changed };
        _kernel.Add(ref session.State, in value, in selected, time);
        Insert(index, in session, newer, _due);
    }

    private void Restore(TKey id, in Session<TState> session)
    {
        int index = _sessions.Keys.IndexOf(id);
        index = index < 0 ? _sessions.Add(id, (uint)id.GetHashCode()) : index;
        ref var newest = ref _sessions.At(index, SessionTable<TKey, TState>.Newest);
        var deadlines = session.Phase == SessionPhase.Changed ? _due : _gone;
        if (newest.Phase == SessionPhase.None)
        {
            int number = deadlines.Move(0, _windows.DeadlineOf(session.Last, session.Phase), index, SessionTable<TKey, TState>.Newest);
            newest = session;
            _sessions.Open(index, session.First, session.Phase == SessionPhase.Changed ? number : 0);
            (newest.Last, newest.Phase) = (session.Last, session.Phase);
        }
        else
        {
            Insert(index, in session, _sessions.Around(index, session.First).Newer, deadlines);
        }
    }

    private void Insert(int index, in Session<TState> session, int newer, Deadlines deadlines)
    {
        int place = SessionTable<TKey, TState>.Newest;
        if (newer >= 0)
        {
            place = _sessions.InsertBehind(index, newer, in session);
        }
        else
        {
            int moved = _sessions.Push(index);
            _due.Place(_sessions.At(index, moved).Due, moved);
            _sessions.At(index, place) = session;
            _sessions.At(index, place).Older = moved;
        }

        int number = deadlines.Move(0, _windows.DeadlineOf(session.Last, session.Phase), index, place);
        _sessions.At(index, place).Due = ReferenceEquals(deadlines, _due) ? number : 0;
    }
}
