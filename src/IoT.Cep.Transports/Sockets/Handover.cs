using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What a source's connections share: they hand over one message at a time, and an error of the receiver ends them all.</summary>
internal sealed class Handovers(IPayloadReceiver receiver, CancellationToken stop) : IDisposable
{
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Completes if the receiver fails: that is no matter of a connection and must not be tried again.</summary>
    internal Task<Exception> Failed => _failed.Task;

    /// <summary>Where one connection's messages go.</summary>
    internal Connection Connect(string? sender) => new(this, receiver, sender, isShared: true);

    /// <summary>Where the messages of a connection go that is a partition.</summary>
    internal Connection ConnectPartition(string name, string? sender) => new(this, receiver.OpenPartition(name), sender, isShared: false);

    public void Dispose() => _gate.Dispose();

    internal sealed class Connection(Handovers all, IPayloadReceiver target, string? sender, bool isShared) : IPayloadReceiver
    {
        /// <summary>How many messages it has given.</summary>
        internal long Count { get; private set; }

        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
        {
            Count++;
            var own = payload;
            return TakeAsync(sender is null ? own : new Payload(own.Bytes, own.Topic, own.ReceivedTicks) { SentTicks = own.SentTicks, Sender = sender });
        }

        public void Reject(in Payload payload, DeadLetterReason reason, string detail) => target.Reject(in payload, reason, detail);

        public void CountDuplicate() => target.CountDuplicate();

        public void ConnectionChanged(bool connected, string? detail = null) => target.ConnectionChanged(connected, detail);

        public ValueTask ClosePartitionAsync() => target.ClosePartitionAsync();

        // The readers of lines and frames keep a message's bytes until this completes, so they may wait for their turn here.
        private async ValueTask TakeAsync(Payload payload)
        {
            if (isShared)
            {
                await all._gate.WaitAsync(all.Stop).ConfigureAwait(false);
            }

            try
            {
                await target.ReceiveAsync(in payload).ConfigureAwait(false);
            }
            catch (Exception error) when (!all.Stop.IsCancellationRequested)
            {
                all._failed.TrySetResult(error);
                throw;
            }
            finally
            {
                if (isShared)
                {
                    all._gate.Release();
                }
            }
        }
    }

    private CancellationToken Stop => stop;
}
