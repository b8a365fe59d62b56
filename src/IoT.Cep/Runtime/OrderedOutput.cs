using System.Diagnostics;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Collects a keyed operator's results between two watermarks and gives them out by time and key group, equal ones in the order they came: an
/// order that does not depend on batch borders or on how many shards there are.
/// </summary>
internal sealed class OrderedOutput<T>(Operator<T> next) : IDisposable
{
    private readonly BatchBuilder<T> _results = new();
    private BatchBuilder<T>? _sorted;
    private (long Ticks, byte Group, int Index)[] _order = [];
    private int[] _places = [];
    private bool _inOrder = true;
    private bool _open;

    internal int Count => _open ? _results.Count : 0;

    internal void Add(T value, long ticks, byte group)
    {
        var results = Open(ids: false, kinds: false);
        Append(results, value, ticks, group);
        results.Count++;
    }

    /// <summary>Where the next result without identity is made; it is there once it was added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref T Next()
    {
        if (!_open)
        {
            Open(ids: false, kinds: false);
        }

        _results.Ensure(_results.Count + 1);
        return ref _results.Events[_results.Count];
    }

    /// <summary>Adds the result that was made there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(long ticks, byte group)
    {
        int at = _results.Count;
        Put(at, ticks, group);
        _results.Count = at + 1;
    }

    internal void Add(T value, long ticks, byte group, in ResultId id, EventKind kind)
    {
        var results = Open(ids: true, kinds: true);
        Append(results, value, ticks, group);
        results.Ids[results.Count] = id;
        results.Kinds[results.Count++] = kind;
    }

    /// <summary>Makes room for so many more, all of one time and in order of their groups.</summary>
    internal Span<T> Reserve(int more, bool identity, long ticks, byte firstGroup)
    {
        var results = Open(identity, identity);
        int at = results.Count;
        results.Ensure(at + more);
        _inOrder &= at == 0 || IsBehind(results, at, ticks, firstGroup);
        return results.Events.AsSpan(at, more);
    }

    /// <summary>Where the next result will stand; there is room.</summary>
    internal ref T Reserved => ref _results.Events[_results.Count];

    /// <summary>Adds what was made at <see cref="Reserved"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddReserved(long ticks, byte group)
    {
        var results = _results;
        int at = results.Count;
        Debug.Assert(at == 0 || !_inOrder || IsBehind(results, at, ticks, group), "Results of one time come in order of their groups.");
        results.Ticks[at] = ticks;
        results.Groups[at] = group;
        results.Count = at + 1;
    }

    /// <summary>Adds what was made in the room for it, without identity; the groups are those of the places.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void AddReserved(ReadOnlySpan<int> places, byte[] groups, long ticks)
    {
        int at = _results.Count;
        _results.Ticks.AsSpan(at, places.Length).Fill(ticks);
        var put = _results.Groups.AsSpan(at, places.Length);
        for (int i = 0; i < put.Length; i++)
        {
            put[i] = groups[places[i]];
        }

        _results.Count = at + places.Length;
    }

    /// <summary>The same by the results' own groups.</summary>
    internal void AddReserved(ReadOnlySpan<byte> groups, long ticks)
    {
        int at = _results.Count;
        _results.Ticks.AsSpan(at, groups.Length).Fill(ticks);
        groups.CopyTo(_results.Groups.AsSpan(at));
        _results.Count = at + groups.Length;
    }

    internal void AddReserved(long ticks, byte group, in ResultId id, EventKind kind)
    {
        _results.Ids[_results.Count] = id;
        _results.Kinds[_results.Count] = kind;
        AddReserved(ticks, group);
    }

    internal void Append(in Batch<T> batch)
    {
        if (batch.Length == 0)
        {
            return;
        }

        Open(!batch.Ids.IsEmpty, !batch.Kinds.IsEmpty);
        _inOrder = false;
        _results.Append(in batch);
    }

    internal void Flush()
    {
        if (Count == 0)
        {
            return;
        }

        _open = false;
        var batch = _results;
        if (!_inOrder)
        {
            batch = Sort();
        }

        // Cut to the usual size, so that a window over many keys does not blow up every buffer behind it.
        for (int start = 0; start < batch.Count; start += EventBuffer<T>.DefaultCapacity)
        {
            next.OnEvents(batch.Batch.Slice(start, Math.Min(EventBuffer<T>.DefaultCapacity, batch.Count - start)));
        }

        batch.Clear();
        _results.Clear();
    }

