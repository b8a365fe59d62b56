using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What an operator holds of keys with a time of their own: how keys come and go, and how they are saved.</summary>
internal sealed partial class KeyedTimelineOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>Fewer forgotten keys than these are not worth building the map anew.</summary>
    private const int MinForgotten = 64;

    // When to look again for keys to forget, in running time.
    private long _nextForget;
    private long _nextForced;

    internal override void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<TKey>();
        writer.Int64(_watermark);
        writer.Int64(_running);
        writer.Int64(_nextLook);
        writer.Int32(_keys.Count);
        foreach (ref var entry in _keys.Entries)
        {
            codec.Write(writer, entry.Key);
            entry.State.Time.Save(writer);
            writer.Int64(entry.State.Sequence);
            for (int at = entry.State.Oldest; at != 0; at = _older[at].Next)
            {
                Save(writer, in _older[at]);
            }

            if (entry.State.HasNewest)
            {
                Save(writer, in entry.State.Newest);
            }

            writer.Boolean(false);
        }

        writer.Int32(_due.Count);
        _due.ForEach(id => codec.Write(writer, id));
        _output.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        var codec = StateCodec.Require<TKey>();
        _watermark = Math.Max(_watermark, reader.Int64());
        _running = Math.Max(_running, reader.Int64());
        _nextLook = Math.Max(_nextLook, reader.Int64());
        for (int count = reader.Int32(); count > 0; count--)
        {
            LoadKey(reader, codec.Read(reader));
        }

        for (int due = reader.Int32(); due > 0; due--)
        {
            var id = codec.Read(reader);
            if (parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                Schedule(ref _keys.Find(id), id);
            }
        }

        _output.Load(reader, parts.Keys);
    }

    private void Save(StateWriter writer, in ChainedWindow<TState> window)
    {
        writer.Boolean(true);
        writer.Int64(window.Start);
        writer.Int32(window.Revision);
        writer.Boolean(window.HasFired);
        _kernel.Save(writer, in window.State);
    }

    private void LoadKey(StateReader reader, TKey id)
    {
        KeyState loaded = default;
        bool isOwn = parts.Keys.Contains(StableHash.GroupOf(id));
        ref var state = ref isOwn ? ref _keys.GetOrAdd(id, out _) : ref loaded;
        (state.OlderDue, state.Last) = (long.MaxValue, long.MinValue);
        state.Time = KeyTimeline.Load(reader);
        state.Sequence = reader.Int64();
        _newestSequence = Math.Max(_newestSequence, state.Sequence);
        while (reader.Boolean())
        {
            long start = reader.Int64();
            ref var window = ref WindowAt(ref state, start);
            window.Revision = reader.Int32();
            window.HasFired = reader.Boolean();
            window.State = _kernel.Load(reader);
        }

        if (!isOwn)
        {
            LetGo(ref state, long.MaxValue);
            return;
        }

        // Only now it is known which of them have fired.
        state.OlderDue = long.MaxValue;
        for (int at = state.Oldest; at != 0; at = _older[at].Next)
        {
            state.OlderDue = Math.Min(state.OlderDue, DueOf(in _older[at]));
        }

        state.EndIfReached(_windows.EndOf(state.Newest.Start));
    }

    private int Add(TKey id, uint hash)
    {
        if (_keys.Count >= parts.Key.MaxKeys && _running >= _nextForced)
        {
            _nextForced = Ticks.Plus(_running, _time.LookEvery);
            ForgetKeys(force: true);
        }

        int index = _keys.Add(id, hash);
        ref var state = ref _keys.Entries[index].State;
        (state.OlderDue, state.Last) = (long.MaxValue, long.MinValue);
        return index;
    }

    /// <summary>Builds the map anew without the keys that are to be forgotten, where these are half of it or there is no room.</summary>
    private void ForgetKeys(bool force)
    {
        if (!force && (_keys.Count < MinForgotten || _running < _nextForget))
        {
            return;
        }

        _nextForget = Ticks.Plus(_running, Math.Max(_time.LookEvery, _time.ForgetAfter.Ticks / 4));
        int spent = 0;
        foreach (ref var entry in _keys.Entries)
        {
            spent += IsToForget(in entry.State) ? 1 : 0;
        }

        if (spent == 0 || (!force && spent * 2L < _keys.Count))
        {
            return;
        }

        var kept = new List<(TKey Key, KeyState State)>(_keys.Count - spent);
        foreach (ref var entry in _keys.Entries)
        {
            if (IsToForget(in entry.State))
            {
                LetGo(ref entry.State, long.MaxValue);
            }
            else
            {
                kept.Add((entry.Key, entry.State));
            }
        }

        _keys.Clear();
        foreach (var (key, state) in kept)
        {
            _keys.GetOrAdd(key, out _) = state;
        }
    }

    private bool IsToForget(in KeyState state) => !state.IsDue && state.Time.IsSpent(_running, _time, _windows);

    /// <summary>A key's time, and the newest of its windows; older ones are chained.</summary>
    private struct KeyState
    {
        internal KeyTimeline Time;
        internal ChainedWindow<TState> Newest;

        /// <summary>The key's oldest window that is not its newest; 0 for none.</summary>
        internal int Oldest;

        /// <summary>When the key's watermark gives one of its older windows something to do.</summary>
        internal long OlderDue;

        /// <summary>The newest window's last instant while it takes events without ado; else before its start.</summary>
        internal long Last;

        /// <summary>Which key began first.</summary>
        internal long Sequence;

        internal bool HasNewest;
        internal bool IsDue;

        /// <summary>The input has ended, and its windows are being given out.</summary>
        internal bool IsEnding;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal readonly bool Takes(long ticks) => ticks >= Newest.Start && ticks <= Last;

        internal void Open(long start, long end)
        {
            Newest = new ChainedWindow<TState> { Start = start };
            (HasNewest, Last) = (true, end - 1);
        }

        /// <summary>From the key's time on that has reached its end, the newest window takes late events at most.</summary>
        internal void EndIfReached(long end)
        {
            if (HasNewest && Time.Watermark >= end)
            {
                Last = long.MinValue;
            }
        }

        internal void Close()
        {
            Newest = default;
            (HasNewest, Last) = (false, long.MinValue);
        }
    }
}

