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
public sealed partial class MqttRequests : IRequests
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
    private readonly ConcurrentDictionary<string, TaskCompletionSource<MqttPublishPacket>> _waiting = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<MqttFilter, Func<MqttPublishPacket, CancellationToken, ValueTask<Message?>>> _handlers = new();
    private readonly TopicFilter _allowed;
    private readonly MqttFilter? _answers;
    private readonly Task _run;
    private readonly string _own;
    private long _next;
    private long _passedOver;
    private long _late;
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
        Name = string.Create(CultureInfo.InvariantCulture, $"mqtt {options.Host}:{options.EffectivePort}");
        _answers = requests.AnswerFilter is { } filter && !IsV5 ? MqttFilter.Parse(filter) : null;
        _transport = new MqttTransport([_answers?.Filter ?? $"{requests.ResponseTopic}/{_own}"], new MqttSubscribeOptions { Retained = MqttRetained.Never }) { Direct = TakeAsync };
        _run = _transport.RunAsync(new Watcher(this), new ConnectionContext(requests.TimeProvider, connections, logger), _stop.Token);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Answers that came after their requests had been given up; nobody got them.</summary>
    public long LateAnswers => Interlocked.Read(ref _late);

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
        ThrowIfInvalid(topic, nameof(topic));
        var message = new MqttApplicationMessage { Topic = topic, Payload = new ReadOnlySequence<byte>(payload) };
        var answer = await AskAsync(message, isAnyoneNeeded: false, _requests.Timeout, stop).ConfigureAwait(false);
        return answer.Payload.ToArray();
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
        _handlers[filter] = async (packet, _) => new Message("", await answer(new MqttRequest(packet.Topic, packet.Payload.ToArray())).ConfigureAwait(false));
        await SubscribeAsync(filter, stop).ConfigureAwait(false);
    }

    private async Task SubscribeAsync(MqttFilter filter, CancellationToken stop)
    {
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

    private static void ThrowIfInvalid(string topic, string parameter)
    {
        if (MqttTopic.Problem(topic) is { } problem)
        {
            throw new ArgumentException(problem, parameter);
        }
    }

    /// <summary>Sends a request and awaits its answer, waiting for its turn included.</summary>
    /// <exception cref="TimeoutException">No answer came in time, and the request may have been sent.</exception>
    /// <exception cref="NotSentException">It was not.</exception>
    private async Task<MqttPublishPacket> AskAsync(MqttApplicationMessage message, bool isAnyoneNeeded, TimeSpan timeout, CancellationToken stop)
    {
        string topic = message.Topic;
        using var limit = new CancellationTokenSource(timeout, _requests.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop, _stop.Token);
        var sending = new Sending();
        try
        {
            await _asking.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                return await AskAsync(message, isAnyoneNeeded, sending, either.Token).ConfigureAwait(false);
            }
            finally
            {
                _asking.Release();
            }
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException(
                sending.IsTried ? $"No answer to a request to '{SafeText.Escape(topic)}' came within {timeout}." : $"A request to '{SafeText.Escape(topic)}' could not be sent within {timeout}.",
                sending.IsTried ? e : new NotSentException("There was no connection, or no room.", e));
        }
    }

    private async Task<MqttPublishPacket> AskAsync(MqttApplicationMessage message, bool isAnyoneNeeded, Sending sending, CancellationToken stop)
    {
        // Not to be guessed from an earlier one, and never the same twice.
        string id = string.Create(CultureInfo.InvariantCulture, $"{_own}-{Interlocked.Increment(ref _next)}");
        var answer = new TaskCompletionSource<MqttPublishPacket>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            await _connected.Task.WaitAsync(stop).ConfigureAwait(false);
            if (IsV5)
            {
                (message.ResponseTopic, message.CorrelationData) = ($"{_requests.ResponseTopic}/{_own}", Encoding.ASCII.GetBytes(id));
            }
            else
            {
                if (_answers?.Takes(message.Topic + ResponseLevel + id) != true)
                {
                    await _transport.AddAsync(message.Topic + ResponseLevel + "+", stop).ConfigureAwait(false);
                }

                message.Topic += RequestLevel + id;
            }

            message.QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce;
            await PublishAsync(message, isAnyoneNeeded, sending, stop).ConfigureAwait(false);
            return await answer.Task.WaitAsync(stop).ConfigureAwait(false);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    private async Task PublishAsync(MqttApplicationMessage message, bool isAnyoneNeeded, Sending sending, CancellationToken stop)
    {
        while (true)
        {
            await _connected.Task.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                if (_transport.Client is { } client)
                {
                    sending.IsTried = true;
                    var result = await client.PublishAsync(message, stop).ConfigureAwait(false);
                    bool isAlone = result.ReasonCode == MqttClientPublishReasonCode.NoMatchingSubscribers;
                    if (isAlone ? !isAnyoneNeeded : result.IsSuccess)
                    {
                        return;
                    }

                    throw isAlone ? new NotSentException($"Nobody subscribes to '{SafeText.Escape(message.Topic)}'.") : new InvalidOperationException($"The broker refused the message to '{SafeText.Escape(message.Topic)}': {result.ReasonCode}.");
                }
            }
            catch (Exception e) when (e is not NotSentException && MqttFailure.IsTransient(e) && !stop.IsCancellationRequested)
            {
                // Lost just now: the next connection sends it, within the request's time.
            }
            catch (Exception e) when (e is not (NotSentException or OperationCanceledException) && MqttFailure.IsTransient(e))
            {
                // The time was over in the middle of sending, which the client calls a failure of its own.
                throw new OperationCanceledException("The request's time was over while it was being sent.", e, stop);
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
                // The connection's buffer is another message's when this one is read.
                packet.Payload = new ReadOnlySequence<byte>(packet.Payload.ToArray());
                waiting.TrySetResult(packet);
            }
            else if (id.StartsWith(_own, StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _late);
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

                packet.Payload = new ReadOnlySequence<byte>(packet.Payload.ToArray());
                _ = Task.Run(() => ReplyAsync(packet, reply, handler));
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

    private async Task ReplyAsync(MqttPublishPacket request, MqttApplicationMessage reply, Func<MqttPublishPacket, CancellationToken, ValueTask<Message?>> handler)
    {
        bool isIn = false;
        try
        {
            // An answer has a time of its own to go out: how long it took to find is for the requester to bear with.
            using (var turn = new CancellationTokenSource(_requests.Timeout, _requests.TimeProvider))
            using (var either = CancellationTokenSource.CreateLinkedTokenSource(turn.Token, _stop.Token))
            {
                await _answering.WaitAsync(either.Token).ConfigureAwait(false);
            }

            isIn = true;
            if (await handler(request, _stop.Token).ConfigureAwait(false) is not { } answer)
            {
                return;
            }

            Fill(reply, answer);
            using var limit = new CancellationTokenSource(_requests.Timeout, _requests.TimeProvider);
            using var sent = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
            await PublishAsync(reply, isAnyoneNeeded: false, new Sending(), sent.Token).ConfigureAwait(false);
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

    /// <summary>How far a request has come: whether the broker may have it.</summary>
    private sealed class Sending
    {
        internal bool IsTried { get; set; }
    }

    /// <summary>A request that nobody has.</summary>
    private sealed class NotSentException(string message, Exception? inner = null) : IOException(message, inner);

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
