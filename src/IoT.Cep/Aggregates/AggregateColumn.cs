using System.Diagnostics;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// One aggregate that a projection asks for besides the moments, over all windows and keys: what it selects, how its accumulators are made, fed,
/// merged and saved. Its accumulators stand in cells.
/// </summary>
internal abstract class AggregateColumn<T>
{
    /// <summary>Calls the user's selector and keeps its value for <see cref="Add"/>, so that an event at which any selector throws changes nothing.</summary>
    internal abstract void Select(in T value);

    /// <summary>Adds the value selected last.</summary>
    internal abstract void Add(ref AggregateCell? cell, long ticks);

    /// <summary>Takes in all events of another cell, which stays as it is.</summary>
    internal abstract void Merge(ref AggregateCell? cell, AggregateCell? other);

    /// <summary>Empties a cell, so that it serves another window.</summary>
    internal abstract void Clear(ref AggregateCell? cell);
}

/// <summary>A place for an accumulator.</summary>
internal abstract class AggregateCell
{
    internal abstract void Save(StateWriter writer);
}

internal sealed class AggregateCell<TAccumulator>(TAccumulator value) : AggregateCell
    where TAccumulator : struct
{
    internal TAccumulator Value = value;

    internal override void Save(StateWriter writer)
    {
        var part = new StateWriter();
        StateCodec.Require<TAccumulator>().Write(part, Value);
        writer.Int32(1);
        writer.Bytes(part.Written.Span);
    }
}

/// <summary>
/// A cell of saved state whose accumulator's type is not known before the projection has asked for it; several saved ones where cells of this kind
/// were merged. It never changes, so cells may share it.
/// </summary>
internal sealed class RestoredCell(ReadOnlyMemory<byte>[] parts) : AggregateCell
{
    internal override void Save(StateWriter writer)
    {
        writer.Int32(parts.Length);
        foreach (var part in parts)
        {
            writer.Bytes(part.Span);
        }
    }

    internal static RestoredCell? Load(StateReader reader)
    {
        var parts = new ReadOnlyMemory<byte>[reader.Int32()];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = reader.Bytes();
        }

        return parts.Length == 0 ? null : new RestoredCell(parts);
    }

    internal RestoredCell With(RestoredCell other) => new([.. parts, .. other.Parts]);

    internal TAccumulator As<TValue, TAccumulator, TFeed>()
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator>
    {
        var codec = StateCodec.Require<TAccumulator>();
        var merged = codec.Read(new StateReader(parts[0]));
        foreach (var part in parts.AsSpan(1))
        {
            TFeed.Merge(ref merged, codec.Read(new StateReader(part)));
        }

        return merged;
    }

    private ReadOnlyMemory<byte>[] Parts => parts;
}

/// <summary>A column of a restored query until its projection has run again.</summary>
internal sealed class UnboundColumn<T> : AggregateColumn<T>
{
    internal override void Select(in T value) => throw new UnreachableException();

    internal override void Add(ref AggregateCell? cell, long ticks) => throw new UnreachableException();

    /// <summary>A window that fires out of several panes merges them.</summary>
    internal override void Merge(ref AggregateCell? cell, AggregateCell? other)
    {
        if (other is RestoredCell restored)
        {
            cell = cell is null ? restored : ((RestoredCell)cell).With(restored);
        }
    }

    internal override void Clear(ref AggregateCell? cell) => cell = null;
}

/// <summary>What the two kinds of accumulators have in common for a column.</summary>
internal interface IFeed<TValue, TAccumulator>
    where TAccumulator : struct
{
    static abstract void Add(ref TAccumulator accumulator, in TValue value, long ticks);

    static abstract void Merge(ref TAccumulator accumulator, in TAccumulator other);

    static abstract bool TryClear(ref TAccumulator accumulator);

    static abstract bool UsesTime { get; }

    /// <summary>Whether a value can be taken out again.</summary>
    static virtual bool CanRemove => false;

    static virtual void Remove(ref TAccumulator accumulator, in TValue value) => throw new System.Diagnostics.UnreachableException();
}

internal readonly struct Untimed<TValue, TAccumulator> : IFeed<TValue, TAccumulator>
    where TAccumulator : struct, IAccumulator<TValue, TAccumulator>
{
    public static void Add(ref TAccumulator accumulator, in TValue value, long ticks) => accumulator.Add(in value);

    public static void Merge(ref TAccumulator accumulator, in TAccumulator other) => accumulator.Merge(in other);

    public static bool TryClear(ref TAccumulator accumulator) => accumulator.TryClear();

    public static bool UsesTime => false;

    public static bool CanRemove => TAccumulator.CanRemove;

    public static void Remove(ref TAccumulator accumulator, in TValue value) => TAccumulator.Remove(ref accumulator, in value);
}

internal readonly struct Timed<TValue, TAccumulator> : IFeed<TValue, TAccumulator>
    where TAccumulator : struct, ITimedAccumulator<TValue, TAccumulator>
{
    public static void Add(ref TAccumulator accumulator, in TValue value, long ticks) => accumulator.Add(in value, ticks);

    public static void Merge(ref TAccumulator accumulator, in TAccumulator other) => accumulator.Merge(in other);

    public static bool TryClear(ref TAccumulator accumulator) => accumulator.TryClear();

    public static bool UsesTime => true;
}

internal sealed class AggregateColumn<T, TValue, TAccumulator, TFeed>(Func<T, TValue> selector, TAccumulator seed) : AggregateColumn<T>
    where TAccumulator : struct
    where TFeed : struct, IFeed<TValue, TAccumulator>
{
    private TValue _selected = default!;

    internal TAccumulator Seed => seed;

    internal override void Select(in T value) => _selected = selector(value);

    internal override void Add(ref AggregateCell? cell, long ticks) => TFeed.Add(ref Open(ref cell).Value, in _selected, ticks);

    internal override void Merge(ref AggregateCell? cell, AggregateCell? other)
    {
        if (other is not null)
        {
            TFeed.Merge(ref Open(ref cell).Value, in Open(ref other).Value);
        }
    }

    internal override void Clear(ref AggregateCell? cell)
    {
        if (cell is not AggregateCell<TAccumulator> known)
        {
            cell = null;
        }
        else if (!RuntimeHelpers.IsReferenceOrContainsReferences<TAccumulator>() || !TFeed.TryClear(ref known.Value))
        {
            known.Value = seed;
        }
    }

    private AggregateCell<TAccumulator> Open(ref AggregateCell? cell)
    {
        if (cell is AggregateCell<TAccumulator> known)
        {
            return known;
        }

        var opened = cell is RestoredCell restored
            ? new AggregateCell<TAccumulator>(restored.As<TValue, TAccumulator, TFeed>())
            : new AggregateCell<TAccumulator>(seed);
        cell = opened;
        return opened;
    }
}
