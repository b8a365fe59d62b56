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
        for (int i = 0; i < _keys.Count; i++)
        {
            var slot = _keys.At(i);
            ref var state = ref slot.State;
            codec.Write(writer, slot.Key);
            state.Time.CatchUp(_time.MaxDisorder.Ticks);
            state.Time.Save(writer);
            writer.Int64(state.Sequence);
            for (int at = state.Oldest; at != 0; at = _older[at].Next)
            {
                Save(writer, in _older[at]);
            }

            if (state.HasNewest)
            {
                Save(writer, in state.Newest);
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
                Schedule(ref _keys.GetOrAdd(id), id);
            }
        }

        _output.Load(reader, parts.Keys);
        for (int i = 0; i < _keys.Count; i++)
        {
            Reopen(ref _keys.At(i).State);
        }
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
        var loaded = new KeyState { OlderDue = long.MaxValue };
        bool isOwn = parts.Keys.Contains(StableHash.GroupOf(id));
        ref var state = ref isOwn ? ref StateOf(id) : ref loaded;
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
    }

    /// <summary>The key's state; a new one where it is not there, for which room is made where there is none.</summary>
    private ref KeyState StateOf(TKey id)
    {
        ref var known = ref _keys.Find(id);
        if (!Unsafe.IsNullRef(ref known))
        {
            return ref known;
        }

        if (_keys.Count >= parts.Key.MaxKeys && _running >= _nextForced)
        {
            _nextForced = Ticks.Plus(_running, _time.LookEvery);
            ForgetKeys(force: true);
        }

        ref var state = ref _keys.Add(id);
        (state.OlderDue, state.Group) = (long.MaxValue, (byte)StableHash.GroupOf(id));
        return ref state;
    }

    /// <summary>Fills the table anew without the keys that are to be forgotten, where these are half of it or there is no room.</summary>
    private void ForgetKeys(bool force)
    {
        if (!force && (_keys.Count < MinForgotten || _running < _nextForget))
        {
            return;
        }

        _nextForget = Ticks.Plus(_running, Math.Max(_time.LookEvery, _time.ForgetAfter.Ticks / 4));
        int spent = 0;
        for (int i = 0; i < _keys.Count; i++)
        {
            ref var state = ref _keys.At(i).State;
            state.Time.CatchUp(_time.MaxDisorder.Ticks);
            spent += IsToForget(in state) ? 1 : 0;
        }

        if (spent == 0 || (!force && spent * 2L < _keys.Count))
        {
            return;
        }

        var kept = new List<(TKey Key, KeyState State)>(_keys.Count - spent);
        for (int i = 0; i < _keys.Count; i++)
        {
            var slot = _keys.At(i);
            if (IsToForget(in slot.State))
            {
                LetGo(ref slot.State, long.MaxValue);
            }
            else
            {
                kept.Add((slot.Key, slot.State));
            }
        }

        _keys.Clear();
        foreach (var (key, state) in kept)
        {
            _keys.GetOrAdd(key) = state;
        }
    }

    private bool IsToForget(in KeyState state) => !state.IsDue && state.Time.IsSpent(_running, _time, _windows);

    /// <summary>A key's time, and the newest of its windows; older ones are chained. What most events need stands together.</summary>
    private struct KeyState
    {
        internal KeyTimeline Time;

        /// <summary>So much of the newest window, from its start, takes events without ado. 0 for a key that is not there.</summary>
        internal long Length;

        internal ChainedWindow<TState> Newest;

        /// <summary>When the key's watermark gives one of its older windows something to do.</summary>
        internal long OlderDue;

        /// <summary>Which key began first.</summary>
        internal long Sequence;

        /// <summary>The key's oldest window that is not its newest; 0 for none.</summary>
        internal int Oldest;

        internal byte Group;
        internal bool HasNewest;
        internal bool IsDue;

        /// <summary>The input has ended, and its windows are being given out.</summary>
        internal bool IsEnding;

        /// <summary>One comparison: a time before the start makes a difference that is longer than any window, wherever both are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal readonly bool Takes(long ticks) => (ulong)(ticks - Newest.Start) < (ulong)Length;

        internal void Open(long start)
        {
            Newest = new ChainedWindow<TState> { Start = start };
            (HasNewest, Length) = (true, 0);
        }

        internal void Close()
        {
            Newest = default;
            (HasNewest, Length) = (false, 0);
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

    /// <summary>
    /// The window of a chain that begins here; a new one is put in its place by start. References into the chains are stale then. Where room is made, it is
    /// for as many as are likely.
    /// </summary>
    internal ref ChainedWindow<TState> GetOrInsert(ref int first, long start, int likely)
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

        int added = Take(likely);
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

    private int Take(int likely)
    {
        if (_free != 0)
        {
            int free = _free;
            _free = _windows[free].Next;
            return free;
        }

        if (_used == _windows.Length)
        {
            Array.Resize(ref _windows, Math.Max(_windows.Length * 2, likely + 1));
        }

        return _used++;
    }
}
