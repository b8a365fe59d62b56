namespace IoT.Cep.Benchmarks.Compare;

/// <summary>What a run computed: how many results, and a sum over them by which runs are compared.</summary>
internal readonly record struct Outcome(long Count, double Sum)
{
    internal bool Agrees(Outcome floor) => Count == floor.Count && Math.Abs(Sum - floor.Sum) <= 1e-6 * Math.Abs(floor.Sum);
}

/// <summary>One way of doing a workload's work over the first so many events. Building the query is not measured.</summary>
internal sealed record Contender(string Name, Func<int, Prepared> Prepare);

/// <summary>Ready to run once.</summary>
internal abstract class Prepared : IAsyncDisposable
{
    internal abstract ValueTask<Outcome> RunAsync();

    /// <summary>What it holds once it has run, where that is of interest.</summary>
    internal virtual string Held => "";

    public abstract ValueTask DisposeAsync();

    internal static Prepared Of(Func<Outcome> run) => new Synchronous(run);

    private sealed class Synchronous(Func<Outcome> run) : Prepared
    {
        internal override ValueTask<Outcome> RunAsync() => new(run());

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>A workload: the same work done in several ways. The last one is the floor that the others' results are held against.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Count">How many events a run works through.</param>
/// <param name="Cep">The library.</param>
/// <param name="Peer">Another library; null where there is none to compare with.</param>
/// <param name="Floor">Written by hand to be fast.</param>
/// <param name="AllowedBytes">What the hot path may allocate, given how many results there were; null for nothing.</param>
internal sealed record Workload(string Name, int Count, Contender Cep, Contender? Peer, Contender Floor, Func<Outcome, double>? AllowedBytes = null);
