using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>One compiled plan, driven by hand: its stages are stepped until nothing moves, in a random order where there are several.</summary>
internal sealed class PlanRun<T, TResult> : IDisposable
{
    private readonly Input<T> _input;
    private readonly StageSet _stages;
    private readonly Random _order;

    internal PlanRun(
        Input<T> input, StreamNode<TResult> query, int shards, ErrorPolicy policy = ErrorPolicy.Stop, bool identity = false, int seed = 1,
        int maxHeld = CepEngineOptions.DefaultMaxHeldEvents)
    {
        _input = input;
        input.Reset();
        _stages = new StageSet(shards);
        _order = new Random(seed);
        var context = new QueryContext("test", policy, (_, _, detail, value) => DeadLetters.Add($"{value}")) { MaxHeldEvents = maxHeld };
        Plan = new Plan(context, _stages, TimeProvider.System, identity);
        Sink = new Collector<TResult>(context);
        Plan.Compile(query, Sink, "Collect");
    }

    internal Plan Plan { get; }

    internal Collector<TResult> Sink { get; }

    internal List<string> DeadLetters { get; } = [];

    internal void Push(ReadOnlySpan<T> events, ReadOnlySpan<long> ticks)
    {
        _input.Push(events, ticks);
        Settle();
    }

    internal void Advance(long watermark)
    {
        _input.Advance(watermark);
        Settle();
    }

    internal void Run(long running)
    {
        _input.Run(running);
        Settle();
    }

    internal void Release(bool isReleased)
    {
        _input.Release(isReleased);
        Settle();
    }

    internal void Complete()
    {
        _input.Complete();
        Settle();
    }

    internal ReadOnlyMemory<byte> Save()
    {
        var writer = new StateWriter();
        Plan.Save(writer);
        return writer.Written;
    }

    public void Dispose() => Plan.Dispose();

    private void Settle()
    {
        var loops = _stages.Loops.ToArray();
        while (loops.Length > 0)
        {
            _order.Shuffle(loops);
            if (!Array.Exists(loops, stage => stage.Step()))
            {
                return;
            }
        }
    }
}

/// <summary>The end of a query in a test; it asserts the grammar: events, then completion or an error, and watermarks that go up.</summary>
internal sealed class Collector<T>(QueryContext query) : Operator<T>
{
    private long _watermark = long.MinValue;

    internal List<(long Ticks, T Value, ResultId? Id, EventKind Kind)> Results { get; private init; } = [];

    internal bool Completed { get; private set; }

    internal Exception? Error { get; private set; }

    internal long LateEvents => query.LateEvents;

    internal QueryContext Query => query;

    internal override void OnEvents(in Batch<T> batch)
    {
        Assert.False(Completed || Error is not null, "An event came after the end.");
        Assert.Equal(batch.Events.Length, batch.Ticks.Length);
        for (int i = 0; i < batch.Length; i++)
        {
            Results.Add((
                batch.Ticks[i], batch.Events[i], batch.Ids.IsEmpty ? null : batch.Ids[i], batch.Kinds.IsEmpty ? EventKind.Insert : batch.Kinds[i]));
        }
    }

    internal override void OnWatermark(long watermark)
    {
        Assert.False(Completed || Error is not null, "A watermark came after the end.");
        Assert.True(watermark >= _watermark, "A watermark went back.");
        _watermark = watermark;
    }

    internal override void OnCompleted()
    {
        Assert.False(Completed || Error is not null, "It ended twice.");
        Completed = true;
    }

    internal override void OnError(Exception error)
    {
        Assert.False(Completed || Error is not null, "It ended twice.");
        Error = error;
    }
}
