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
    Func<T, string> topic, Action<T, IBufferWriter<byte>> encode, MqttQualityOfService qualityOfService, bool retained, string connection)
    : IAsyncSink<T>
{
    /// <summary>Messages sent before the first acknowledgement is awaited: hides the network's delay, and stays below every broker's own limit.</summary>
    private const int MaxWindow = 16;

    // A QoS 2 message is delivered when it is released, and MQTTnet releases messages under way in any order: one at a time keeps it.
    private readonly int _window = qualityOfService == MqttQualityOfService.ExactlyOnce ? 1 : MaxWindow;
    private readonly ArrayBufferWriter<byte> _payloads = new();
    private readonly List<(MqttApplicationMessage Message, int Row)> _messages = [];
    private readonly Task<MqttClientPublishResult>[] _sent = new Task<MqttClientPublishResult>[MaxWindow];

    // Two queries may end in one sink; its buffers and its connection are for one of them at a time.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private IMqttClient? _client;
    private MqttOptions? _options;
    private ConnectionContext? _context;

    public string Name { get; } = connection == Connections.Default ? "mqtt" : $"mqtt {connection}";

    public bool IsDurable => qualityOfService != MqttQualityOfService.AtMostOnce;

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
            MqttConnectionExtensions.Resolve(context.Connections, connection);
            return ValueTask.CompletedTask;
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
            _options = MqttConnectionExtensions.Resolve(context.Connections, connection);
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
        _client = await new MqttConnector(options).ConnectAsync(clientId, cleanStart: true, context.TimeProvider, stop).ConfigureAwait(false);
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
            var message = new MqttApplicationMessage
            {
                Topic = name,
                ContentType = _options?.ProtocolVersion == MqttProtocol.V5 ? ContentType : null,
                Payload = new ReadOnlySequence<byte>(_payloads.WrittenMemory.Slice(start, length)),
                QualityOfServiceLevel = (MqttQualityOfServiceLevel)qualityOfService,
                Retain = retained,
            };
            if (_options?.ProtocolVersion == MqttProtocol.V5)
            {
                Complete?.Invoke(results[row], message);
            }

            _messages.Add((message, row));
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

    private async Task SendWindowAsync(SinkBatch<T> batch, int start, int count, CancellationToken stop)
    {
        for (int i = 0; i < count; i++)
        {
            _sent[i] = _client!.PublishAsync(_messages[start + i].Message, stop);
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
