using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sessions for each key. An event lengthens a session, joins two, or begins one, in whatever order events come; none is kept. A session fires when
/// the watermark reaches its last event and the gap: the times of events are a queue of what may be over, so no key is searched for.
/// </summary>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult> : Operator<T, TResult>
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    // So many sessions stay in the first cache from being looked up to being changed.
    private const int AtOnce = 128;
    private const int Late = -2;

    private readonly WindowParts<TKey, T, TState, TValue, TKernel, TResult> _parts;
    private readonly SessionWindows _windows;
    private readonly TKernel _kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output;
    private readonly long _gap;

    // Whether sessions may be closed before the watermark: an event that comes behind others is rare then, and no session that was given is changed.
    private readonly bool _closesEarly;
    private TValue[] _selected = [];
    private int[] _indexes = [];
    private readonly HashSet<TKey> _counted = [];

    // State that checkpoints save: the sessions, and the time. What is due follows from the sessions; its order is saved as that of the sessions.
    private readonly SessionTable<TKey, TState> _sessions;
    private readonly GivenSessions<TKey, TState> _given = new();
    private readonly SessionQueue _due = new();
    private readonly SessionQueue _gone = new();
    private readonly ClosedSessions<TKey, TState> _closed = new();
    private long _watermark = long.MinValue;

    // Sessions that end here or before may be closed already. Not saved: they are open again after a restore.
    private long _closedUpTo = long.MinValue;

    // Where firing stands, so that it goes on behind a projection that threw.
    private readonly ClosedSessions<TKey, TState> _closedLate = new();
    private (int Index, int Place) _firing;
    private bool _isFiring;

    internal SessionOperator(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts)
        : base(parts.Next, parts.Query)
    {
        _parts = parts;
        _windows = (SessionWindows)parts.Spec;
        _gap = _windows.Gap;
        _closesEarly = parts.IsOrdered && !_windows.IsUpdating;
        _kernel = parts.Kernel;
        _output = new WindowOutput<TKey, TState, TResult>(parts.Next, parts.Result, parts.Identity);
        _sessions = new SessionTable<TKey, TState>();
    }

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
        Pooled.Ensure(ref _indexes, AtOnce);
        Pooled.Ensure(ref _selected, AtOnce);
        for (int start = 0; start < batch.Length; start += AtOnce)
        {
            AddSome(in batch, start, Math.Min(start + AtOnce, batch.Length));
        }
    }

    protected override void Advance(long watermark)
    {
        _watermark = Math.Max(_watermark, watermark);
        FireDue(_watermark);
        while (_gone.TryTake(_windows.LastOver(_watermark, SessionPhase.Given), out var last))
        {
            int place = _sessions.Find(last.Index, last.Time, SessionPhase.Given);
            if (place >= 0)
            {
                Forget(last.Index, place);
            }
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
        else if (_isFiring)
        {
            Settle(_firing.Index, _firing.Place);
        }
        else
        {
            Drop(NextClosed(long.MaxValue)!);
        }
    }

    internal override void Save(StateWriter writer)
    {
        // Those that fire first, first.
        var changed = _due.All().Select(last => (last.Index, Place: _sessions.Find(last.Index, last.Time, SessionPhase.Changed)))
            .Concat(_gone.All().Select(last => (last.Index, Place: _sessions.Find(last.Index, last.Time, SessionPhase.Given))))
            .Where(session => session.Place >= 0).Distinct().ToList();
        writer.Int64(_watermark);
        writer.Int32(_closed.Count + changed.Count);

        // Nothing in the queue ends before all that were closed, but for what came late: among equal ones those closed come first.
        int closed = 0;
        foreach (var (index, place) in changed)
        {
            ref var session = ref _sessions.At(index, place);
            for (; closed < _closed.Count && (_closed.All[closed].Last <= session.Last || session.Phase == SessionPhase.Given); closed++)
            {
                Save(writer, in _closed.All[closed]);
            }

            StateCodec.Require<TKey>().Write(writer, _sessions.KeyAt(index));
            writer.Int64(session.First);
            writer.Int64(session.Last);
            writer.Byte((byte)session.Phase);
            GivenSessions<TKey, TState>.Write(writer, session.Given == 0 ? default : _given.At(session.Given));
            _kernel.Save(writer, in session.State);
        }

        for (; closed < _closed.Count; closed++)
        {
            Save(writer, in _closed.All[closed]);
        }

        SaveWithdrawn(writer);
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        _closedUpTo = _watermark;
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = StateCodec.Require<TKey>().Read(reader);
            var session = new Session<TState> { First = reader.Int64(), Last = reader.Int64(), Phase = (SessionPhase)reader.Byte() };
            var given = GivenSessions<TKey, TState>.Read(reader);
            session.State = _kernel.Load(reader);
            if (_parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                session.Given = given.Revision == 0 ? 0 : _given.Add(given);
                Restore(id, session);
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
        Pooled.Return(ref _selected, _selected.Length);
        Pooled.Return(ref _indexes, 0);
    }

    private void Save(StateWriter writer, ref readonly ClosedSession<TKey, TState> session)
    {
        StateCodec.Require<TKey>().Write(writer, session.Key);
        writer.Int64(session.First);
        writer.Int64(session.Last);
        writer.Byte((byte)SessionPhase.Changed);
        GivenSessions<TKey, TState>.Write(writer, default);
        _kernel.Save(writer, in session.State);
    }

    private void SaveWithdrawn(StateWriter writer)
    {
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

    private void Tidy()
    {
        var places = _sessions.Tidy(_watermark);
        _due.Tidy(_sessions, SessionPhase.Changed, places);
        _gone.Tidy(_sessions, SessionPhase.Given, places);
    }
}
