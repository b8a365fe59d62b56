using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// Requests and answers over MQTT. In MQTT 5 a request carries the topic for its answer and data that the answer repeats. MQTT 3 has no place for them; by convention a request to <c>a/b</c> then goes
/// to <c>a/b/request/ID</c>, and its answer to <c>a/b/response/ID</c>.
/// </summary>
/// <remarks>Thread-safe. One connection, which is made again when it is lost; a request that waits meanwhile ends with its timeout. Delivered at least once: a request may be answered twice, and only the first answer counts.</remarks>
public sealed class MqttRequests : IAsyncDisposable
{
    /// <summary>How many requests wait for each that is being answered; more are passed over.</summary>
    private const int WaitingPerAnswer = 10;

    private const string RequestLevel = "/request/", ResponseLevel = "/response/";

    private readonly MqttOptions _options;
    private readonly MqttRequestOptions _requests;
    private readonly MqttTransport _transport;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _asking;
    private readonly SemaphoreSlim _answering;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<byte[]>> _waiting = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<MqttFilter, Func<MqttRequest, ValueTask<ReadOnlyMemory<byte>>>> _handlers = new();
    private readonly TopicFilter _allowed;
    private readonly Task _run;
    private readonly string _own;
    private long _next;
    private long _passedOver;
    private int _underWay;
    private volatile TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MqttRequests(MqttOptions options, MqttRequestOptions requests, ILogger logger)
    {
        (_options, _requests) = (options, requests);
        _asking = new SemaphoreSlim(requests.MaxInFlight);
        _answering = new SemaphoreSlim(requests.MaxInFlight);
        _own = Guid.NewGuid().ToString("N");
        _allowed = requests.AllowedResponses ?? TopicFilter.Parse("responses/#");
        var connections = new Connections();
        connections.Set(options.WithoutSession());
        _transport = new MqttTransport([$"{requests.ResponseTopic}/{_own}"], new MqttSubscribeOptions { Retained = MqttRetained.Never }) { Direct = TakeAsync };
        _run = _transport.RunAsync(new Watcher(this), new ConnectionContext(requests.TimeProvider, connections, logger), _stop.Token);
    }

    /// <summary>Requests that were not answered because too many came.</summary>
    public long PassedOver => Interlocked.Read(ref _passedOver);

    private bool IsV5 => _options.ProtocolVersion == MqttProtocol.V5;

