using IoT.Cep.Extensibility;

namespace IoT.Reference.Analytics.Storage;

/// <summary>Writes results by a function that is done when it returns; what it throws means: again later.</summary>
/// <param name="isDurable">Whether what it wrote survives a crash.</param>
/// <param name="byIdentity">Whether the function replaces what it is given again: it may be given corrections.</param>
internal sealed class StoreSink<T>(string name, Action<ReadOnlyMemory<T>> write, bool isDurable = true, bool byIdentity = true) : IAsyncSink<T>
{
    public string Name => name;

    public bool IsDurable => isDurable;

    public bool UsesIdentity => byIdentity;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

    public ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        write(batch.Events);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
