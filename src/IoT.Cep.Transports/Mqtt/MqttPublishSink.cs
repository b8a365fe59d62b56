using System.Buffers;
using System.Runtime.ExceptionServices;
using IoT.Cep.Extensibility;
using MQTTnet;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// Publishes results. A batch is checked and encoded as a whole before the first message leaves, so that a rejected row leaves
/// nothing half done; then messages are sent with a window of unacknowledged ones. What the broker has acknowledged is not sent again when another
/// message fails. A connection that was lost is made again by the next attempt.
/// </summary>
/// <typeparam name="T">The result's type.</typeparam>
internal sealed class MqttPublishSink<T>(
    Func<T, string> topic, Action<T, IBufferWriter<byte>> encode, MqttPublishOptions<T> publish)
    : IAsyncSink<T>
{
    /// <summary>Messages sent before the first acknowledgement is awaited: hides the network's delay, and stays below every broker's own limit.</summary>
    private const int MaxWindow = 16;

    // A QoS 2 message is delivered when it is released, and MQTTnet releases messages under way in any order: one at a time keeps it.
    private readonly int _mostUnderWay = publish.QualityOfService == MqttQualityOfService.ExactlyOnce ? 1 : MaxWindow;
    private readonly ArrayBufferWriter<byte> _payloads = new();
    private readonly List<(MqttApplicationMessage Message, int Row)> _messages = [];
    private readonly Task<MqttClientPublishResult>[] _sent = new Task<MqttClientPublishResult>[MaxWindow];

    // Two queries may end in one sink; its buffers and its connection are for one of them at a time.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly TopicAliases _aliases = new();
    private int _window = 1;
    private long _maxPacketBytes = long.MaxValue;
    private IMqttClient? _client;
    private MqttOptions? _options;
    private ConnectionContext? _context;

    public string Name { get; } = publish.Connection == Connections.Default ? "mqtt" : $"mqtt {publish.Connection}";

    public bool IsDurable => publish.QualityOfService != MqttQualityOfService.AtMostOnce;

    public bool UsesIdentity => false;

    /// <summary>The payloads' media type, which MQTT 5 carries; null where it isn't known.</summary>
    internal string? ContentType { get; init; }

    /// <summary>Adds what stands beside the payload in MQTT 5; null: nothing does.</summary>
    internal Action<T, MqttApplicationMessage>? Complete { get; init; }

    public ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            var options = MqttConnectionExtensions.Resolve(context.Connections, publish.Connection);
            return publish.NeedsHeaders && options.ProtocolVersion != MqttProtocol.V5
                ? throw new SinkConfigurationException("The encoder writes headers, for which MQTT 3.1.1 has no place: set ProtocolVersion = MqttProtocol.V5, or encode the envelope into the body.")
                : ValueTask.CompletedTask;
        }
        catch (InvalidOperationException error)
        {
            throw new SinkConfigurationException(error.Message, error);
        }
    }

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            _context = context;
            _options = MqttConnectionExtensions.Resolve(context.Connections, publish.Connection);
            await ConnectAsync(_options, context, stop).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            await SendAsync(batch, stop).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task SendAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        if (_options is null || _context is null)
        {
            throw new InvalidOperationException("The sink was not opened.");
        }

        Encode(batch, _options.MaxPayloadBytes);
        if (_client is not { IsConnected: true })
        {
            await ConnectAsync(_options, _context, stop).ConfigureAwait(false);
        }

        ThrowIfTooLarge();
        using var limit = new CancellationTokenSource(_options.ConnectTimeout * (1 + (_messages.Count / _window)), _context.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        for (int start = 0; start < _messages.Count; start += _window)
        {
            await SendWindowAsync(batch, start, Math.Min(_window, _messages.Count - start), either.Token).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            await DisconnectAsync().ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task DisconnectAsync()
    {
        if (_client is not { } client || _options is null || _context is null)
        {
            return;
        }

        _client = null;
        using (client)
        {
            try
            {
                using var limit = new CancellationTokenSource(_options.ConnectTimeout, _context.TimeProvider);
                await client.DisconnectAsync(new MqttClientDisconnectOptions(), limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (MqttFailure.IsTransient(e))
            {
                MqttLog.NoGoodbye(_context.Logger, Name, MqttFailure.Describe(e));
            }
        }
    }

    private async Task ConnectAsync(MqttOptions options, ConnectionContext context, CancellationToken stop)
    {
        _client?.Dispose();
        _client = null;
        string clientId = (options.ClientId ?? "cep") + "-out-" + Guid.NewGuid().ToString("N")[..12];
        var connector = new MqttConnector(options);
        _client = await connector.ConnectAsync(clientId, cleanStart: true, context.TimeProvider, stop).ConfigureAwait(false);
        var accepted = connector.Accepted!;
        bool isV5 = options.ProtocolVersion == MqttProtocol.V5;
        _aliases.Clear(isV5 ? Math.Min(options.TopicAliasMaximum, accepted.TopicAliasMaximum) : 0);

        // Zero stands for what the broker did not say: the protocol allows no zero here.
        _window = isV5 && accepted.ReceiveMaximum is > 0 and var most ? Math.Min(_mostUnderWay, (int)most) : _mostUnderWay;
        _maxPacketBytes = isV5 && accepted.MaximumPacketSize is > 0 and var bytes ? (long)bytes : long.MaxValue;
        ThrowIfUnable(accepted, isV5);
    }

    /// <summary>What the broker says that it can't do would end the connection at the first message, again and again.</summary>
    private void ThrowIfUnable(MqttClientConnectResult accepted, bool isV5)
    {
        if (isV5 && (publish.Retained && !accepted.RetainAvailable))
        {
            throw new MqttRefusedException("The broker keeps no retained messages: publish with Retained = false.");
        }

        if (isV5 && (int)accepted.MaximumQoS < (int)publish.QualityOfService)
        {
            throw new MqttRefusedException($"The broker takes QoS {(int)accepted.MaximumQoS} at most: publish with a lower QualityOfService.");
        }
    }

    private void Encode(SinkBatch<T> batch, int maxPayloadBytes)
    {
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        _messages.Clear();
        _payloads.ResetWrittenCount();
        for (int row = 0; row < results.Length; row++)
        {
            if (!kinds.IsEmpty && kinds[row] == EventKind.Retract)
            {
                // What was published can't be unsaid.
                continue;
            }

            int start = _payloads.WrittenCount;
            string name = Call(results[row], row);
            if (MqttTopic.Problem(name) is { } problem)
            {
                throw new SinkRejectedException(row, problem);
            }

            int length = _payloads.WrittenCount - start;
            if (length > maxPayloadBytes)
            {
                throw new SinkRejectedException(row, $"The payload has {length} bytes; MqttOptions.MaxPayloadBytes allows {maxPayloadBytes}.");
            }

            // Should the buffer grow, earlier messages go on pointing into the smaller one, which nobody writes any more.
            _messages.Add((ToMessage(results[row], name, new ReadOnlySequence<byte>(_payloads.WrittenMemory.Slice(start, length)), row), row));
        }
    }

    private MqttApplicationMessage ToMessage(T result, string name, ReadOnlySequence<byte> payload, int row)
    {
        var message = new MqttApplicationMessage
        {
            Topic = name,
            Payload = payload,
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)publish.QualityOfService,
            Retain = publish.Retained,
        };
        if (_options!.ProtocolVersion != MqttProtocol.V5)
        {
            return message;
        }

        message.ContentType = publish.ContentTypeOf is { } contentTypeOf ? contentTypeOf(result) : publish.ContentType;
        message.MessageExpiryInterval = (uint)(publish.Expiry?.TotalSeconds ?? 0);
        if (publish.Headers is not null)
        {
            message.UserProperties = [.. HeadersOf(result, row).Select(static h => MqttHeaders.ToProperty(h.Key, h.Value))];
        }

        return message;
    }

    private List<KeyValuePair<string, string>> HeadersOf(T result, int row)
    {
        try
        {
            return [.. publish.Headers!(result)];
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The header function failed: {SafeText.Escape(e.Message)}", e);
        }
    }

    private string Call(T result, int row)
    {
        try
        {
            encode(result, _payloads);
            return topic(result);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The topic or payload function failed: {SafeText.Escape(e.Message)}", e);
        }
    }

    /// <summary>A packet that is larger than the broker said would end the connection (MQTT 5, 3.2.2-15). What the packet has beside topic and payload is not counted: then the broker says so.</summary>
    private void ThrowIfTooLarge()
    {
        foreach (var (message, row) in _messages)
        {
            if (message.Payload.Length + message.Topic.Length >= _maxPacketBytes)
            {
                throw new SinkRejectedException(row, $"The message has more than the {_maxPacketBytes} bytes that the broker takes.");
            }
        }
    }

    private async Task SendWindowAsync(SinkBatch<T> batch, int start, int count, CancellationToken stop)
    {
        for (int i = 0; i < count; i++)
        {
            _sent[i] = _client!.PublishAsync(_aliases.Shorten(_messages[start + i].Message), stop);
        }

        // All are awaited before a failure is told: nothing of this attempt runs on beside the next one.
        Task all = Task.WhenAll(_sent.AsSpan(0, count));
        await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Exception? failure = null;
        for (int i = 0; i < count; i++)
        {
            // A refusal goes first: its message leaves the batch, and what else went wrong will show again.
            var failed = Failure(_sent[i], _messages[start + i].Row);
            failure = failed is SinkRejectedException ? failed : failure ?? failed;
        }

        if (failure is not null)
        {
            MarkAcknowledged(batch, start, count);
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>All of the earlier windows are with the broker, and those of this one that did not fail.</summary>
    private void MarkAcknowledged(SinkBatch<T> batch, int start, int count)
    {
        for (int i = 0; i < start + count; i++)
        {
            if (i < start || Failure(_sent[i - start], _messages[i].Row) is null)
            {
                batch.MarkWritten(_messages[i].Row);
            }
        }
    }

    /// <summary>Why a message that was sent is not with the broker, or null where it is.</summary>
    private static Exception? Failure(Task<MqttClientPublishResult> sent, int row)
    {
        if (!sent.IsCompletedSuccessfully)
        {
            return sent.Exception?.InnerException ?? new OperationCanceledException("The broker did not acknowledge a message in time.");
        }

        return sent.Result.ReasonCode switch
        {
            MqttClientPublishReasonCode.Success or MqttClientPublishReasonCode.NoMatchingSubscribers => null,
            var code and (MqttClientPublishReasonCode.TopicNameInvalid or MqttClientPublishReasonCode.PayloadFormatInvalid or MqttClientPublishReasonCode.NotAuthorized) =>
                new SinkRejectedException(row, $"The broker refused the message: {code}."),
            var code => new MqttRefusedException($"The broker refused a message: {code}."),
        };
    }
}