    /// <summary>Opens a connection for requests; it connects in the background.</summary>
    /// <param name="options">The broker.</param>
    /// <param name="requests">How requests are sent; null: the defaults.</param>
    /// <param name="logger">Told of lost connections; null: nobody.</param>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static MqttRequests Open(MqttOptions options, MqttRequestOptions? requests = null, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate("requests");
        requests ??= new MqttRequestOptions();
        requests.Validate();
        return new MqttRequests(options, requests, logger ?? NullLogger.Instance);
    }

    /// <summary>Sends a request and waits for its answer.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="payload">The payload.</param>
    /// <param name="stop">Gives up.</param>
    /// <returns>The answer's payload.</returns>
    /// <exception cref="ArgumentException">The topic is malformed.</exception>
    /// <exception cref="TimeoutException">No answer came in time; whether the request was carried out is not known.</exception>
    public async Task<byte[]> RequestAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop = default)
    {
        if (MqttTopic.Problem(topic) is { } problem)
        {
            throw new ArgumentException(problem, nameof(topic));
        }

        using var limit = new CancellationTokenSource(_requests.Timeout, _requests.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop, _stop.Token);
        try
        {
            await _asking.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                return await AskAsync(topic, payload, either.Token).ConfigureAwait(false);
            }
            finally
            {
                _asking.Release();
            }
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer to a request to '{SafeText.Escape(topic)}' came within {_requests.Timeout}.", e);
        }
    }

    /// <summary>Answers the requests of a topic filter, for as long as this object lives. What the function throws is no answer: the requester's time runs out.</summary>
    /// <param name="topicFilter">Which requests.</param>
    /// <param name="answer">Gives the answer; called for several requests at once.</param>
    /// <param name="stop">Gives up subscribing.</param>
    /// <exception cref="ArgumentException">The filter is malformed.</exception>
    public async Task AnswerAsync(string topicFilter, Func<MqttRequest, ValueTask<ReadOnlyMemory<byte>>> answer, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(answer);
        var filter = MqttFilter.Parse(IsV5 ? topicFilter : topicFilter + RequestLevel + "+");
        _handlers[filter] = answer;
        await _connected.Task.WaitAsync(stop).ConfigureAwait(false);
        await _transport.AddAsync(filter.Filter, stop).ConfigureAwait(false);
    }

    /// <summary>Closes the connection; requests that wait are cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _asking.Dispose();
        _answering.Dispose();
        _stop.Dispose();
    }

    private async Task<byte[]> AskAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
    {
        // Not to be guessed from an earlier one, and never the same twice.
        string id = string.Create(CultureInfo.InvariantCulture, $"{_own}-{Interlocked.Increment(ref _next)}");
        var answer = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            await _connected.Task.WaitAsync(stop).ConfigureAwait(false);
            if (!IsV5)
            {
                await _transport.AddAsync(topic + ResponseLevel + "+", stop).ConfigureAwait(false);
            }

            var message = new MqttApplicationMessage
            {
                Topic = IsV5 ? topic : topic + RequestLevel + id,
                Payload = new ReadOnlySequence<byte>(payload),
                QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
                ResponseTopic = IsV5 ? $"{_requests.ResponseTopic}/{_own}" : null,
                CorrelationData = IsV5 ? Encoding.ASCII.GetBytes(id) : null,
            };
            await PublishAsync(message, stop).ConfigureAwait(false);
            return await answer.Task.WaitAsync(stop).ConfigureAwait(false);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    private async Task PublishAsync(MqttApplicationMessage message, CancellationToken stop)
    {
        while (true)
        {
            await _connected.Task.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                if (_transport.Client is { } client)
                {
                    var result = await client.PublishAsync(message, stop).ConfigureAwait(false);
                    if (result.IsSuccess || result.ReasonCode == MqttClientPublishReasonCode.NoMatchingSubscribers)
                    {
                        return;
                    }

                    throw new InvalidOperationException($"The broker refused the message to '{SafeText.Escape(message.Topic)}': {result.ReasonCode}.");
                }
            }
            catch (Exception e) when (MqttFailure.IsTransient(e) && !stop.IsCancellationRequested)
            {
                // Lost just now: the next connection sends it, within the request's time.
            }

            await Task.Delay(_options.ReconnectMin, _requests.TimeProvider, stop).ConfigureAwait(false);
        }
    }

    /// <summary>On the thread that reads the connection: an answer is handed over, a request is answered on the side, no more than so many at once.</summary>
    private ValueTask TakeAsync(MqttPublishPacket packet)
    {
        if (AnswerTo(packet) is { } id)
        {
            if (_waiting.TryGetValue(id, out var waiting))
            {
                waiting.TrySetResult(packet.Payload.ToArray());
            }

            return ValueTask.CompletedTask;
        }

        foreach (var (filter, handler) in _handlers)
        {
            if (filter.Takes(packet.Topic) && ReplyTo(packet) is { } reply)
            {
                if (Interlocked.Increment(ref _underWay) > (1 + WaitingPerAnswer) * _requests.MaxInFlight)
                {
                    // Waiting here would keep the acknowledgements of answers from being read, and nothing would ever go on.
                    Interlocked.Decrement(ref _underWay);
                    Interlocked.Increment(ref _passedOver);
                    return ValueTask.CompletedTask;
                }

                _ = Task.Run(() => ReplyAsync(new MqttRequest(packet.Topic, packet.Payload.ToArray()), reply, handler));
                return ValueTask.CompletedTask;
            }
        }

        return ValueTask.CompletedTask;
    }

    private string? AnswerTo(MqttPublishPacket packet)
    {
        if (IsV5)
        {
            return packet.Topic == $"{_requests.ResponseTopic}/{_own}" && packet.CorrelationData is { Length: > 0 and <= 128 } data ? Encoding.ASCII.GetString(data) : null;
        }

        int end = packet.Topic.LastIndexOf('/');
        return end > 0 && packet.Topic.AsSpan(0, end + 1).EndsWith(ResponseLevel) ? packet.Topic[(end + 1)..] : null;
    }

    private MqttApplicationMessage? ReplyTo(MqttPublishPacket packet)
    {
        string? topic = packet.ResponseTopic;
        if (!IsV5)
        {
            int end = packet.Topic.LastIndexOf(RequestLevel, StringComparison.Ordinal);
            topic = end < 0 ? null : string.Concat(packet.Topic.AsSpan(0, end), ResponseLevel, packet.Topic.AsSpan(end + RequestLevel.Length));
        }

        bool isAllowed = MqttTopic.Problem(topic) is null && (!IsV5 || _allowed.Matches(topic));
        return isAllowed ? new MqttApplicationMessage { Topic = topic, CorrelationData = packet.CorrelationData, QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce } : null;
    }

    private async Task ReplyAsync(MqttRequest request, MqttApplicationMessage reply, Func<MqttRequest, ValueTask<ReadOnlyMemory<byte>>> handler)
    {
        using var limit = new CancellationTokenSource(_requests.Timeout, _requests.TimeProvider);
        bool isIn = false;
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
            await _answering.WaitAsync(either.Token).ConfigureAwait(false);
            isIn = true;
            reply.Payload = new ReadOnlySequence<byte>(await handler(request).ConfigureAwait(false));
            await PublishAsync(reply, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // No answer is the answer: what went wrong here is not the requester's to read.
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
            if (isIn)
            {
                _answering.Release();
            }
        }
    }

    /// <summary>Follows the connection.</summary>
    private sealed class Watcher(MqttRequests requests) : IPayloadReceiver
    {
        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null) => ValueTask.CompletedTask;

        public void Reject(in Payload payload, DeadLetterReason reason, string detail)
        {
        }

        public void CountDuplicate()
        {
        }

        public void ConnectionChanged(bool connected, string? detail = null)
        {
            if (connected)
            {
                requests._connected.TrySetResult();
            }
            else if (requests._connected.Task.IsCompleted)
            {
                requests._connected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }
}