/// <summary>Windows of many keys in one array, each key's chained by start; places are used again. 0 is no window.</summary>
internal sealed class WindowChains<TState>
    where TState : struct
{
    private ChainedWindow<TState>[] _windows = new ChainedWindow<TState>[16];
    private int _used = 1;
    private int _free;

    internal ref ChainedWindow<TState> this[int at] => ref _windows[at];

    /// <summary>The window of a chain that begins here; a new one is put in its place by start. References into the chains are stale then.</summary>
    internal ref ChainedWindow<TState> GetOrInsert(ref int first, long start)
    {
        int before = 0, at = first;
        while (at != 0 && _windows[at].Start < start)
        {
            (before, at) = (at, _windows[at].Next);
        }

        if (at != 0 && _windows[at].Start == start)
        {
            return ref _windows[at];
        }

        int added = Take();
        _windows[added] = new ChainedWindow<TState> { Start = start, Next = at };
        if (before == 0)
        {
            first = added;
        }
        else
        {
            _windows[before].Next = added;
        }

        return ref _windows[added];
    }

    /// <summary>Takes the first window of a chain out, and gives the next one.</summary>
    internal int Remove(int first)
    {
        int next = _windows[first].Next;
        _windows[first] = new ChainedWindow<TState> { Next = _free };
        _free = first;
        return next;
    }

    private int Take()
    {
        if (_free != 0)
        {
            int free = _free;
            _free = _windows[free].Next;
            return free;
        }

        if (_used == _windows.Length)
        {
            Array.Resize(ref _windows, _windows.Length * 2);
        }

        return _used++;
    }
}
