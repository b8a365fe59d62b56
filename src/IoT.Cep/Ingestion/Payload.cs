using System.Buffers;

namespace IoT.Cep.Extensibility;

/// <summary>One message as a transport hands it over. Valid only during the call.</summary>
/// <param name="bytes">The message's body.</param>
/// <param name="topic">The topic or path, without a slash in front.</param>
/// <param name="receivedTicks">When it was received: 100 ns ticks since 1970-01-01 UTC; 0 lets the engine take its clock.</param>
public readonly struct Payload(ReadOnlySequence<byte> bytes, string topic, long receivedTicks = 0)
{
    /// <summary>The message's body.</summary>
    public ReadOnlySequence<byte> Bytes => bytes;

    /// <summary>The topic or path, without a slash in front.</summary>
    public string Topic => topic;

    /// <summary>When it was received: 100 ns ticks since 1970-01-01 UTC.</summary>
    public long ReceivedTicks => receivedTicks;

    /// <summary>When its sender says that it sent it: 100 ns ticks since 1970-01-01 UTC; 0 where it does not say.</summary>
    public long SentTicks { get; init; }

    /// <summary>The template that the topic was taken by: a decoder binds its placeholders to the event's members. Null where there is none.</summary>
    public TopicTemplate? Template { get; init; }

    /// <summary>The body's media type, as the sender named it: <c>application/senml+json</c>; null where it named none.</summary>
    public string? ContentType { get; init; }

    /// <summary>What else came with it: MQTT's user properties, HTTP's header fields. Text from the network.</summary>
    public PayloadHeaders Headers { get; init; }

    /// <summary>Who sent it, as the listener proved it; null where nobody did.</summary>
    public string? Sender { get; init; }

    /// <summary>How deep its body may nest, where its sender's limit is stricter than the decoder's (<see cref="PayloadLimits.MaxDepth"/>); 0, the default: as deep as the decoder allows.</summary>
    public int MaxDepth { get; init; }
}

/// <summary>
/// Where a transport puts its messages. One message after the other: a transport awaits the returned task before it
/// hands over the next message, and that is how backpressure reaches the protocol.
/// </summary>
public interface IPayloadReceiver
{
    /// <summary>Takes one message: decodes it at once, so the payload may be reused when this returns its task.</summary>
    /// <param name="payload">The message.</param>
    /// <param name="acknowledger">
    /// Told when the effect that the query's guarantee names is in place; null where the protocol has no acknowledgement (QoS 0).
    /// </param>
    /// <param name="delivery">Handed back to the acknowledger.</param>
    /// <returns>Complete when the next message may be handed over.</returns>
    ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null);

    /// <summary>Makes a dead letter of what can't become a message: a line or frame that is longer than the limit.</summary>
    /// <param name="payload">Its first bytes, as many as are at hand.</param>
    /// <param name="reason">Why.</param>
    /// <param name="detail">What exactly was wrong.</param>
    void Reject(in Payload payload, DeadLetterReason reason, string detail);

    /// <summary>
    /// Tells that no more messages are at hand: what was taken goes on at once, if the queries have room, instead of waiting for company
    /// (<see cref="SourceOptions.MaxBatchDelay"/>). For protocols whose senders wait for an answer. A receiver that gathers nothing has nothing to do.
    /// </summary>
    void Flush()
    {
    }

    /// <summary>Counts a message that the protocol delivered again and that was already taken; it is not decoded.</summary>
    void CountDuplicate();

    /// <summary>Tells that the connection came up or went down: idle time counts only while it is up.</summary>
    /// <param name="connected">Whether the connection is up.</param>
    /// <param name="detail">Why it went down; no secrets.</param>
    void ConnectionChanged(bool connected, string? detail = null);

    /// <summary>
    /// Opens a partition of a source that has them (<see cref="ITransport.IsPartitioned"/>): the messages of one connection, with their own order, time and
    /// backpressure. A receiver that knows no partitions gives itself.
    /// </summary>
    /// <param name="name">What it is, for metrics and messages: a peer's address.</param>
    IPayloadReceiver OpenPartition(string name) => this;

    /// <summary>Ends this partition, when all it was given has been pushed: the others no longer wait for its time.</summary>
    ValueTask ClosePartitionAsync() => ValueTask.CompletedTask;
}

/// <summary>Acknowledges a message to its sender. Called once for each message (or run of messages with one delivery), in the order of delivery, on any thread.</summary>
public interface IAcknowledger
{
    /// <summary>The message's effect is where the guarantee says it must be. Must not block and must not throw.</summary>
    /// <param name="delivery">What was given to <see cref="IPayloadReceiver.ReceiveAsync"/>.</param>
    void Acknowledge(object delivery);

    /// <summary>
    /// The same for several messages that were handed over one after the other with the same delivery: one call instead of many, where a request or connection counts its messages. By default
    /// each is acknowledged by itself. Must not block and must not throw.
    /// </summary>
    /// <param name="delivery">What was given to <see cref="IPayloadReceiver.ReceiveAsync"/>.</param>
    /// <param name="count">How many messages.</param>
    void AcknowledgeAll(object delivery, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Acknowledge(delivery);
        }
    }

    /// <summary>
    /// The message became a dead letter. Told before <see cref="IPayloadReceiver.ReceiveAsync"/> returns; <see cref="Acknowledge"/> follows as for any message, since
    /// sending it again would not help. For protocols that can say so to the sender. Must not block and must not throw.
    /// </summary>
    /// <param name="delivery">What was given to <see cref="IPayloadReceiver.ReceiveAsync"/>.</param>
    /// <param name="reason">Why.</param>
    /// <param name="detail">What exactly was wrong: the field or the place. It holds no more of the payload than names, and is not escaped.</param>
    void Rejected(object delivery, DeadLetterReason reason, string detail)
    {
    }
}

/// <summary>Bytes in: connects, hands over each message, reconnects for itself with backoff until it is stopped.</summary>
public interface ITransport
{
    /// <summary>What it is, for metrics and messages: <c>mqtt city/+/+</c>.</summary>
    string Name { get; }

    /// <summary>Whether it opens a partition for each of its connections (<see cref="IPayloadReceiver.OpenPartition"/>); false by default: it is one.</summary>
    bool IsPartitioned => false;

    /// <summary>Runs until it is stopped, or until a bounded input ends. A lost connection is not an error: it reconnects.</summary>
    /// <param name="receiver">Where messages go.</param>
    /// <param name="context">Clock, connections and log.</param>
    /// <param name="stop">Stops it.</param>
    Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop);
}

/// <summary>Turns payloads into events. One instance serves one source; it is called by one thread at a time.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public abstract class Decoder<T>
{
    /// <summary>Decodes one payload into as many events as it holds, or rejects it whole by <see cref="EventBuffer{T}.Reject"/>.</summary>
    /// <param name="payload">The payload.</param>
    /// <param name="output">Where the events go.</param>
    public abstract void Decode(in Payload payload, EventBuffer<T> output);
}
