using System.Buffers;
using System.Globalization;
using IoT.Cep.Extensibility;
using MQTTnet;
using MQTTnet.Packets;

namespace IoT.Cep;

// Requests and answers with all that stands beside them: what mediators pass from one protocol to the other.
public sealed partial class MqttRequests
{
    // An answer that is a refusal says so by these user properties: MQTT has no status of its own.
    private const string StatusProperty = "status", DetailProperty = "detail";

    // As Message has them.
    private const int MaxHeaders = 100, MaxHeaderChars = 8192;

    /// <inheritdoc/>
    /// <remarks>
    /// Over MQTT 5 media type and headers go with it, both ways, and an answer whose user property <c>status</c> is 400 or more (<c>4.00</c>, in CoAP's way) is a refusal. Over MQTT 3 there is
    /// no place for any of them.
    /// </remarks>
    /// <exception cref="ArgumentException">The topic is malformed.</exception>
    public async ValueTask<Message> RequestAsync(Message request, TimeSpan timeout, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        ThrowIfInvalid(request.Topic, nameof(request));
        var message = new MqttApplicationMessage { Topic = request.Topic };
        Fill(message, request);
        MqttPublishPacket packet;
        try
        {
            packet = await AskAsync(message, isAnyoneNeeded: true, timeout, stop).ConfigureAwait(false);
        }
        catch (TimeoutException e) when (e.InnerException is NotSentException)
        {
            throw new IOException(e.Message, e);
        }
        catch (Exception e) when (e is InvalidOperationException or MqttRefusedException)
        {
            throw new IOException($"The broker did not take the request: {SafeText.Escape(e.Message)}", e);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new IOException("The connection was closed.", e);
        }

        var answer = Read(packet, request.Topic);
        return answer.Header(StatusProperty) is { } status && IsRefusal(status)
            ? throw new RequestRefusedException(SafeText.Escape(status, 16), SafeText.Escape(answer.Header(DetailProperty) ?? "The device refused the request.", 256), answer)
            : answer;
    }

    /// <summary>
    /// Answers the requests of a topic filter, for as long as this object lives, with media type and headers (MQTT 5). What the function throws, and null, is no answer: the requester's time runs out.
    /// </summary>
    /// <param name="topicFilter">Which requests: a filter or a template.</param>
    /// <param name="answer">Gives the answer; called for several requests at once. A request's topic is the one that the requester named: in MQTT 3 without <c>/request/ID</c>.</param>
    /// <param name="stop">Gives up subscribing.</param>
    /// <exception cref="ArgumentException">The filter is malformed.</exception>
    public async Task AnswerAsync(string topicFilter, Func<Message, CancellationToken, ValueTask<Message?>> answer, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(answer);
        var filter = MqttFilter.Parse(IsV5 ? topicFilter : topicFilter + RequestLevel + "+");
        _handlers[filter] = (packet, gone) => answer(Read(packet, filter.NameOf(AskedTopicOf(packet))), gone);
        await SubscribeAsync(filter, stop).ConfigureAwait(false);
    }

    /// <summary>Lets another protocol answer the requests of a topic template: an MQTT request becomes an HTTP call, and its response the answer. Who may ask is for the broker to say.</summary>
    /// <param name="template">Which requests: <c>plant/{line}/recipe</c>.</param>
    /// <param name="to">Where they go, with places of the template: <c>lines/{line}/recipe</c>.</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="stop">Gives up subscribing.</param>
    /// <exception cref="ArgumentException">A template is not valid; the message says why.</exception>
    public Task<Mediator> MediateAsync(string template, string to, IRequests requests, Action<MediatorOptions>? configure = null, CancellationToken stop = default) =>
        MediateAsync(new Mediator(template, to, requests, configure), template, stop);

    /// <summary>Lets another protocol answer the requests of a topic template, by a function that says where each goes.</summary>
    /// <param name="template">Which requests: <c>plant/{line}/recipe</c>.</param>
    /// <param name="route">Where a request goes; null: nowhere.</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="stop">Gives up subscribing.</param>
    /// <exception cref="ArgumentException">The template is not valid; the message says why.</exception>
    public Task<Mediator> MediateAsync(
        string template, Func<MediatedRequest, string?> route, IRequests requests, Action<MediatorOptions>? configure = null, CancellationToken stop = default) =>
        MediateAsync(new Mediator(template, route, requests, configure), template, stop);

    private async Task<Mediator> MediateAsync(Mediator mediator, string template, CancellationToken stop)
    {
        await AnswerAsync(template, async (request, gone) => Answer(await mediator.AskAsync(request, null, gone).ConfigureAwait(false)), stop).ConfigureAwait(false);
        return mediator;
    }

    private Message? Answer(MediatedAnswer answer)
    {
        if (answer.IsSuccess)
        {
            return answer.Message ?? new Message("", default);
        }

        // MQTT 3 has no place for a status, and a body that says "no" would be taken for the answer.
        return !IsV5 ? null : (answer.Message ?? new Message("", default))
            .WithHeader(StatusProperty, answer.Status.ToString(CultureInfo.InvariantCulture)).WithHeader(DetailProperty, answer.Detail);
    }

    private string AskedTopicOf(MqttPublishPacket packet)
    {
        int end = IsV5 ? -1 : packet.Topic.LastIndexOf(RequestLevel, StringComparison.Ordinal);
        return end < 0 ? packet.Topic : packet.Topic[..end];
    }

    private Message Read(MqttPublishPacket packet, string topic)
    {
        var headers = MqttHeaders.Of(packet.UserProperties);
        return new Message(topic, packet.Payload.ToArray())
        {
            ContentType = packet.ContentType,
            Headers = Copy(headers),
            Received = _requests.TimeProvider.GetUtcNow(),
            Sent = MqttHeaders.SentTicks(headers) is not 0 and var ticks ? Ticks.ToTime(ticks) : null,
        };
    }

    private void Fill(MqttApplicationMessage message, Message content)
    {
        message.Payload = new ReadOnlySequence<byte>(content.Body);
        if (IsV5)
        {
            message.ContentType = content.ContentType;
            message.UserProperties = content.Headers.Count == 0 ? null : [.. content.Headers.Select(h => MqttHeaders.ToProperty(h.Key, h.Value))];
        }
    }

    // Of what lies beyond, nobody has use, and a sender must not fill memory with it.
    private static KeyValuePair<string, string>[] Copy(PayloadHeaders headers)
    {
        var copy = new KeyValuePair<string, string>[Math.Min(headers.Count, MaxHeaders)];
        for (int i = 0; i < copy.Length; i++)
        {
            var (name, value) = headers[i];
            copy[i] = value.Length <= MaxHeaderChars ? headers[i] : new(name, value[..MaxHeaderChars]);
        }

        return copy;
    }

    private static bool IsRefusal(string status) => status.Length > 0 && status.Length <= 16 && status[0] is >= '4' and <= '9';
}
