using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How requests are sent and answered over MQTT.</summary>
public sealed record MqttRequestOptions
{
    /// <summary>How long an answer may take, connecting included. Default: 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How many requests may wait for an answer at once, and how many may be answered at once. More wait; of those to answer, up to ten times as many, and past that they are passed over. Default: 1,000,
    /// as many as a mediator lets wait: fewer, and devices that are silent hold up the requests to all others.
    /// </summary>
    public int MaxInFlight { get; init; } = 1_000;

    /// <summary>Under which topic answers come (MQTT 5); the client's name is put behind it. Default: <c>responses</c>.</summary>
    public string ResponseTopic { get; init; } = "responses";

    /// <summary>
    /// Where answers may be sent to: a requester names the topic (MQTT 5), and could else make this program publish anywhere in its own name. Default null: topics of the default
    /// <see cref="ResponseTopic"/>, <c>responses/#</c>.
    /// </summary>
    public TopicFilter? AllowedResponses { get; init; }

    /// <summary>
    /// MQTT 3: a topic filter that takes all answers, <c>devices/+/commands/response/+</c>, subscribed to once. Null, the default: each topic that is asked has a subscription of its own, 1,000 at most.
    /// </summary>
    public string? AnswerFilter { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        if (Timeout <= TimeSpan.Zero || MaxInFlight < 1 || MqttTopic.Problem(ResponseTopic) is not null)
        {
            throw new InvalidOperationException("MQTT requests: Timeout must be longer than zero, MaxInFlight at least 1, and ResponseTopic a topic.");
        }

        if (AnswerFilter is { } filter)
        {
            MqttTopic.ThrowIfInvalidFilter(filter);
        }
    }
}

/// <summary>A request that came.</summary>
/// <param name="Topic">The topic that it came to: text from the network.</param>
/// <param name="Payload">Its payload; valid while it is answered.</param>
public sealed record MqttRequest(string Topic, ReadOnlyMemory<byte> Payload);