    /// <summary>Saves the results that wait for the next watermark, key first. The operator that owns them knows how they are written.</summary>
    internal void Save(StateWriter writer, Action<StateWriter, T> write, Action<StateWriter, object?> writeKey)
    {
        writer.Int32(Count);
        for (int i = 0; i < Count; i++)
        {
            var batch = _results.Batch;
            writer.Byte(batch.Groups[i]);
            writer.Int64(batch.Ticks[i]);
            write(writer, batch.Events[i]);
            writer.Boolean(!batch.Ids.IsEmpty);
            if (!batch.Ids.IsEmpty)
            {
                var id = batch.Ids[i];
                writeKey(writer, id.Key);
                writer.Int64(id.Start);
                writer.Int64(id.End);
                writer.Int32(id.Ordinal);
                writer.Byte((byte)batch.Kinds[i]);
            }
        }
    }

    internal void Load(StateReader reader, KeyRange keys, Func<StateReader, T> read, Func<StateReader, object?> readKey)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            byte group = reader.Byte();
            long ticks = reader.Int64();
            var value = read(reader);
            ResultId? id = null;
            var kind = EventKind.Insert;
            if (reader.Boolean())
            {
                id = new ResultId(readKey(reader), reader.Int64(), reader.Int64(), reader.Int32());
                kind = (EventKind)reader.Byte();
            }

            if (!keys.Contains(group))
            {
                continue;
            }

            if (id is { } known)
            {
                Add(value, ticks, group, in known, kind);
            }
            else
            {
                Add(value, ticks, group);
            }
        }
    }

    public void Dispose()
    {
        _results.Dispose();
        _sorted?.Dispose();
        Pooled.Return(ref _places, 0);
        Pooled.Return(ref _order, 0);
    }

    private BatchBuilder<T> Open(bool ids, bool kinds)
    {
        if (!_open)
        {
            _open = true;
            _inOrder = true;
            _results.Begin(1, ids, kinds, groups: true);
        }

        return _results;
    }

    private void Append(BatchBuilder<T> results, T value, long ticks, byte group)
    {
        int at = results.Count;
        results.Ensure(at + 1);
        results.Events[at] = value;
        Put(at, ticks, group);
    }

    private void Put(int at, long ticks, byte group)
    {
        var (allTicks, groups) = (_results.Ticks, _results.Groups);
        _inOrder &= at == 0 || IsBehind(_results, at, ticks, group);

        allTicks[at] = ticks;
        groups[at] = group;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsBehind(BatchBuilder<T> results, int at, long ticks, byte group) =>
        ticks > results.Ticks[at - 1] || (ticks == results.Ticks[at - 1] && group >= results.Groups[at - 1]);

    private BatchBuilder<T> Sort()
    {
        int count = _results.Count;
        Pooled.Ensure(ref _places, count);
        var places = _places.AsSpan(0, count);
        if (_results.Ticks.AsSpan(0, count).ContainsAnyExcept(_results.Ticks[0]))
        {
            OrderByTime(places);
        }
        else
        {
            OrderByGroup(places);
        }

        var from = _results.Batch;
        var sorted = _sorted ??= new BatchBuilder<T>();
        sorted.Begin(in from);
        foreach (int place in places)
        {
            sorted.Events[sorted.Count] = from.Events[place];
            sorted.Ticks[sorted.Count] = from.Ticks[place];
            sorted.CopyOptional(in from, place, sorted.Count++);
        }

        return sorted;
    }

    /// <summary>Results of one window of many keys, which closed in the order of their events: a counting sort.</summary>
    private void OrderByGroup(Span<int> places)
    {
        Span<int> next = stackalloc int[StableHash.KeyGroups + 1];
        next.Clear();
        var groups = _results.Groups.AsSpan(0, places.Length);
        foreach (byte group in groups)
        {
            next[group + 1]++;
        }

        for (int group = 1; group < next.Length; group++)
        {
            next[group] += next[group - 1];
        }

        for (int i = 0; i < groups.Length; i++)
        {
            places[next[groups[i]]++] = i;
        }
    }

    private void OrderByTime(Span<int> places)
    {
        Pooled.Ensure(ref _order, places.Length);
        var order = _order.AsSpan(0, places.Length);
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = (_results.Ticks[i], _results.Groups[i], i);
        }

        order.Sort(static (a, b) =>
        {
            int byTime = a.Ticks.CompareTo(b.Ticks);
            int byGroup = byTime != 0 ? byTime : a.Group.CompareTo(b.Group);
            return byGroup != 0 ? byGroup : a.Index.CompareTo(b.Index);
        });
        for (int i = 0; i < order.Length; i++)
        {
            places[i] = order[i].Index;
        }
    }
}
