using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The events that a window no longer takes. Whether one is late follows from its time and the watermark alone, so no window is needed.</summary>
internal sealed record LateNode<T>(StreamNode<T> Source, WindowSpec Spec) : StreamNode<T, T>(Source)
{
    internal override string Text => $"Late for {Spec}";

    /// <summary>Late events are behind the watermark, every one.</summary>
    internal override bool IsOrdered => false;

    internal override void Build(Plan plan, Operator<T> next) =>
        Input.Build(plan, plan.Add(this, new LateOperator<T>(next, plan.Query, Spec), next));
}

internal sealed class LateOperator<T>(Operator<T> next, QueryContext query, WindowSpec spec) : Operator<T, T>(next, query)
{
    private readonly BatchBuilder<T> _late = new();

    // State that checkpoints save.
    private long _watermark = long.MinValue;

    internal override bool IsStateful => true;

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        _late.Begin(in batch);
        for (int i = 0; i < batch.Length; i++)
        {
            if (spec.IsPast(batch.Ticks[i], _watermark))
            {
                _late.Events[_late.Count] = batch.Events[i];
                _late.Ticks[_late.Count] = batch.Ticks[i];
                _late.CopyOptional(in batch, i, _late.Count++);
            }
        }

        if (_late.Count > 0)
        {
            Next.OnEvents(_late.Batch);
        }
    }

    protected override void Advance(long watermark)
    {
        _watermark = watermark;
        Next.OnWatermark(watermark);
    }

    internal override void Save(StateWriter writer) => writer.Int64(_watermark);

    internal override void Load(StateReader reader) => _watermark = reader.Int64();

    protected override void Release() => _late.Dispose();
}
