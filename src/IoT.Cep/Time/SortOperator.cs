using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Stands in front of an operator that must get events in order of time, and is one operator with it: one name, one saved state.</summary>
internal sealed class SortOperator<T>(Operator<T> sorted, QueryContext query, bool isOrdered, Func<T, bool> owns)
    : OrderedOperator<T, T>(sorted, query, isOrdered)
{
    /// <summary>The operator behind.</summary>
    internal Operator<T> Sorted => Next;

    /// <inheritdoc/>
    internal override bool RefusesKeys
    {
        get => Next.RefusesKeys;
        set => Next.RefusesKeys = value;
    }

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        Next.StandFor(this);
        Next.OnEvents(in batch);
    }

    protected override void OnTime(long watermark) => Next.StandFor(this);

    protected override void OnEnd() => Next.StandFor(this);

    protected override bool OwnsOnLoad(T value) => owns(value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        Next.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        Next.StandFor(this);
        Next.Load(reader);
    }

    protected override void Release()
    {
        base.Release();
        Next.Dispose();
    }
}
