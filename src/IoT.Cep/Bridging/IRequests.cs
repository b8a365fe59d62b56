namespace IoT.Cep.Extensibility;

/// <summary>
/// Sends a message and awaits the answer, over whatever protocol has questions and answers: HTTP, CoAP, MQTT's response topics. What mediates between two protocols takes a
/// request of the one and gives it to the other.
/// </summary>
/// <remarks>Thread-safe: many requests may be under way at once; an implementation bounds them and lets the next one wait.</remarks>
public interface IRequests : IAsyncDisposable
{
    /// <summary>What it is, for metrics and messages: <c>coap 10.0.0.7</c>.</summary>
    string Name { get; }

    /// <summary>Sends a request and awaits its answer.</summary>
    /// <param name="request">The request: its topic is the resource's path, or the topic that the answering side listens to.</param>
    /// <param name="timeout">How long to wait for the answer, by the injected clock; the request may then have been carried out all the same.</param>
    /// <param name="stop">Gives up.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="TimeoutException">No answer came in time.</exception>
    /// <exception cref="RequestRefusedException">The other side answered that it refuses the request, or failed at it.</exception>
    /// <exception cref="IOException">The request could not be sent; it was not carried out.</exception>
    ValueTask<Message> RequestAsync(Message request, TimeSpan timeout, CancellationToken stop = default);
}

/// <summary>The other side has answered a request with a refusal or an error.</summary>
#pragma warning disable CA1032 // without the answer it helps nobody
public sealed class RequestRefusedException : Exception
#pragma warning restore CA1032
{
    /// <summary>Tells the refusal.</summary>
    /// <param name="status">The protocol's status: <c>404</c>, <c>4.04</c>.</param>
    /// <param name="message">What the other side said, safe to show.</param>
    /// <param name="answer">The answer; null where it had no body.</param>
    public RequestRefusedException(string status, string message, Message? answer = null)
        : base(message) => (Status, Answer) = (status, answer);

    /// <summary>The protocol's status.</summary>
    public string Status { get; }

    /// <summary>The answer; null where it had no body.</summary>
    public Message? Answer { get; }
}
