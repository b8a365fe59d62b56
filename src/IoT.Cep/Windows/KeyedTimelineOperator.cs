using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Tumbling windows of keys that keep a time of their own: the key's time and its newest window stand in its entry, so an event is one look-up; older
/// windows, of which a key in order has none, are chained beside. What a key's own progress closes is given out at the next watermark.
/// </summary>
internal sealed partial class KeyedTimelineOperator<TKey, T, TState, TValue, TKernel, TResult>(
    WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts) : Operator<T, TResult>(parts.Next, parts.Query)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    // As many as a few batches have events.
    private const int MostTogether = 4_096;

    private readonly TumblingWindows _windows = (TumblingWindows)parts.Spec;
    private readonly KeySelector<TKey, T> _key = parts.Key;
    private readonly KeyTimelineSpec _time = parts.Key.Timeline!;
    private readonly TKernel _kernel = parts.Kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private readonly StateTable<TKey, KeyState> _keys = new(parts.Key.MaxKeys);

    // Keys with a window to give out, in the order in which it became due, and where giving out stands.
    private readonly List<TKey> _due = [];
    private readonly List<(long Sequence, int Index)> _silent = [];
    private int _dueIndex;
    private long _nextLook;
    private long _newestSequence;

    // State that checkpoints save: the keys with their windows, and the times.
    private readonly WindowChains<TState> _older = new();
    private long _watermark = long.MinValue;
    private long _running;

    internal override bool IsStateful => true;

    /// <summary>How many windows are likely to become due together: room for them is made at once, not at some later window that happens to have more.</summary>
    private int DueTogether => Math.Min(_keys.Count, MostTogether);

    /// <summary>Each way goes on until a new key gives the table another form.</summary>
    protected override void Process(in Batch<T> batch)
    {
        var events = batch.Events[..batch.Length];
        for (int next = 0; next < events.Length;)
        {
            next = AreMany ? AddToMany(events, batch.Ticks, next)
                : _keys.Direct is not null ? AddToDirect(events, batch.Ticks, next)
                : AddToSmall(events, batch.Ticks, next);
        }
    }

    /// <summary>Silence closes windows as well.</summary>
    internal override void OnRunningTime(long running)
    {
        _running = running;
        if (running < _nextLook)
        {
            return;
        }

        _nextLook = Ticks.Plus(running, _time.LookEvery);
        var silent = _silent;
        for (int i = 0; i < _keys.Count; i++)
        {
            ref var state = ref _keys.At(i).State;
            if (state.Time.Advance(running, _time) && HasDue(in state))
            {
                silent.Add((state.Sequence, i));
            }

            if (state.Time.IsSilent(_nextLook, _time.IdleAfter.Ticks))
            {
                state.Length = 0;
            }
        }

        // In the order in which the keys began, whichever way they came into the table.
        silent.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        foreach (var (_, index) in silent)
        {
            var slot = _keys.At(index);
            Schedule(ref slot.State, slot.Key);
        }

        silent.Clear();
    }

    protected override void Advance(long watermark)
    {
        _watermark = Math.Max(_watermark, watermark);
        GiveOut(untilEnd: false);
        ForgetKeys(force: false);
        Next.OnWatermark(_watermark);
    }

    protected override void Complete()
    {
        if (_due.Count == 0 || !_keys.GetOrAdd(_due[^1]).IsEnding)
        {
            ScheduleAll();
        }

        GiveOut(untilEnd: true);
        Next.OnCompleted();
    }

    protected override void DropResult()
    {
        // A window counts as given out before its result is made.
    }

    protected override void Release()
    {
        _output.Dispose();
        Pooled.Return(ref _ids, _ids.Length);
        Pooled.Return(ref _selected, _selected.Length);
    }

    /// <summary>An event that is not simply one more of its key's newest window.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Take(TKey id, in T value, TValue selected, long ticks)
    {
        ref var state = ref StateOf(id);

        // Should the event fail, the next one comes here as well.
        state.Length = 0;
        state.Time.Advance(_running, _time);
        if (state.Time.IsSpent(_running, _time, _windows))
        {
            // The key begins anew. What its silence has closed may still wait for the next watermark.
            GiveOut(ref state, id, state.Time.Watermark);
            state.Time = default;
        }

        if (!state.Time.HasBegun)
        {
            state.Sequence = ++_newestSequence;
        }

        long watermark = state.Time.Watermark;
        if (_windows.IsPast(ticks, watermark))
        {
            Interlocked.Increment(ref Query.LateEvents);
        }
        else
        {
            long start = _windows.StartOf(ticks);
            ref var window = ref WindowAt(ref state, start);
            if (_windows.EndOf(start) <= watermark)
            {
                Correct(ref window, id, state.Group, in value, in selected, ticks);
            }
            else
            {
                _kernel.Add(ref window.State, in value, in selected, ticks);
            }
        }

        state.Time.Observe(ticks, _running, _time.MaxDisorder.Ticks);
        if (HasDue(in state))
        {
            Schedule(ref state, id);
        }

        Reopen(ref state);
    }

    /// <summary>
    /// Says for which times an event can be added to the newest window without ado. It then gives no window anything to do, and its key cannot have fallen silent
    /// before the next look.
    /// </summary>
    private void Reopen(ref KeyState state)
    {
        state.Length = 0;
        long end = _windows.EndOf(state.Newest.Start);
        if (!state.HasNewest || !state.Time.HasBegun || state.Time.Watermark >= end || _time.LookEvery >= _time.IdleAfter.Ticks
            || state.Time.IsSilent(_nextLook, _time.IdleAfter.Ticks))
        {
            return;
        }

        long until = state.IsDue ? end : Math.Min(end, Ticks.Plus(state.OlderDue, _time.MaxDisorder.Ticks));
        state.Length = Math.Max(0, until - state.Newest.Start);
    }

    /// <summary>A late event that is allowed: the window gives out what it had, if it has not yet, and then the correction.</summary>
    private void Correct(ref ChainedWindow<TState> window, TKey id, byte group, in T value, in TValue selected, long ticks)
    {
        GiveOut(ref window, id, group);
        TState corrected = default;
        _kernel.Merge(ref corrected, in window.State);
        _kernel.Add(ref corrected, in value, in selected, ticks);
        _output.Emit(InfoOf(in window, id), group, ref corrected);

        // Only now: an event whose correction can't be projected becomes a dead letter, and is in no later result.
        _kernel.Release(ref window.State);
        window.State = corrected;
        window.Revision++;
    }

    /// <summary>The key's window that begins here, made where it is not there.</summary>
    private ref ChainedWindow<TState> WindowAt(ref KeyState state, long start)
    {
        if (!state.HasNewest)
        {
            state.Open(start);
            return ref state.Newest;
        }

        if (start == state.Newest.Start)
        {
            return ref state.Newest;
        }

        if (start < state.Newest.Start)
        {
            ref var older = ref _older.GetOrInsert(ref state.Oldest, start, DueTogether);
            state.OlderDue = Math.Min(state.OlderDue, DueOf(in older));
            return ref older;
        }

        ref var moved = ref _older.GetOrInsert(ref state.Oldest, state.Newest.Start, DueTogether);
        int next = moved.Next;
        moved = state.Newest;
        moved.Next = next;
        state.OlderDue = Math.Min(state.OlderDue, DueOf(in moved));
        state.Open(start);
        return ref state.Newest;
    }

    /// <summary>When the key's time gives a window something to do: to be given out, or to be forgotten.</summary>
    private long DueOf(in ChainedWindow<TState> window) => window.HasFired ? _windows.GoneAt(window.Start) : _windows.EndOf(window.Start);

    private bool HasDue(in KeyState state) =>
        state.Time.Watermark >= state.OlderDue || (state.HasNewest && state.Time.Watermark >= DueOf(in state.Newest));

    private void Schedule(ref KeyState state, TKey id)
    {
        if (state.HasNewest && state.Time.Watermark >= _windows.EndOf(state.Newest.Start))
        {
            state.Length = 0;
        }

        if (!state.IsDue)
        {
            state.IsDue = true;
            _due.EnsureCapacity(DueTogether);
            _due.Add(id);
        }
    }

    private void ScheduleAll()
    {
        var all = new List<(long Sequence, int Index)>();
        for (int i = 0; i < _keys.Count; i++)
        {
            ref var state = ref _keys.At(i).State;
            state.Time.CatchUp(_time.MaxDisorder.Ticks);
            all.Add((state.Sequence, i));
        }

        all.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        foreach (var (_, index) in all)
        {
            var slot = _keys.At(index);
            Schedule(ref slot.State, slot.Key);
            slot.State.IsEnding = true;
        }
    }

    private void GiveOut(bool untilEnd)
    {
        for (; _dueIndex < _due.Count; _dueIndex++)
        {
            var id = _due[_dueIndex];
            ref var state = ref _keys.GetOrAdd(id);
            state.Time.CatchUp(_time.MaxDisorder.Ticks);
            GiveOut(ref state, id, untilEnd ? long.MaxValue : state.Time.Watermark);
            state.IsDue = false;
            Reopen(ref state);
        }

        _due.Clear();
        _dueIndex = 0;
        _output.Flush();
    }

    private void GiveOut(ref KeyState state, TKey id, long time)
    {
        for (int at = state.Oldest; at != 0; at = _older[at].Next)
        {
            ref var window = ref _older[at];
            if (_windows.EndOf(window.Start) <= time)
            {
                GiveOut(ref window, id, state.Group);
            }
        }

        if (state.HasNewest && _windows.EndOf(state.Newest.Start) <= time)
        {
            GiveOut(ref state.Newest, id, state.Group);
        }

        LetGo(ref state, time);
    }

    private void GiveOut(ref ChainedWindow<TState> window, TKey id, byte group)
    {
        if (window.HasFired)
        {
            return;
        }

        window.HasFired = true;
        if (_kernel.HasEvents(in window.State))
        {
            _output.Emit(InfoOf(in window, id), group, ref window.State);
            window.Revision++;
        }
    }

    private WindowInfo<TKey> InfoOf(in ChainedWindow<TState> window, TKey id) => new(
        id, window.Start, _windows.EndOf(window.Start), window.Revision == 0 ? Firing.OnTime : Firing.Late, window.Revision);

    /// <summary>Windows that take nothing more are forgotten.</summary>
    private void LetGo(ref KeyState state, long time)
    {
        while (state.Oldest != 0 && _windows.GoneAt(_older[state.Oldest].Start) <= time)
        {
            _kernel.Release(ref _older[state.Oldest].State);
            state.Oldest = _older.Remove(state.Oldest);
        }

        state.OlderDue = long.MaxValue;
        for (int at = state.Oldest; at != 0; at = _older[at].Next)
        {
            state.OlderDue = Math.Min(state.OlderDue, DueOf(in _older[at]));
        }

        if (state.HasNewest && _windows.GoneAt(state.Newest.Start) <= time)
        {
            _kernel.Release(ref state.Newest.State);
            state.Close();
        }
    }
}

/// <summary>A window of one key.</summary>
internal struct ChainedWindow<TState>
{
    internal TState State;
    internal long Start;

    /// <summary>How many results it has had.</summary>
    internal int Revision;

    /// <summary>The next later window of the key; 0 for none.</summary>
    internal int Next;

    /// <summary>Whether its end was reached and what it had was given out.</summary>
    internal bool HasFired;
}
