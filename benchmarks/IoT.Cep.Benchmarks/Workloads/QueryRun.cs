using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>A query over events in memory, with nothing but the public interface.</summary>
internal sealed class QueryRun : Prepared
{
    private readonly CepEngine _engine;
    private readonly Func<Outcome> _outcome;

    private QueryRun(CepEngine engine, Func<Outcome> outcome)
    {
        _engine = engine;
        _outcome = outcome;
    }

    internal static QueryRun Of<TResult>(
        ReadingData data, int count, Func<IEventStream<Reading>, IEventStream<TResult>> query, SummingSink<TResult> sink)
    {
        var source = Source.FromMemory<Reading>(data.Events.AsMemory(0, count), data.Ticks.AsMemory(0, count));
        return Of(source, query, sink);
    }

    internal static QueryRun Of<T, TResult>(ISource<T> source, Func<IEventStream<T>, IEventStream<TResult>> query, SummingSink<TResult> sink)
    {
        var engine = new CepEngine(cep => query(cep.From(source)).To(sink));
        return new QueryRun(engine, () => new Outcome(sink.Count, sink.Sum));
    }

    /// <summary>Of a pattern, what its partial matches take: the one thing that is asked of the inside.</summary>
    internal override string Held
    {
        get
        {
            var held = _engine.Queries.SelectMany(query => query.Plan.Operators).OfType<IHoldsMatches>().Select(one => one.Held).ToList();
            return held.Count == 0 ? "" : $"  {held.Sum(one => one.Open):G4} open in {held.Sum(one => one.Bytes):N0} bytes";
        }
    }

    internal override async ValueTask<Outcome> RunAsync()
    {
        await _engine.RunAsync();
        return _outcome();
    }

    public override ValueTask DisposeAsync() => _engine.DisposeAsync();
}

/// <summary>A sink that adds its results up.</summary>
internal abstract class SummingSink<T> : IInlineSink<T>
{
    public string Name => "sum";

    internal long Count { get; set; }

    internal double Sum { get; set; }

    public abstract void Write(in Batch<T> batch);
}
