using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class Source
{
    /// <summary>
    /// Several sources of one kind as one source, each a partition of it: files that are read side by side, connections to several gateways. The time of
    /// the whole is that of the slowest, and one that runs ahead waits (<see cref="SourceOptions.MaxLead"/>); a union of streams does not do that.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="name">The source's name.</param>
    /// <param name="partitions">The sources, which all begin together. One that ends no longer holds the others back; an error of one ends all.</param>
    public static ISource<T> Partitioned<T>(string name, params IReadOnlyList<ISource<T>> partitions)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(partitions);
        if (partitions.Count == 0 || partitions.Any(p => p.IsBounded != partitions[0].IsBounded))
        {
            throw new ArgumentException("Give at least one source, and only such as end by themselves (files, memory) or only such as do not.", nameof(partitions));
        }

        if (partitions.FirstOrDefault(p => p.IsPartitioned) is { } nested)
        {
            throw new ArgumentException($"'{nested.Name}' has partitions of its own; use it as it is.", nameof(partitions));
        }

        return new PartitionedSource<T>(name, [.. partitions]);
    }

    private sealed class PartitionedSource<T>(string name, ISource<T>[] partitions) : ISource<T>, IAwaitedSource
    {
        public string Name => name;

        public bool IsBounded => partitions[0].IsBounded;

        public bool IsPartitioned => true;

        public int Subscriptions => partitions.OfType<IAwaitedSource>().Sum(p => p.Subscriptions);

        public async Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop)
        {
            using var all = CancellationTokenSource.CreateLinkedTokenSource(stop);

            // All are open before the first one has an event: then none is late because another was quicker.
            var opened = partitions.Select((source, i) => (source, writer.OpenPartition($"{source.Name} {i + 1}"))).ToList();
            await Task.WhenAll(opened.Select(p => RunOneAsync(p.source, p.Item2, context, all))).ConfigureAwait(false);
        }

        private static async Task RunOneAsync(ISource<T> source, SourceWriter<T> writer, ConnectionContext context, CancellationTokenSource all)
        {
            // Each has a loop of its own, also where it never waits: another one may be waiting for it.
            await Task.Yield();
            try
            {
                await source.RunAsync(writer, context, all.Token).ConfigureAwait(false);
            }
            catch
            {
                await all.CancelAsync().ConfigureAwait(false);
                throw;
            }

            await writer.ClosePartitionAsync().ConfigureAwait(false);
        }
    }
}
