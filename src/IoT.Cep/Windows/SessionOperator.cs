using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sessions for each key. An event lengthens a session, joins two, or begins one, in whatever order events come; none is kept. A session fires when
/// the watermark reaches its last event and the gap: its deadline is in a queue, so no key is searched for.
/// </summary>
internal sealed class SessionOperator<TKey, T, TState, TValue, TKernel, TResult> : Operator<T, TResult>, IDeadlineOwner
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly WindowParts<TKey, T, TState, TValue, TKernel, TResult> _parts;
    private readonly SessionWindows _windows;
    private readonly TKernel _kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output;

    // State that checkpoints save: the sessions, and the time. Deadlines follow from the sessions; their order is saved as that of the sessions.
    private readonly SessionTable<TKey, TState> _sessions;
    private readonly GivenSessions<TKey, TState> _given = new();
    private readonly Deadlines _due = new();
    private readonly Deadlines _gone = new();
    private long _watermark = long.MinValue;

    internal SessionOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts)
        : base(parts.Next, parts.Query)
    {
        _parts = parts;
        _windows = (SessionWindows)parts.Spec;
        _kernel = parts.Kernel;
        _output = new WindowOutput<TKey, TState, TResult>(parts.Next, parts.Result, parts.Identity);
        _sessions = new SessionTable<TKey, TState>(_windows, parts.Key.MaxKeys);
    }

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
        var (keyOf, kernel, gap) = (_parts.Key.Select, _kernel, _windows.Gap);
        var events = batch.Events;
        var ticks = batch.Ticks[..events.Length];
        var view = new KeyedMap<TKey, Session<TState>>.View(_sessions.Keys);
        for (int i = 0; i < events.Length; i++)
        {
            Position = i;
            long time = ticks[i];
            if (time < _watermark && _windows.IsPast(time, _watermark))
            {
                Interlocked.Increment(ref Query.LateEvents);
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

            ref var newest = ref view.StateAt(index);
            if (newest.Phase == SessionPhase.Changed && (ulong)(time - newest.Last) < (ulong)gap)
            {
                kernel.Add(ref newest.State, in value, in selected, time);
                newest.Last = time;
                _due.Set(_windows.EndOf(time), index);
            }
            else
            {
                Place(index, in value, in selected, time);
            }
        }
    }

    protected override void Advance(long watermark)
    {
        _watermark = Math.Max(_watermark, watermark);
        FireDue(_watermark);
        while (_gone.IsDue(_watermark, out var first))
        {
            int place = _sessions.Find(first.Index, first.Deadline, SessionPhase.Given);
            if (place >= 0)
            {
                Forget(first.Index, place);
            }

            _gone.RemoveFirst();
        }

        if (_sessions.IsUntidy || _due.IsUntidy || _gone.IsUntidy)
        {
            Tidy();
        }

        Next.OnWatermark(_watermark);
    }

    protected override void Complete()
    {
        FireDue(long.MaxValue);
        Next.OnCompleted();
    }

    protected override void DropResult()
    {
        // What stands first in the order of FireDue is what failed.
        if (_given.HasWithdrawn)
        {
            DropWithdrawn();
            return;
        }

        _due.IsDue(long.MaxValue, out var first);
        Settle(first.Index, _sessions.Find(first.Index, first.Deadline, SessionPhase.Changed));
    }

    internal override void Save(StateWriter writer)
    {
        var saved = new HashSet<(int, int)>();
        var order = new List<(int Index, int Place)>();
        foreach (var (deadline, index) in _due.ToList())
        {
            int place = _sessions.Find(index, deadline, SessionPhase.Changed);
            if (place >= 0 && saved.Add((index, place)))
            {
                order.Add((index, place));
            }
        }

        foreach (var (deadline, index) in _gone.ToList())
        {
            int place = _sessions.Find(index, deadline, SessionPhase.Given);
            if (place >= 0 && saved.Add((index, place)))
            {
                order.Add((index, place));
            }
        }

        writer.Int64(_watermark);
        writer.Int32(order.Count);
        foreach (var (index, place) in order)
        {
            ref var session = ref _sessions.At(index, place);
            StateCodec.Require<TKey>().Write(writer, _sessions.KeyAt(index));
            writer.Int64(session.First);
            writer.Int64(session.Last);
            writer.Byte((byte)session.Phase);
            GivenSessions<TKey, TState>.Write(writer, session.Given == 0 ? default : _given.At(session.Given));
            _kernel.Save(writer, in session.State);
        }

        var withdrawn = _given.Withdrawn;
        writer.Int32(withdrawn.Length);
        foreach (ref readonly var session in withdrawn)
        {
            StateCodec.Require<TKey>().Write(writer, session.Key);
            writer.Int64(session.Start);
            writer.Int64(session.End);
            GivenSessions<TKey, TState>.Write(writer, session.Given);
            _kernel.Save(writer, in session.State);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = StateCodec.Require<TKey>().Read(reader);
            var session = new Session<TState> { First = reader.Int64(), Last = reader.Int64(), Phase = (SessionPhase)reader.Byte() };
            var given = GivenSessions<TKey, TState>.Read(reader);
            session.State = _kernel.Load(reader);
            if (_parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                session.Given = given.Revision == 0 ? 0 : _given.Add(given);
                int index = _sessions.Insert(id, in session);
                SetDeadline(index, in session);
            }
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var session = new WithdrawnSession<TKey, TState>
            {
                Key = StateCodec.Require<TKey>().Read(reader),
                Start = reader.Int64(),
                End = reader.Int64(),
                Given = GivenSessions<TKey, TState>.Read(reader),
                State = _kernel.Load(reader),
            };
            if (_parts.Keys.Contains(StableHash.GroupOf(session.Key)))
            {
                _given.Withdraw(in session);
            }
        }
    }

    protected override void Release() => _output.Dispose();

    bool IDeadlineOwner.Has(long deadline, int index, Deadlines among) =>
        _sessions.Find(index, deadline, ReferenceEquals(among, _due) ? SessionPhase.Changed : SessionPhase.Given) >= 0;

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
            _sessions.Open(index, time);
            _due.Set(_windows.EndOf(time), index);
        }
        else if (time >= newest.Last && time - newest.Last >= _windows.Gap)
        {
            _sessions.Push(index, Begin(in value, in selected, time));
            _due.Set(_windows.EndOf(time), index);
        }
        else
        {
            PlaceAmong(index, in value, in selected, time);
        }
    }

    private void PlaceAmong(int index, in T value, in TValue selected, long time)
    {
        // The last session that does not begin behind the event, and the one behind that.
        int newer = -1;
        int place = SessionTable<TKey, TState>.Newest;
        while ((newer < 0 || place != SessionTable<TKey, TState>.Newest) && _sessions.At(index, place).First > time)
        {
            (newer, place) = (place, _sessions.At(index, place).Older);
        }

        bool hasOlder = newer < 0 || place != SessionTable<TKey, TState>.Newest;
        bool joinsOlder = hasOlder && time - _sessions.At(index, place).Last < _windows.Gap;
        bool joinsNewer = newer >= 0 && _sessions.At(index, newer).First - time < _windows.Gap;
        if (!joinsOlder && !joinsNewer)
        {
            _sessions.InsertBehind(index, newer, Begin(in value, in selected, time));
            _due.Set(_windows.EndOf(time), index);
            return;
        }

        int joined = joinsOlder ? place : newer;
        ref var session = ref _sessions.At(index, joined);
        _kernel.Add(ref session.State, in value, in selected, time);
        session.First = Math.Min(session.First, time);
        bool isLonger = time > session.Last;
        session.Last = Math.Max(session.Last, time);
        if (joinsOlder && joinsNewer)
        {
            Join(index, place, newer);
        }
        else if (isLonger || session.Phase == SessionPhase.Given)
        {
            session.Phase = SessionPhase.Changed;
            _due.Set(_windows.EndOf(session.Last), index);
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
        long end = _windows.EndOf(into.Last);
        _sessions.Remove(index, older);
        _due.Set(end, index);
    }

    private Session<TState> Begin(in T value, in TValue selected, long time)
    {
        var session = new Session<TState> { First = time, Last = time, Phase = SessionPhase.Changed };
        _kernel.Add(ref session.State, in value, in selected, time);
        return session;
    }

    private void FireDue(long time)
    {
        while (_given.HasWithdrawn)
        {
            ref var withdrawn = ref _given.FirstWithdrawn;
            var info = new WindowInfo<TKey>(withdrawn.Key, withdrawn.Start, withdrawn.End, Firing.Withdrawn, withdrawn.Given.Revision);
            _output.Correct(in info, (byte)StableHash.GroupOf(withdrawn.Key), ref withdrawn.State, withdrawn.Given.Start, withdrawn.Given.End, EventKind.Retract);
            DropWithdrawn();
        }

        while (_due.IsDue(time, out var first))
        {
            int place = _sessions.Find(first.Index, first.Deadline, SessionPhase.Changed);
            if (place < 0)
            {
                _due.RemoveFirst();
                continue;
            }

            Emit(first.Index, place);
            Settle(first.Index, place);
        }

        _output.Flush();
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

    /// <summary>A session has fired: it is forgotten, or kept for corrections.</summary>
    private void Settle(int index, int place)
    {
        _due.RemoveFirst();
        ref var session = ref _sessions.At(index, place);
        if (!_windows.IsUpdating)
        {
            Forget(index, place);
            return;
        }

        if (session.Given == 0)
        {
            session.Given = _given.Add(new GivenSession(session.First, _windows.EndOf(session.Last), 0));
        }

        _given.At(session.Given).Revision++;
        session.Phase = SessionPhase.Given;
        SetDeadline(index, in session);
    }

    private void Forget(int index, int place)
    {
        ref var session = ref _sessions.At(index, place);
        _given.Remove(session.Given);
        _kernel.Release(ref session.State);
        _sessions.Remove(index, place);
    }

    private void DropWithdrawn()
    {
        _kernel.Release(ref _given.FirstWithdrawn.State);
        _given.RemoveWithdrawn();
    }

    private void SetDeadline(int index, in Session<TState> session) =>
        (session.Phase == SessionPhase.Changed ? _due : _gone).Set(_windows.DeadlineOf(session.Last, session.Phase), index);

    private void Tidy()
    {
        var places = _sessions.Tidy(_watermark);
        _due.Tidy(this, places);
        _gone.Tidy(this, places);
    }
}
