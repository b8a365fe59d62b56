using BenchmarkDotNet.Attributes;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Micro;

/// <summary>
/// A million events through a query, by an event; building and draining the engine is in the figures, so some kilobytes a million events are
/// allocated in any case.
/// </summary>
[MemoryDiagnoser]
public abstract class QueryBenchmarks
{
    internal const int Events = 1_000_000;

    private readonly Lazy<Workload> _workload;

    private protected QueryBenchmarks(Func<Workload> workload) => _workload = new Lazy<Workload>(workload);

    [GlobalSetup]
    public void Prepare() => _ = _workload.Value;

    [Benchmark(Baseline = true, OperationsPerInvoke = Events)]
    public Task<double> ByHand() => RunAsync(_workload.Value.Floor);

    [Benchmark(OperationsPerInvoke = Events)]
    public Task<double> Query() => RunAsync(_workload.Value.Cep);

    private async Task<double> RunAsync(Contender contender)
    {
        await using var prepared = contender.Prepare(_workload.Value.Count);
        return (await prepared.RunAsync()).Sum;
    }
}

public class FilterProjectBenchmarks() : QueryBenchmarks(() => FilterProject.Make(ReadingData.MillionPerSecond(Events, 1_000)));

public class TumblingWindowBenchmarks() : QueryBenchmarks(() => TumblingWindow.Make(ReadingData.MillionPerSecond(Events, 1_000)));

public class TwoStepPatternBenchmarks() : QueryBenchmarks(() => TwoStepPattern.Make(ReadingData.TenPerSecondAndDevice(Events, 1_000)));

/// <summary>Bytes to window results; the baseline is a bare reader of the same bytes.</summary>
public class IngestToWindowBenchmarks() : QueryBenchmarks(() => PayloadsToWindows.Make(PayloadFormat.Json, Events, 1_000));
