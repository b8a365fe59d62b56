using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>An operator's own output columns: rented once, used for every batch, returned when the query ends.</summary>
internal sealed class BatchBuilder<T> : IDisposable
{
    private const int Initial = 16;

    internal T[] Events = [];
    internal long[] Ticks = [];
    internal ResultId[] Ids = [];
    internal EventKind[] Kinds = [];
    internal byte[] Groups = [];
    internal int Count;
    private bool _hasIds;
    private bool _hasKinds;
    private bool _hasGroups;
    private bool _isSorted;

    /// <summary>How many events there is place for in every column that is used.</summary>
    private int _room;

    /// <summary>The columns as a batch; valid until the next change.</summary>
    internal Batch<T> Batch => new(Events.AsSpan(0, Count), Ticks.AsSpan(0, Count))
    {
        Ids = _hasIds ? Ids.AsSpan(0, Count) : default,
        Kinds = _hasKinds ? Kinds.AsSpan(0, Count) : default,
        Groups = _hasGroups ? Groups.AsSpan(0, Count) : default,
        IsSorted = _isSorted,
    };

    /// <summary>Makes room for a whole input batch with the same optional columns, and starts over.</summary>
    internal void Begin(in Batch<T> like)
    {
        Begin(like.Length, !like.Ids.IsEmpty, !like.Kinds.IsEmpty, !like.Groups.IsEmpty);
        _isSorted = like.IsSorted;
    }

    internal void Begin(int length, bool ids = false, bool kinds = false, bool groups = false)
    {
        Count = 0;
        _hasIds = ids;
        _hasKinds = kinds;
        _hasGroups = groups;
        _isSorted = false;
        _room = Room();
        Ensure(length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Ensure(int length)
    {
        if (length > _room)
        {
            Grow(length);
        }
    }

    /// <summary>Appends all of a batch, growing as needed.</summary>
    internal void Append(in Batch<T> batch)
    {
        int start = Count;
        _hasIds |= !batch.Ids.IsEmpty;
        _hasKinds |= !batch.Kinds.IsEmpty;
        _hasGroups |= !batch.Groups.IsEmpty;
        _isSorted = false;
        _room = Room();
        Ensure(start + batch.Length);
        batch.Events.CopyTo(Events.AsSpan(start));
        batch.Ticks.CopyTo(Ticks.AsSpan(start));
        CopyOrClear(batch.Ids, Ids, _hasIds, start, batch.Length);
        CopyOrClear(batch.Kinds, Kinds, _hasKinds, start, batch.Length);
        CopyOrClear(batch.Groups, Groups, _hasGroups, start, batch.Length);
        Count = start + batch.Length;
    }

    /// <summary>Copies the optional columns of one event.</summary>
    internal void CopyOptional(in Batch<T> from, int source, int target)
    {
        if (_hasIds)
        {
            Ids[target] = from.Ids[source];
        }

        if (_hasKinds)
        {
            Kinds[target] = from.Kinds[source];
        }

        if (_hasGroups)
        {
            Groups[target] = from.Groups[source];
        }
    }

    /// <summary>Forgets the events, and lets go of what they refer to.</summary>
    internal void Clear()
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            Events.AsSpan(0, Count).Clear();
        }

        if (_hasIds)
        {
            Ids.AsSpan(0, Math.Min(Count, Ids.Length)).Clear();
        }

        Count = 0;
    }

    public void Dispose()
    {
        Pooled.Return(ref Events, Events.Length);
        Pooled.Return(ref Ticks, 0);
        Pooled.Return(ref Ids, Ids.Length);
        Pooled.Return(ref Kinds, 0);
        Pooled.Return(ref Groups, 0);
        Count = _room = 0;
    }

    private static void CopyOrClear<TColumn>(ReadOnlySpan<TColumn> from, TColumn[] to, bool has, int start, int length)
    {
        if (!has)
        {
            return;
        }

        if (from.IsEmpty)
        {
            to.AsSpan(start, length).Clear();
        }
        else
        {
            from.CopyTo(to.AsSpan(start));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int length)
    {
        length = Math.Max(length, Initial);
        GrowColumn(ref Events, length);
        GrowColumn(ref Ticks, length);
        if (_hasIds)
        {
            GrowColumn(ref Ids, length);
        }

        if (_hasKinds)
        {
            GrowColumn(ref Kinds, length);
        }

        if (_hasGroups)
        {
            GrowColumn(ref Groups, length);
        }

        _room = Room();
    }

    private int Room()
    {
        int room = Math.Min(Events.Length, Ticks.Length);
        room = _hasIds ? Math.Min(room, Ids.Length) : room;
        room = _hasKinds ? Math.Min(room, Kinds.Length) : room;
        return _hasGroups ? Math.Min(room, Groups.Length) : room;
    }

    private void GrowColumn<TColumn>(ref TColumn[] column, int length)
    {
        if (column.Length < length)
        {
            Pooled.Grow(ref column, Math.Min(Count, column.Length), length);
        }
    }
}
