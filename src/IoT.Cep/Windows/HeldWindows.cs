using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The windows whose results may change once they are given: those that have ended and still take late events, and, where results are given early,
/// those that are open. Each holds its own state of each key, and what it has given.
/// </summary>
internal sealed class HeldWindows<TKey, T, TState, TValue, TKernel, TResult>(
    TimeWindows windows, TKernel kernel, WindowOutput<TKey, TState, TResult> output, ColumnPool<T, TState, TValue, TKernel> pool, KeyLives lives)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly bool _isEarly = windows.IsEarly;
    private readonly Emission _emission = windows.Emission;
    private readonly Stack<Held> _free = new();
    private readonly List<Change> _changes = [];
    private Given[] _spareGiven = [];
    private TResult[] _sparePrevious = [];

    // State that checkpoints save: by end and size.
    private readonly List<Held> _held = [];

    /// <summary>Where firing stands, so that it goes on behind a projection that threw.</summary>
    internal int FireAt { get; set; }

    /// <summary>
    /// Adds an event to each window here that takes it, and gives the results that are due. All results are made before any state is touched, so that
    /// an event at which a projection throws changes nothing.
    /// </summary>
    internal void Add(in T value, in TValue selected, long ticks, int number, TKey key, byte group, long watermark)
    {
        _changes.Clear();
        long gone = Math.Max(ticks, windows.GoneUpTo(watermark));
        for (int series = 0; series < windows.SeriesCount; series++)
        {
            for (var (start, end) = windows.FirstWindow(series, gone); start <= ticks; (start, end) = windows.FirstWindow(series, end))
            {
                bool hasEnded = end <= watermark;
                if (!hasEnded && !_isEarly)
                {
                    break;
                }

                _changes.Add(ChangeOf(At(series, start, end, watermark), hasEnded, in value, in selected, ticks, number, key));
            }
        }

        foreach (var change in _changes)
        {
            ref var state = ref change.Window.States[number];
            if (!change.IsGiven)
            {
                kernel.Add(ref state, in value, in selected, ticks);
                change.Window.Given[number].Pending++;
                continue;
            }

            kernel.Release(ref state);
            state = change.State;
            Give(change.Window, number, change.Info, group, change.HasResult, change.Made);
        }
    }

    /// <summary>Gives a window's result for a key whose state is complete.</summary>
    internal void Give(Held held, int number, TKey key, byte group, Firing firing)
    {
        var info = new WindowInfo<TKey>(key, held.Start, held.End, firing, held.Given[number].Revision);
        bool hasResult = output.Result.TryMake(in info, ref held.States[number], out var made);
        Give(held, number, info, group, hasResult, made);
    }

    /// <summary>Gives the results that are due at this time: those of windows that end, and early ones.</summary>
    internal void FireDue(long time, KeyIndex<TKey> keys)
    {
        foreach (var held in _held)
        {
            bool ends = !held.HasFired && held.End <= time;
            bool isEarly = !ends && held.End > time && held.NextEarly <= time;
            if (!ends && !isEarly)
            {
                continue;
            }

            var order = keys.InOrder();
            for (; FireAt < order.Length; FireAt++)
            {
                int number = order[FireAt];
                if (kernel.HasEvents(in held.States[number]) && (ends || held.Given[number].Pending > 0))
                {
                    ref var entry = ref keys.At(number);
                    Give(held, number, entry.Key, entry.Group, ends ? Firing.OnTime : Firing.Early);
                }
            }

            FireAt = 0;
            held.HasFired |= ends;
            held.NextEarly = NextEarly(held, time);
        }
    }

    /// <summary>Forgets the windows that take nothing more.</summary>
    internal void Forget(long goneUpTo)
    {
        int count = 0;
        while (count < _held.Count && _held[count].End <= goneUpTo)
        {
            Free(_held[count++]);
        }

        _held.RemoveRange(0, count);
    }

    /// <summary>The window, which is opened where it is not there.</summary>
    internal Held At(int series, long start, long end, long watermark)
    {
        int at = _held.Count;
        while (at > 0 && (_held[at - 1].End > end || (_held[at - 1].End == end && _held[at - 1].Series > series)))
        {
            at--;
        }

        if (at > 0 && _held[at - 1].End == end && _held[at - 1].Series == series)
        {
            return _held[at - 1];
        }

        var held = _free.Count > 0 ? _free.Pop() : new Held();
        (held.Series, held.Start, held.End, held.HasFired) = (series, start, end, end <= watermark);
        held.States = pool.Rent();
        Resize(held);
        held.NextEarly = NextEarly(held, watermark);
        _held.Insert(at, held);
        return held;
    }

    /// <summary>Gives, before a key is forgotten, what its windows have not given yet.</summary>
    internal void GiveEarly(int number, TKey key, byte group)
    {
        foreach (var held in _held)
        {
            if (held.Given[number].Pending > 0 && kernel.HasEvents(in held.States[number]))
            {
                Give(held, number, key, group, Firing.Early);
            }
        }
    }

    /// <summary>Forgets a key.</summary>
    internal void Clear(int number)
    {
        foreach (var held in _held)
        {
            kernel.Release(ref held.States[number]);
            held.States[number] = default;
            held.Given[number] = default;
            if (held.Previous.Length > 0)
            {
                held.Previous[number] = default!;
            }
        }
    }

    internal void Grow()
    {
        foreach (var held in _held)
        {
            held.States = pool.Grow(held.States);
            Resize(held);
        }
    }

    internal void Sort(ReadOnlySpan<int> order)
    {
        foreach (var held in _held)
        {
            held.States = pool.Sort(held.States, order);
            held.Given = Sorted(held.Given, ref _spareGiven, order);
            held.Previous = Sorted(held.Previous, ref _sparePrevious, order);
        }
    }

    internal void Save(StateWriter writer, ReadOnlySpan<int> numbers)
    {
        writer.Int32(_held.Count);
        foreach (var held in _held)
        {
            writer.Int32(held.Series);
            writer.Int64(held.Start);
            writer.Int64(held.End);
            for (int i = 0; i < numbers.Length; i++)
            {
                int number = numbers[i];
                if (!kernel.HasEvents(in held.States[number]))
                {
                    continue;
                }

                writer.Int32(i);
                kernel.Save(writer, in held.States[number]);
                var given = held.Given[number];
                writer.Int32(given.Revision);
                writer.Int32(given.Pending);
                writer.Boolean(given.Stands);
                if (given.Stands && held.Previous.Length > 0)
                {
                    StateCodec.Require<TResult>().Write(writer, held.Previous[number]);
                }
            }

            writer.Int32(-1);
        }
    }

    /// <summary>Takes in the windows that a shard saved; keys have other numbers here, and -1 where they belong to other shards.</summary>
    internal void Load(StateReader reader, int[] numbers, long watermark)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            var held = At(reader.Int32(), reader.Int64(), reader.Int64(), watermark);
            for (int place = reader.Int32(); place >= 0; place = reader.Int32())
            {
                var state = kernel.Load(reader);
                var given = new Given { Revision = reader.Int32(), Pending = reader.Int32(), Stands = reader.Boolean() };
                var previous = given.Stands && held.Previous.Length > 0 ? StateCodec.Require<TResult>().Read(reader) : default!;
                int number = numbers[place];
                if (number < 0)
                {
                    continue;
                }

                (held.States[number], held.Given[number]) = (state, given);
                if (held.Previous.Length > 0)
                {
                    held.Previous[number] = previous;
                }
            }
        }
    }

    private Change ChangeOf(Held held, bool hasEnded, in T value, in TValue selected, long ticks, int number, TKey key)
    {
        ref var given = ref held.Given[number];
        if (!hasEnded && (_emission.EveryEvents == 0 || given.Pending + 1 < _emission.EveryEvents))
        {
            return new Change { Window = held };
        }

        var change = new Change
        {
            Window = held,
            IsGiven = true,
            Info = new WindowInfo<TKey>(key, held.Start, held.End, hasEnded ? Firing.Late : Firing.Early, given.Revision),
        };
        kernel.Merge(ref change.State, in held.States[number]);
        kernel.Add(ref change.State, in value, in selected, ticks);
        change.HasResult = output.Result.TryMake(in change.Info, ref change.State, out change.Made);
        return change;
    }

    private void Give(Held held, int number, WindowInfo<TKey> info, byte group, bool hasResult, TResult made)
    {
        ref var given = ref held.Given[number];
        given.Pending = 0;
        if (!hasResult)
        {
            if (given.Stands)
            {
                output.Put(in info, group, output.Result.Withdrawing(held.Previous[number], in info), EventKind.Retract, lives.OrdinalOf(number));
                given.Stands = false;
                given.Revision++;
                held.Previous[number] = default!;
            }

            return;
        }

        if (held.Previous.Length > 0)
        {
            made = given.Stands ? output.Result.Replacing(made, held.Previous[number]) : made;
            held.Previous[number] = made;
        }

        output.Put(in info, group, made, given.Stands ? EventKind.Update : EventKind.Insert, lives.OrdinalOf(number));
        given.Stands = true;
        given.Revision++;
    }

    private long NextEarly(Held held, long time)
    {
        long every = _emission.EveryTicks;
        return every == 0 || time >= held.End ? long.MaxValue : Ticks.Plus(held.Start, time < held.Start ? every : (((time - held.Start) / every) + 1) * every);
    }

    private void Resize(Held held)
    {
        Array.Resize(ref held.Given, pool.Capacity);
        if (output.Result.NeedsPrevious)
        {
            Array.Resize(ref held.Previous, pool.Capacity);
        }
    }

    private TColumn[] Sorted<TColumn>(TColumn[] column, ref TColumn[] spare, ReadOnlySpan<int> order)
    {
        if (column.Length == 0)
        {
            return column;
        }

        var sorted = spare.Length == pool.Capacity ? spare : new TColumn[pool.Capacity];
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = column[order[i]];
        }

        Array.Clear(column);
        spare = column;
        return sorted;
    }

    private void Free(Held held)
    {
        pool.Return(held.States);
        held.States = [];
        Array.Clear(held.Given);
        Array.Clear(held.Previous);
        if (_free.Count < 4)
        {
            _free.Push(held);
        }
    }

    /// <summary>A window and its states; used again for a later one.</summary>
    internal sealed class Held
    {
        internal int Series;
        internal long Start;
        internal long End;
        internal bool HasFired;
        internal long NextEarly;
        internal TState[] States = [];
        internal Given[] Given = [];

        /// <summary>The results that stand; empty where nobody asks for them.</summary>
        internal TResult[] Previous = [];
    }

    /// <summary>What a window has given of a key: how many results, how many events since, and whether the last one still stands.</summary>
    internal struct Given
    {
        internal int Revision;
        internal int Pending;
        internal bool Stands;
    }

    private struct Change
    {
        internal Held Window;
        internal bool IsGiven;
        internal bool HasResult;
        internal WindowInfo<TKey> Info;
        internal TState State;
        internal TResult Made;
    }
}
