using IoT.Cep.Extensibility;
using MQTTnet;

namespace IoT.Cep;

/// <summary>A source of a broker's messages within the process: no socket between, and the publisher's acknowledgement waits for the query's.</summary>
/// <param name="broker">The broker.</param>
/// <param name="filter">Which topics.</param>
#pragma warning disable CA1001 // A semaphore whose wait handle nobody asks for holds nothing.
internal sealed class BrokerSource(MqttBroker broker, MqttFilter filter) : ITransport, IAcknowledger
#pragma warning restore CA1001
{
    // Publishers come at once; a receiver takes one message after the other.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IPayloadReceiver? _receiver;

    public string Name => $"mqtt broker {filter.Filter}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (_receiver is not null)
            {
                throw new InvalidOperationException($"{Name} runs already: subscribe once for each engine.");
            }

            _receiver = receiver;

            // Before the live ones are let through: a retained message is never newer than one that waits at the gate.
            receiver.ConnectionChanged(true);
            broker.Add(this);
            foreach (var message in await broker.RetainedAsync().ConfigureAwait(false))
            {
                if (Takes(message.Topic) && (message.MessageExpiryInterval == 0 || MessageClock.Left(message.MessageExpiryInterval, broker.Seconds) > 0))
                {
                    await receiver.ReceiveAsync(ToPayload(message, null)).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _gate.Release();
        }

        try
        {
            var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = stop.Register(() => stopped.TrySetResult()).ConfigureAwait(false);
            await Task.WhenAny(stopped.Task, _failed.Task).ConfigureAwait(false);
            if (_failed.Task.IsCompletedSuccessfully)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(await _failed.Task.ConfigureAwait(false));
            }
        }
        finally
        {
            broker.Remove(this);
            await _gate.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            _receiver = null;
            _gate.Release();
            receiver.ConnectionChanged(false, "stopped");
        }
    }

    /// <summary>The effect is where the query's guarantee says: one less for which the publisher's acknowledgement waits.</summary>
    public void Acknowledge(object delivery) => ((Receipt)delivery).Done();

    internal bool Takes(string topic) => filter.Takes(topic);

    /// <summary>Hands a message over; waits until the receiver is ready, and the publisher with it.</summary>
    /// <param name="message">The message.</param>
    /// <param name="receipt">What waits for the acknowledgement; null: nothing does.</param>
    /// <param name="sender">Who sent it; null: this process.</param>
    internal async ValueTask GiveAsync(MqttApplicationMessage message, Receipt? receipt, Identity? sender)
    {
        receipt?.Add();
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_receiver is null)
            {
                // Stopped meanwhile. As with a subscriber that unsubscribed, there is nothing to wait for.
                receipt?.Done();
                return;
            }

            await _receiver.ReceiveAsync(ToPayload(message, sender), receipt is null ? null : this, receipt).ConfigureAwait(false);
        }
        catch (Exception e) when (_failed.TrySetResult(e) || e is not OutOfMemoryException)
        {
            // The engine's failure, not the publisher's: it gets no acknowledgement, and sends again.
        }
        finally
        {
            _gate.Release();
        }
    }

    private Payload ToPayload(MqttApplicationMessage message, Identity? sender) => new(message.Payload, filter.NameOf(message.Topic))
    {
        Template = filter.Template,
        ContentType = message.ContentType,
        Headers = MqttHeaders.Of(message.UserProperties),
        Sender = sender is null || sender == Identity.Anonymous ? null : sender.Name,
    };
}
