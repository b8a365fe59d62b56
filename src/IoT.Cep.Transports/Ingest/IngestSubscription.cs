using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A source's part of an endpoint: the topics of one template.</summary>
internal sealed class IngestSubscription(MqttIngestEndpoint endpoint, TopicTemplate template) : ITransport
{
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name { get; } = "mqtt-ingest " + template;

    internal TopicTemplate Template => template;

    /// <summary>One connection at a time hands over messages.</summary>
    internal Turnstile Turn { get; } = new();

    /// <summary>Where messages go; null while the source is not running.</summary>
    internal IPayloadReceiver? Receiver { get; private set; }

    /// <summary>Whether the engine holds back: then no connection that sends here is read.</summary>
    internal bool IsHeld { get; set; }

    /// <summary>Messages given to the engine; counted by who has the turn.</summary>
    internal long Received { get; set; }

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        if (Receiver is not null)
        {
            throw new InvalidOperationException($"The source '{Name}' is running in another engine already; make a source of its own for each.");
        }

        Receiver = receiver;
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(() => stopped.TrySetResult()).ConfigureAwait(false);
        try
        {
            endpoint.Start(context);
            receiver.ConnectionChanged(true);
            await (await Task.WhenAny(stopped.Task, _failed.Task).ConfigureAwait(false)).ConfigureAwait(false);
        }
        finally
        {
            await endpoint.StopAsync(this, () => Receiver = null).ConfigureAwait(false);
        }

        receiver.ConnectionChanged(false, "stopped");
    }

    /// <summary>The receiver failed: that is no matter of a connection.</summary>
    internal void Fail(Exception error) => _failed.TrySetException(error);
}
