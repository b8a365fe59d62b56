using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows per event, behind a <see cref="SortOperator{T}"/>: events come in order of time, so that all keys' events stand in one queue, which says whose window is complete and who has
/// left. Only their states are kept.
/// </summary>
/// <remarks>
/// Events out of order are sorted first, up to the watermark, for O(log n) each. FiBA (Tangwongsan, Hirzel and Schneider, "Optimal and general
/// out-of-order sliding-window aggregation", VLDB 2019) takes them into a tree of states for O(log d) each, d being how far one is out of order. Results
/// here wait for the watermark in any case, and behind the watermark nothing comes, so a tree would do the same work over states that the sort does
/// over events, and a stream in order would pay for it.
/// </remarks>
internal sealed class PerEventOperator<TKey, T, TState, TValue, TKernel, TResult>(
    WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts) : Operator<T, TResult>(parts.Next, parts.Query)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int MinTidyAt = 1024; // a pass over fewer is not worth it

    private readonly PerEventWindows _windows = (PerEventWindows)parts.Spec;
    private readonly KeySelector<TKey, T> _key = parts.Key;
    private readonly TKernel _kernel = parts.Kernel;
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private int[] _order = [];

    // State that checkpoints save: the time, the keys' windows, and the events of all of them in order of time.
    private long _now = long.MinValue;
    private readonly WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> _keys = new(parts.Key.MaxKeys);
    private readonly StackedStates<T, TState, TValue, TKernel> _states = new(parts.Kernel);
    private readonly EventQueue _events = new();

    // Which of the results of one time is being made, so that giving out goes on behind a projection that threw.
    private int _run;
    private int _runAt;
    private int _dropped;
    private int _tidyAt = MinTidyAt;

    /// <summary>How many keys and events are held, and how many blocks of states.</summary>
    internal (int Keys, int Events, int Blocks) Held => (_keys.Count, _events.Count, _states.UsedBlocks);

    internal override bool IsStateful => true;

    protected override bool IsGivingOut => _run > 0;

    protected override void Process(in Batch<T> batch)
    {
        var (keyOf, kernel) = (_key.Select, _kernel);
        var ticks = batch.Ticks[..batch.Length];
        for (int i = 0; i < ticks.Length; i++)
        {
            Position = i;
            if (ticks[i] > _now)
            {
                PassTo(ticks[i]);
            }

            ref readonly var value = ref batch.Events[i];
            var id = keyOf(value);
            TState state = default;
            kernel.Add(ref state, in value, kernel.Select(in value), ticks[i]);
            int place = _keys.Find(id, out uint hash);
            if (place < 0)
            {
                place = _keys.Add(id, hash);
            }

            ref var window = ref _keys.At(place).State;
            if (window.Count >= _windows.MaxEventsPerKey)
            {
                MakeRoom(id, ref window);
            }

            _states.Push(ref window, in state);
            _events.Add(ticks[i], place);
        }
    }

    protected override void Advance(long watermark)
    {
        PassTo(watermark);
        _output.Flush();
        Next.OnWatermark(watermark);
    }

    protected override void Complete()
    {
        PassTo(long.MaxValue);
        _output.Flush();
        Next.OnCompleted();
    }

    protected override void DropResult() => _runAt++;

    internal override void Save(StateWriter writer)
    {
        var keyCodec = StateCodec.Require<TKey>();
        var numbers = new Dictionary<int, int>();
        writer.Int64(_now);
        writer.Int32(_keys.Count);
        foreach (int place in _keys.Taken())
        {
            numbers.Add(place, numbers.Count);
            ref var key = ref _keys.At(place);
            keyCodec.Write(writer, key.Key);
            writer.Int32(key.State.Dropped);
            _states.Save(writer, ref key.State);
        }

        writer.Int32(_events.Count);
        foreach (var (ticks, place, waits) in _events.All())
        {
            writer.Int64(ticks);
            writer.Int32(numbers[place]);
            writer.Boolean(waits);
        }

        _output.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        var keyCodec = StateCodec.Require<TKey>();
        _now = Math.Max(_now, reader.Int64());
        int[] places = new int[reader.Int32()];
        for (int i = 0; i < places.Length; i++)
        {
            var id = keyCodec.Read(reader);
            var window = new StackedStates<T, TState, TValue, TKernel>.Stack { Dropped = reader.Int32() };
            _states.Load(reader, ref window);
            if (parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                _keys.Find(id, out uint hash);
                places[i] = _keys.Add(id, hash);
                _keys.At(places[i]).State = window;
                _dropped += window.Dropped;
            }
            else
            {
                places[i] = -1;
                _states.Clear(ref window);
            }
        }

        var events = new List<(long Ticks, int Place, bool Waits)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var saved = (Ticks: reader.Int64(), Place: places[reader.Int32()], Waits: reader.Boolean());
            if (saved.Place >= 0)
            {
                events.Add(saved);
            }
        }

        _events.Load(events);
        if (!reader.AtEnd)
        {
            // A window that was made late has no more than its time.
            _output.Load(reader, parts.Keys);
        }
    }

    protected override void Release()
    {
        _output.Dispose();
        _states.Dispose();
        _events.Dispose();
        Pooled.Return(ref _order, 0);
    }

    /// <summary>Time has come to this instant: gives out all windows that end before it, and forgets what is in no later one.</summary>
    private void PassTo(long time)
    {
        while (_events.HasWaiting && (time == long.MaxValue || _windows.IsDue(_events.WaitingAt(0).Ticks, time)))
        {
            GiveOut();
        }

        _now = Math.Max(_now, time);
        Forget(_windows.StartOf(_events.HasWaiting ? Math.Min(_events.WaitingAt(0).Ticks, time) : time));
        _events.Trim();
    }

    /// <summary>Gives out the results of all events of the oldest time that waits, by key group, as it comes out of any number of shards.</summary>
    private void GiveOut()
    {
        long ticks = _events.WaitingAt(0).Ticks;
        var (start, end) = (_windows.StartOf(ticks), _windows.EndOf(ticks));
        if (_run == 0)
        {
            Forget(start);
            OrderByGroup(ticks);
        }

        for (; _runAt < _run; _runAt++)
        {
            ref var waiting = ref _events.WaitingAt(_order[_runAt]);
            if (waiting.IsDone)
            {
                continue;
            }

            ref var key = ref _keys.At(waiting.Place);
            int ordinal = key.State.Ordinal++;
            var sum = _states.Sum(ref key.State);
            _output.Emit(new WindowInfo<TKey>(key.Key, start, end), key.Group, ref sum, end - 1, ordinal);
            _kernel.Release(ref sum);
        }

        _events.Pass(_run);
        (_run, _runAt) = (0, 0);
    }

    private void OrderByGroup(long ticks)
    {
        int waiting = _events.Waiting, run = 0;
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        for (; run < waiting && _events.WaitingAt(run).Ticks == ticks; run++)
        {
            ref var key = ref _keys.At(_events.WaitingAt(run).Place);
            key.State.Ordinal = 0;
            next[key.Group + 1]++;
        }

        Pooled.Ensure(ref _order, run);
        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        for (int i = 0; i < run; i++)
        {
            _order[next[_keys.At(_events.WaitingAt(i).Place).Group]++] = i;
        }

        (_run, _runAt) = (run, 0);
    }

    /// <summary>Forgets the events before a time, and the keys that have none left. None of them waits.</summary>
    private void Forget(long start)
    {
        while (!_events.IsEmpty && _events.First.Ticks < start)
        {
            int place = _events.First.Place;
            _events.RemoveFirst();
            ref var window = ref _keys.At(place).State;
            if (window.Dropped > 0)
            {
                window.Dropped--;
                _dropped--;
            }
            else
            {
                _states.Pop(ref window);
            }

            if (window.Count == 0 && window.Dropped == 0)
            {
                _keys.Remove(place);
            }
        }
    }

    private void MakeRoom(TKey id, ref StackedStates<T, TState, TValue, TKernel>.Stack window)
    {
        if (_windows.WhenFull == WindowOverflow.Fail)
        {
            throw new WindowLimitException(id, _windows.MaxEventsPerKey);
        }

        _states.Pop(ref window);
        window.Dropped++;
        Interlocked.Increment(ref Query.DroppedWindowEvents);

        // The queue names those that were dropped until their time; they may not become most of it.
        if (++_dropped > _tidyAt && _dropped * 2 > _events.Count)
        {
            _events.RemoveWhere(this, static (at, entry, waits) => !waits && at.TryForgetDropped(entry.Place));

            // Those that still wait for their results stay, however often one looks.
            _tidyAt = Math.Max(MinTidyAt, _dropped * 2);
        }
    }

    /// <summary>A key's dropped events are its first ones in the queue.</summary>
    private bool TryForgetDropped(int place)
    {
        ref var window = ref _keys.At(place).State;
        if (window.Dropped == 0)
        {
            return false;
        }

        window.Dropped--;
        _dropped--;
        return true;
    }
}

/// <summary>A window per event holds as many events of a key as allowed, and met one more.</summary>
#pragma warning disable CA1032 // the key and the limit are what it is for
public sealed class WindowLimitException : InvalidOperationException
#pragma warning restore CA1032
{
    internal WindowLimitException(object key, int maxEvents)
        : base($"A window of the key '{SafeText.Escape(key.ToString())}' met more than {maxEvents:N0} events. Raise the limit with maxEventsPerKey: ..., "
            + "make the window shorter, or let the oldest event give way with whenFull: WindowOverflow.DropOldest.") => MaxEvents = maxEvents;

    /// <summary>The limit.</summary>
    public int MaxEvents { get; }
}
