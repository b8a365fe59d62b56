using System.Collections.Concurrent;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A sink that keeps what it is given, on the shard's thread.</summary>
internal sealed class Collecting<T> : IInlineSink<T>
{
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name => "collecting";

    internal ConcurrentQueue<T> Results { get; } = new();

    internal Task Completed => _completed.Task;

    public void Write(in Batch<T> batch)
    {
        foreach (var value in batch.Events)
        {
            Results.Enqueue(value);
        }
    }

    public void Complete() => _completed.TrySetResult();
}
