using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingest;

/// <summary>A receiver that counts, acknowledges at once and allocates nothing.</summary>
internal sealed class Counter : IPayloadReceiver, IDisposable
{
    private readonly ManualResetEventSlim _reached = new();
    private long _count;
    private long _target = long.MaxValue;

    internal long Count => Interlocked.Read(ref _count);

    internal long Bytes { get; private set; }

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        Bytes += payload.Bytes.Length;
        acknowledger?.Acknowledge(delivery!);
        if (Interlocked.Increment(ref _count) == Interlocked.Read(ref _target))
        {
            _reached.Set();
        }

        return ValueTask.CompletedTask;
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail) => throw new NotSupportedException();

    public void CountDuplicate()
    {
    }

    public void ConnectionChanged(bool connected, string? detail = null)
    {
    }

    public void Dispose() => _reached.Dispose();

    /// <summary>Blocks until so many have come in all.</summary>
    internal void WaitFor(long target)
    {
        _reached.Reset();
        Interlocked.Exchange(ref _target, target);
        if (Count < target)
        {
            Assert.True(_reached.Wait(Collector.Patience));
        }
    }
}
