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
    private readonly TumblingWindows _windows = (TumblingWindows)parts.Spec;
    private readonly KeyTimelineSpec _time = parts.Key.Timeline!;
    private readonly TKernel _kernel = parts.Kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private readonly KeyedMap<TKey, KeyState> _keys = new(parts.Key.MaxKeys);

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

    protected override void Process(in Batch<T> batch)
    {
        var (keyOf, fused) = (parts.Key.Select, _kernel);
        var (running, idleAfter, maxDisorder) = (_running, _time.IdleAfter.Ticks, _time.MaxDisorder.Ticks);
        var ticks = batch.Ticks;
        var view = new KeyedMap<TKey, KeyState>.View(_keys);
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            ref readonly var value = ref batch.Events[i];
            var id = keyOf(value);
            var selected = fused.Select(in value);
            int index = view.IndexOf(id, out uint hash);
            if (index >= 0)
            {
                // A window that takes events has not been reached by the key's watermark, and none of its events can do that.
                ref var state = ref view.StateAt(index);
                if (state.Takes(ticks[i]) && !state.Time.IsSilent(running, idleAfter))
                {
                    fused.Add(ref state.Newest.State, in value, in selected, ticks[i]);
                    if (state.Time.Observe(ticks[i], running, maxDisorder) >= state.OlderDue)
                    {
                        Schedule(ref state, id);
                    }

                    continue;
                }
            }
            else
            {
                index = Add(id, hash);
                view = new KeyedMap<TKey, KeyState>.View(_keys);
            }

            Take(index, in value, in selected, ticks[i]);
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
        var entries = _keys.Entries;
        for (int i = 0; i < entries.Length; i++)
        {
            ref var state = ref entries[i].State;
            if (state.Time.Advance(running, _time) && HasDue(in state))
            {
                silent.Add((state.Sequence, i));
            }
        }

        // In the order in which the keys began, whichever way they came into the map.
        silent.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        foreach (var (_, index) in silent)
        {
            Schedule(ref _keys.Entries[index].State, _keys.Entries[index].Key);
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
        if (_due.Count == 0 || !_keys.Find(_due[^1]).IsEnding)
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

    protected override void Release() => _output.Dispose();

    /// <summary>An event that is not simply one more of its key's newest window.</summary>
    private void Take(int index, in T value, in TValue selected, long ticks)
    {
        ref var entry = ref _keys.Entries[index];
        ref var state = ref entry.State;
        state.Time.Advance(_running, _time);
        if (state.Time.IsSpent(_running, _time, _windows))
        {
            // The key begins anew. What its silence has closed may still wait for the next watermark.
            GiveOut(ref state, entry.Key, entry.Group, state.Time.Watermark);
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
            state.Time.Observe(ticks, _running, _time.MaxDisorder.Ticks);
        }
        else
        {
            long start = _windows.StartOf(ticks);
            ref var window = ref WindowAt(ref state, start);
            if (_windows.EndOf(start) <= watermark)
            {
                Correct(ref window, entry.Key, entry.Group, in value, in selected, ticks);
            }
            else
            {
                _kernel.Add(ref window.State, in value, in selected, ticks);
            }

            state.Time.Observe(ticks, _running, _time.MaxDisorder.Ticks);
        }

        if (HasDue(in state))
        {
            Schedule(ref state, entry.Key);
        }
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
            state.Open(start, _windows.EndOf(start));
            return ref state.Newest;
        }

        if (start == state.Newest.Start)
        {
            return ref state.Newest;
        }

        if (start < state.Newest.Start)
        {
            ref var older = ref _older.GetOrInsert(ref state.Oldest, start);
            state.OlderDue = Math.Min(state.OlderDue, DueOf(in older));
            return ref older;
        }

        ref var moved = ref _older.GetOrInsert(ref state.Oldest, state.Newest.Start);
        int next = moved.Next;
        moved = state.Newest;
        moved.Next = next;
        state.OlderDue = Math.Min(state.OlderDue, DueOf(in moved));
        state.Open(start, _windows.EndOf(start));
        return ref state.Newest;
    }

    /// <summary>When the key's time gives a window something to do: to be given out, or to be forgotten.</summary>
    private long DueOf(in ChainedWindow<TState> window) => window.HasFired ? _windows.GoneAt(window.Start) : _windows.EndOf(window.Start);

    private bool HasDue(in KeyState state) =>
        state.Time.Watermark >= state.OlderDue || (state.HasNewest && state.Time.Watermark >= DueOf(in state.Newest));

    private void Schedule(ref KeyState state, TKey id)
    {
        state.EndIfReached(_windows.EndOf(state.Newest.Start));
        if (!state.IsDue)
        {
            state.IsDue = true;
            _due.Add(id);
        }
    }

    private void ScheduleAll()
    {
        var all = new List<(long Sequence, int Index)>();
        for (int i = 0; i < _keys.Count; i++)
        {
            all.Add((_keys.Entries[i].State.Sequence, i));
        }

        all.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        foreach (var (_, index) in all)
        {
            ref var entry = ref _keys.Entries[index];
            Schedule(ref entry.State, entry.Key);
            entry.State.IsEnding = true;
        }
    }

    private void GiveOut(bool untilEnd)
    {
        for (; _dueIndex < _due.Count; _dueIndex++)
        {
            ref var entry = ref _keys.Entries[_keys.IndexOf(_due[_dueIndex])];
            GiveOut(ref entry.State, entry.Key, entry.Group, untilEnd ? long.MaxValue : entry.State.Time.Watermark);
            entry.State.IsDue = false;
        }

        _due.Clear();
        _dueIndex = 0;
        _output.Flush();
    }

    private void GiveOut(ref KeyState state, TKey id, byte group, long time)
    {
        for (int at = state.Oldest; at != 0; at = _older[at].Next)
        {
            ref var window = ref _older[at];
            if (_windows.EndOf(window.Start) <= time)
            {
                GiveOut(ref window, id, group);
            }
        }

        if (state.HasNewest && _windows.EndOf(state.Newest.Start) <= time)
        {
            GiveOut(ref state.Newest, id, group);
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
    internal long Start;
    internal TState State;

    /// <summary>How many results it has had.</summary>
    internal int Revision;

    /// <summary>The next later window of the key; 0 for none.</summary>
    internal int Next;

    /// <summary>Whether its end was reached and what it had was given out.</summary>
    internal bool HasFired;
}
