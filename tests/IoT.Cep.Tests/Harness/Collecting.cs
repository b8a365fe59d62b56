using System.Collections.Concurrent;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A sink that keeps what it is given, on the shard's thread; what is taken back it keeps too.</summary>
internal sealed class Collecting<T>(bool takesUpdates = false) : IInlineSink<T>
{
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name => "collecting";

    public bool UsesIdentity => takesUpdates;

    public bool TakesRetractions => takesUpdates;

    internal ConcurrentQueue<T> Results { get; } = new();

    internal Task Completed => _completed.Task;

    public void Write(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            if (batch.Kinds.IsEmpty || batch.Kinds[i] != EventKind.Retract)
            {
                Results.Enqueue(batch.Events[i]);
            }
        }
    }

    public void Complete() => _completed.TrySetResult();
}
