using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>The beginning of a query in a test: rows and watermarks are handed to it as they are.</summary>
internal sealed record Input<T>(bool IsInOrder = false) : StreamNode<T>
{
    private readonly List<QueryEntry<T>> _entries = [];

    internal override string Text => "Input";

    internal override CepEngine? Engine => null;

    internal override bool IsOrdered => IsInOrder;

    internal override bool BeginsAtOneSource => true;

    internal override void Build(Plan plan, Operator<T> next) => _entries.Add(plan.Add(this, new QueryEntry<T>(next, plan.Query) { WantsRunningTime = plan.WantsRunningTime }, next));

    /// <summary>Forgets the plan that was built on it.</summary>
    internal void Reset() => _entries.Clear();

    internal void Push(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
    {
        foreach (var entry in _entries)
        {
            entry.OnEvents(new Batch<T>(events, ticks));
        }
    }

    internal void Advance(long watermark)
    {
        foreach (var entry in _entries)
        {
            entry.OnWatermark(watermark);
        }
    }

    internal void Run(long running)
    {
        foreach (var entry in _entries)
        {
            entry.OnRunningTime(running);
        }
    }

    internal void Release(bool isReleased) => _entries.ForEach(entry => entry.OnReleased(isReleased));

    internal void Complete() => _entries.ForEach(entry => entry.OnCompleted());
}
