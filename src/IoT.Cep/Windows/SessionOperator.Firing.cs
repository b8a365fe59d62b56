using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>How sessions end: those that could still be corrected stay beside their keys, all others go through a row of closed ones.</content>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    private const int ClosedAtOnce = 256;

    private void FireDue(long time)
    {
        while (_given.HasWithdrawn)
        {
            ref var withdrawn = ref _given.FirstWithdrawn;
            var info = new WindowInfo<TKey>(withdrawn.Key, withdrawn.Start, withdrawn.End, Firing.Withdrawn, withdrawn.Given.Revision);
            _output.Correct(in info, (byte)StableHash.GroupOf(withdrawn.Key), ref withdrawn.State, withdrawn.Given.Start, withdrawn.Given.End, EventKind.Retract);
            DropWithdrawn();
        }

        if (_windows.IsUpdating)
        {
            FireInPlace(_windows.LastOver(time, SessionPhase.Changed));
        }
        else
        {
            Close(time);
            CloseLate(time);
            FireClosed(_windows.LastOver(time, SessionPhase.Changed));
        }

        _closedUpTo = Math.Max(_closedUpTo, time);
        _output.Flush();
    }

    /// <summary>Closes what has come in order and ended by this time.</summary>
    private void Close(long time)
    {
        long upTo = _windows.LastOver(time, SessionPhase.Changed);
        while (CloseSome(upTo))
        {
        }
    }

    /// <summary>False once nothing more is over.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool CloseSome(long upTo)
    {
        var due = _due.InOrder(ClosedAtOnce);
        int taken = 0, ended = 0;
        bool isLarge = _sessions.IsLarge;
        ref var closed = ref _closed.Reserve(due.Count);
        ref var entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
        while (taken < due.Count)
        {
            ulong open = due.From(taken, out int count);
            for (ulong ahead = isLarge ? open : 0; ahead != 0; ahead &= ahead - 1)
            {
                Ahead.PrefetchEnds(ref Unsafe.Add(ref entries, due.At(taken + BitOperations.TrailingZeroCount(ahead)).Index));
            }

            for (; open != 0; open &= open - 1)
            {
                int at = taken + BitOperations.TrailingZeroCount(open);
                var last = due.At(at);
                ref var entry = ref Unsafe.Add(ref entries, last.Index);
                if (last.Time > upTo || entry.State.Older != SessionTable<TKey, TState>.Newest)
                {
                    EndSome(at, ended);
                    return last.Time <= upTo && CloseNextAmong(last);
                }

                // Seldom not so: what has moved has mostly said it.
                if (entry.State.Last == last.Time && entry.State.Phase == SessionPhase.Changed)
                {
                    Fill(ref closed, ref entry);
                    entry.State.End();
                    closed = ref Unsafe.Add(ref closed, 1);
                    ended++;
                }
            }

            taken += count;
        }

        EndSome(taken, ended);
        return taken > 0;
    }

    /// <summary>So many of the queue have been looked at, and so many sessions put behind those that have been closed.</summary>
    private void EndSome(int taken, int ended)
    {
        _closed.Add(ended);
        _sessions.End(ended);
        _due.Take(taken);
    }

    private bool CloseNextAmong(LastEvent last)
    {
        _due.Take(1);
        CloseAmong(last, _closed);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill(ref ClosedSession<TKey, TState> session, ref KeyedMap<TKey, Session<TState>>.Entry entry)
    {
        (session.First, session.Last, session.Key, session.Group) = (entry.State.First, entry.State.Last, entry.Key, entry.Group);
        session.State = entry.State.State;
    }

    /// <summary>Closes what has come behind other events and ended by this time.</summary>
    private void CloseLate(long time)
    {
        while (_due.TryTakeOutOfOrder(_windows.LastOver(time, SessionPhase.Changed), out var last))
        {
            CloseAmong(last, _closedLate);
        }
    }

    private void CloseAmong(LastEvent last, ClosedSessions<TKey, TState> to)
    {
        int place = _sessions.Find(last.Index, last.Time, SessionPhase.Changed);
        if (place < 0)
        {
            return;
        }

        ref var entry = ref _sessions.Keys.Entries[last.Index];
        ref var ended = ref _sessions.At(last.Index, place);
        ref var session = ref to.Reserve(1);
        to.Add(1);
        (session.First, session.Last, session.Key, session.Group) = (ended.First, ended.Last, entry.Key, entry.Group);
        session.State = ended.State;
        _sessions.Remove(last.Index, place);
    }

    /// <summary>Opens again what was closed before the watermark, since an event that comes behind others may belong to it.</summary>
    private void Reopen()
    {
        foreach (ref var closed in _closed.All)
        {
            int index = _sessions.FindOrAdd(closed.Key);
            var session = new Session<TState> { First = closed.First, Last = closed.Last, State = closed.State, Phase = SessionPhase.Changed };
            Insert(index, in session);
            _due.Return(closed.Last, index);
        }

        _closed.Clear();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FireClosed(long upTo)
    {
        // What comes late is rare.
        for (var closed = _closed; _closedLate.Count == 0 && closed.Count > 0 && closed.First.Last <= upTo;)
        {
            Fire(closed);
        }

        while (NextClosed(upTo) is { } closed)
        {
            Fire(closed);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Fire(ClosedSessions<TKey, TState> closed)
    {
        ref var session = ref closed.First;
        _output.Emit(new WindowInfo<TKey>(session.Key, session.First, _windows.EndOf(session.Last)), session.Group, ref session.State);
        Drop(closed);
    }

    /// <summary>Where the session is that fires next: what came late was set later than whatever ends with it.</summary>
    private ClosedSessions<TKey, TState>? NextClosed(long upTo)
    {
        var next = _closedLate.Count > 0 && (_closed.Count == 0 || _closedLate.First.Last < _closed.First.Last) ? _closedLate : _closed;
        return next.Count > 0 && next.First.Last <= upTo ? next : null;
    }

    private void Drop(ClosedSessions<TKey, TState> closed)
    {
        if (_kernel.NeedsRelease)
        {
            _kernel.Release(ref closed.First.State);
        }

        closed.RemoveFirst();
    }

    private void FireInPlace(long upTo)
    {
        while (_due.TryTake(upTo, out var last))
        {
            int place = _sessions.Find(last.Index, last.Time, SessionPhase.Changed);
            if (place >= 0)
            {
                (_firing, _isFiring) = ((last.Index, place), true);
                Emit(last.Index, place);
                Settle(last.Index, place);
            }
        }
    }

    private void Emit(int index, int place)
    {
        ref var entry = ref _sessions.Keys.Entries[index];
        ref var session = ref _sessions.At(index, place);
        long end = _windows.EndOf(session.Last);
        if (session.Given == 0)
        {
            _output.Emit(new WindowInfo<TKey>(entry.Key, session.First, end), entry.Group, ref session.State);
            return;
        }

        // The identity is that of the first result, whatever the bounds are now.
        var given = _given.At(session.Given);
        var info = new WindowInfo<TKey>(entry.Key, session.First, end, Firing.Late, given.Revision);
        _output.Correct(in info, entry.Group, ref session.State, given.Start, given.End, EventKind.Update);
    }

    /// <summary>A session has fired and is kept for corrections.</summary>
    private void Settle(int index, int place)
    {
        _isFiring = false;
        ref var session = ref _sessions.At(index, place);
        if (session.Given == 0)
        {
            session.Given = _given.Add(new GivenSession(session.First, _windows.EndOf(session.Last), 0));
        }

        _given.At(session.Given).Revision++;
        session.Phase = SessionPhase.Given;
        _gone.Add(session.Last, index);
    }

    private void Forget(int index, int place)
    {
        ref var session = ref _sessions.At(index, place);
        Debug.Assert(session.Phase == SessionPhase.Given, "What has not been given is not forgotten.");
        _given.Remove(session.Given);
        _kernel.Release(ref session.State);
        _sessions.Remove(index, place);
    }

    private void DropWithdrawn()
    {
        _kernel.Release(ref _given.FirstWithdrawn.State);
        _given.RemoveWithdrawn();
    }
}
