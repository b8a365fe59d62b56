using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sessions for each key. An event lengthens a session, joins two, or begins one, in whatever order events come; none is kept. A session fires when
/// the watermark reaches its last event and the gap: its deadline is in a queue, so no key is searched for.
/// </summary>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult> : Operator<T, TResult>, IDeadlineOwner
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    // Their sessions leave the second cache then: about a hundred bytes each.
    private const int ManyKeys = 8_192;
    private const int Late = -2;

    // So far ahead of what fires its session is asked for.
    private const int FiringAhead = 8;

    private readonly WindowParts<TKey, T, TState, TValue, TKernel, TResult> _parts;
    private readonly SessionWindows _windows;
    private readonly TKernel _kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output;
    private readonly long _gap;
    private TKey[] _ids = [];
    private TValue[] _selected = [];
    private int[] _indexes = [];

    // State that checkpoints save: the sessions, and the time. Deadlines follow from the sessions; their order is saved as that of the sessions.
    private readonly SessionTable<TKey, TState> _sessions;
    private readonly GivenSessions<TKey, TState> _given = new();
    private readonly Deadlines _due = new();
    private readonly Deadlines _gone = new();
    private long _watermark = long.MinValue;

    // Where firing stands, so that it goes on behind a projection that threw.
    private int _firing;
    private int _fired;

    internal SessionOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts)
        : base(parts.Next, parts.Query)
    {
        _parts = parts;
        _windows = (SessionWindows)parts.Spec;
        _gap = _windows.Gap;
        _kernel = parts.Kernel;
        _output = new WindowOutput<TKey, TState, TResult>(parts.Next, parts.Result, parts.Identity);
        _sessions = new SessionTable<TKey, TState>(_windows, parts.Key.MaxKeys);
    }

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
        int next = 0;
        while (next < batch.Length)
        {
            next = _sessions.Keys.Count < ManyKeys ? AddToFew(in batch, next) : AddToMany(in batch, next);
        }
    }

    protected override void Advance(long watermark)
    {
        _watermark = Math.Max(_watermark, watermark);
        FireDue(_watermark);
        while (_gone.IsDue(_watermark, out var first))
        {
            int place = _sessions.Find(first.Index, first.Time, SessionPhase.Given);
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
        }
        else
        {
            var failed = _due.Taken[_fired++];
            Settle(failed.Index, PlaceOf(failed, SessionPhase.Changed));
        }
    }

    internal override void Save(StateWriter writer)
    {
        // Those that fire first, first.
        var order = _due.ToList().Select(deadline => (deadline.Index, Place: PlaceOf(deadline, SessionPhase.Changed)))
            .Concat(_gone.ToList().Select(deadline => (deadline.Index, Place: PlaceOf(deadline, SessionPhase.Given))))
            .Where(session => session.Place >= 0).Distinct().ToList();
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
                Restore(id, in session);
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

    protected override void Release()
    {
        _output.Dispose();
        Pooled.Return(ref _ids, _ids.Length);
        Pooled.Return(ref _selected, _selected.Length);
        Pooled.Return(ref _indexes, 0);
    }

    bool IDeadlineOwner.Has(Deadline deadline, Deadlines among) =>
        PlaceOf(deadline, ReferenceEquals(among, _due) ? SessionPhase.Changed : SessionPhase.Given) >= 0;

    void IDeadlineOwner.Number(Deadline deadline, int number, Deadlines among)
    {
        if (ReferenceEquals(among, _due))
        {
            _sessions.At(deadline.Index, deadline.Place).Due = number;
        }
    }

    /// <summary>The place of the session that a deadline is about, or -1 where it has moved.</summary>
    private int PlaceOf(Deadline deadline, SessionPhase phase) =>
        phase == SessionPhase.Changed && deadline.Place >= 0 ? deadline.Place : _sessions.Find(deadline.Index, deadline.Time, phase);

    private void FireDue(long time)
    {
        while (_given.HasWithdrawn)
        {
            ref var withdrawn = ref _given.FirstWithdrawn;
            var info = new WindowInfo<TKey>(withdrawn.Key, withdrawn.Start, withdrawn.End, Firing.Withdrawn, withdrawn.Given.Revision);
            _output.Correct(in info, (byte)StableHash.GroupOf(withdrawn.Key), ref withdrawn.State, withdrawn.Given.Start, withdrawn.Given.End, EventKind.Retract);
            DropWithdrawn();
        }

        if (_fired == _firing)
        {
            (_fired, _firing) = (0, _due.TakeDue(time));
        }

        for (; _fired < _firing; _fired++)
        {
            var ahead = _due.Taken[Math.Min(_fired + FiringAhead, _firing - 1)];
            Ahead.PrefetchAt(ref _sessions.Keys.Entries[ahead.Index].State.State);
            var deadline = _due.Taken[_fired];
            int place = PlaceOf(deadline, SessionPhase.Changed);
            if (place >= 0)
            {
                Emit(deadline.Index, place);
                Settle(deadline.Index, place);
            }
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
        ref var session = ref _sessions.At(index, place);
        session.Due = 0;
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
        _gone.Set(_windows.DeadlineOf(session.Last, SessionPhase.Given), index);
    }

    private void Forget(int index, int place)
    {
        ref var session = ref _sessions.At(index, place);
        Debug.Assert(session.Due == 0 && (place != SessionTable<TKey, TState>.Newest || session.Older == 0 || _sessions.At(index, session.Older).Due == 0), "Older sessions are over before newer ones.");
        _given.Remove(session.Given);
        _kernel.Release(ref session.State);
        _sessions.Remove(index, place);
    }

    private void DropWithdrawn()
    {
        _kernel.Release(ref _given.FirstWithdrawn.State);
        _given.RemoveWithdrawn();
    }

    private void Tidy()
    {
        var places = _sessions.Tidy(_watermark);
        _due.Tidy(this, places);
        _gone.Tidy(this, places);
    }
}
