using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>
/// An MQTT 3.1.1 and 5 broker inside this process: for gateways, samples and tests. It drops no message that it acknowledged:
/// while a subscriber's queue is more than half full, its publishers are not read, and TCP holds them back.
/// </summary>
/// <remarks>
/// Sessions and retained messages live in memory, or with <see cref="MqttBrokerOptions.StoreFolder"/> on disk. QoS 0 messages for a client that is not connected are not
/// kept. A session that is not connected and whose queue is full is discarded whole, which the client is told when it returns
/// (session not present), and is counted. Metrics: meter <c>IoT.Cep.Mqtt.Broker</c>.
/// </remarks>
public sealed partial class MqttBroker : IAsyncDisposable
{
    /// <summary>The client id of what this process publishes; known by reference, so that no client can take it.</summary>
    private static readonly string _self = new(['b', 'r', 'o', 'k', 'e', 'r']);

    /// <summary>How often sessions and wills are looked at whose time may have come.</summary>
    private static readonly TimeSpan _expiryPeriod = TimeSpan.FromSeconds(1);

    private readonly MqttBrokerOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ConcurrentDictionary<string, BrokerSubscriber> _subscribers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BrokerConnection> _connections = new(StringComparer.Ordinal);
    private readonly Meter _meter = new("IoT.Cep.Mqtt.Broker");
    private readonly BrokerListener _listener;
    private readonly MqttServer _server;

    // Connections that MQTTnet processes packets of: the one that a session's earlier connection has made room for.
    private readonly ConcurrentDictionary<string, BrokerConnection> _active = new(StringComparer.Ordinal);

    // Whose each session is.
    private readonly ConcurrentDictionary<string, string> _owners = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _restoring = new(StringComparer.Ordinal);
    private long _received;
    private long _delivered;
    private long _discardedSessions;
    private long _stalls;
    private long _expiredSessions;
    private long _slowed;
    private long _refusedMessages;
    private long _refusedConnections;
    private long _expiredMessages;
    private long _tooLargeMessages;

    private MqttBroker(MqttBrokerOptions options, TimeProvider timeProvider)
    {
        _options = options;
        _timeProvider = timeProvider;
        _listener = new BrokerListener(options, timeProvider);
        var serverOptions = new MqttServerOptions
        {
            EnablePersistentSessions = true,
            // The wait for room keeps queues far below this; what passes it at once (retained messages at a subscription) still fits.
            MaxPendingMessagesPerClient = int.MaxValue,
            DefaultCommunicationTimeout = options.ConnectTimeout,
        };
        _server = new MqttServerFactory().CreateMqttServer(serverOptions, [_listener], MqttNetNullLogger.Instance);
        _server.ValidatingConnectionAsync += ValidateAsync;
        _server.ClientConnectedAsync += e => ConnectedAsync(e.ClientId);
        _server.ClientDisconnectedAsync += DisconnectedAsync;
        _server.SessionDeletedAsync += DeletedAsync;
        _server.InterceptingPublishAsync += PublishedAsync;
        _server.InterceptingSubscriptionAsync += SubscribingAsync;
        _server.InterceptingUnsubscriptionAsync += UnsubscribingAsync;
        _server.ClientSubscribedTopicAsync += SubscribedAsync;
        _server.ClientUnsubscribedTopicAsync += UnsubscribedAsync;
        _server.LoadingRetainedMessageAsync += LoadRetainedAsync;
        _server.RetainedMessageChangedAsync += RetainedAsync;
        _server.InterceptingClientEnqueueAsync += e => MakeRoomAsync(e);
        _server.InterceptingOutboundPacketAsync += SendingAsync;
        _server.InterceptingInboundPacketAsync += ReceivingAsync;
        _server.ClientAcknowledgedPublishPacketAsync += AcknowledgedAsync;
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_received", () => Received, "{message}", "Messages from publishers.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_delivered", () => Delivered, "{message}", "Messages sent to subscribers, repetitions included.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_sessions_discarded", () => DiscardedSessions, "{session}", "Sessions discarded with a full queue.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_messages_expired", () => ExpiredMessages, "{message}", "Messages not sent to a subscriber since their time was over.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_messages_too_large", () => TooLargeMessages, "{message}", "Messages not sent to a subscriber that takes none so large.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_refused", () => RefusedMessages, "{message}", "Messages refused: not allowed, or past a limit.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_connections_refused", () => RefusedConnections, "{connection}", "Connections refused: not proved, not allowed, or past a limit.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_slowed", () => Slowed, "{wait}", "Waits of publishers that were faster than they may be.");
        _meter.CreateObservableUpDownCounter("iot_cep_mqtt_broker_sessions", () => Sessions, "{session}", "Sessions, those of clients that are away included.");
        _meter.CreateObservableUpDownCounter("iot_cep_mqtt_broker_clients", () => Clients, "{client}", "Connections.");
    }

    /// <summary>The port that it listens on.</summary>
    public int Port => _listener.Port;

    /// <summary>Messages received from publishers.</summary>
    public long Received => Interlocked.Read(ref _received);

    /// <summary>Messages sent to subscribers, repetitions included.</summary>
    public long Delivered => Interlocked.Read(ref _delivered);

    /// <summary>Connections now.</summary>
    public int Clients => _listener.Connections;

    /// <summary>Sessions now, those of clients that are away included.</summary>
    public int Sessions => _owners.Count;

    /// <summary>Sessions that were discarded because their client was away and their queue was full.</summary>
    public long DiscardedSessions => Interlocked.Read(ref _discardedSessions);

    /// <summary>Sessions that ended because their client was away for as long as they were to be kept.</summary>
    public long ExpiredSessions => Interlocked.Read(ref _expiredSessions);

    /// <summary>Messages that were not sent to a subscriber because their time (MQTT 5: message expiry) was over.</summary>
    public long ExpiredMessages => Interlocked.Read(ref _expiredMessages);

    /// <summary>Messages that were not sent to a subscriber because it said that it takes no packets so large (MQTT 5: maximum packet size).</summary>
    public long TooLargeMessages => Interlocked.Read(ref _tooLargeMessages);

    /// <summary>How often a publisher had to wait for a subscriber.</summary>
    public long Waits => Interlocked.Read(ref _stalls);

    /// <summary>How often a publisher had to wait because of its <see cref="PrincipalLimits.MessagesPerSecond"/>.</summary>
    public long Slowed => Interlocked.Read(ref _slowed);

    /// <summary>Messages that were refused: not allowed, or past a limit.</summary>
    public long RefusedMessages => Interlocked.Read(ref _refusedMessages);

    /// <summary>Connections that were refused: not proved, not allowed, or past a limit.</summary>
    public long RefusedConnections => Interlocked.Read(ref _refusedConnections);

    /// <summary>Starts a broker.</summary>
    /// <param name="options">How it listens; null: loopback, port 1883.</param>
    /// <param name="timeProvider">The clock of time limits; null: the system's.</param>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The port is taken.</exception>
    /// <exception cref="IOException">The store can't be opened, or another process has it.</exception>
    /// <exception cref="InvalidDataException">The store's file is none of a broker.</exception>
    public static async Task<MqttBroker> StartAsync(MqttBrokerOptions? options = null, TimeProvider? timeProvider = null)
    {
        options ??= new MqttBrokerOptions();
        options.Validate();
        var broker = new MqttBroker(options, timeProvider ?? TimeProvider.System);
        try
        {
            broker._store = options.StoreFolder is { } folder ? BrokerStore.Open(folder) : null;
            await broker._server.StartAsync().ConfigureAwait(false);
            await broker.RestoreAsync().ConfigureAwait(false);
            broker._expiry = broker._timeProvider.CreateTimer(_ => _ = broker.ExpireAsync(), null, _expiryPeriod, _expiryPeriod);
            broker._listener.Accept();
            return broker;
        }
        catch
        {
            await broker.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Publishes a message from this process, as a client would; waits as its publisher would.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="payload">The payload; must not change until the message is delivered.</param>
    /// <param name="qualityOfService">The QoS.</param>
    /// <param name="retained">Whether it is kept for later subscribers.</param>
    /// <exception cref="ArgumentException">The topic is malformed.</exception>
    /// <exception cref="IOException">The message would have to be kept, and the store is full or can't be written.</exception>
    public async Task PublishAsync(
        string topic, ReadOnlyMemory<byte> payload, MqttQualityOfService qualityOfService = MqttQualityOfService.AtMostOnce, bool retained = false)
    {
        if (MqttTopic.Problem(topic) is { } problem)
        {
            throw new ArgumentException(problem, nameof(topic));
        }

        var message = new MQTTnet.MqttApplicationMessage
        {
            Topic = topic,
            Payload = new System.Buffers.ReadOnlySequence<byte>(payload),
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)qualityOfService,
            Retain = retained,
        };
        if (IsStoreFullFor(message))
        {
            throw new IOException($"The broker's store has its {_options.MaxStoreBytes} bytes.");
        }

        await _server.InjectApplicationMessage(new InjectedMqttApplicationMessage(message) { SenderClientId = _self }).ConfigureAwait(false);
        if (_store is { } store && !await store.FlushedAsync().ConfigureAwait(false))
        {
            throw new IOException("The broker's store can't be written.");
        }
    }

    /// <summary>Cuts a client's connection; its session stays if it is a kept one. Nothing happens where there is no such client.</summary>
    /// <param name="clientId">The client's name.</param>
    public Task DisconnectAsync(string clientId)
    {
        ArgumentException.ThrowIfNullOrEmpty(clientId);
        return DisconnectAsync(clientId, MqttDisconnectReasonCode.AdministrativeAction);
    }

    private async Task DisconnectAsync(string clientId, MqttDisconnectReasonCode reason)
    {
        try
        {
            await _server.DisconnectClientAsync(clientId, reason).ConfigureAwait(false);
        }
        catch (InvalidOperationException)
        {
            // MQTTnet's word for: it is gone already.
        }
    }

    /// <summary>The time, as the deadlines of messages count it.</summary>
    internal uint Seconds => MessageClock.Now(_timeProvider);

    internal void CountDelivered() => Interlocked.Increment(ref _delivered);

    internal void CountExpired() => Interlocked.Increment(ref _expiredMessages);

    internal void CountTooLarge() => Interlocked.Increment(ref _tooLargeMessages);

    /// <summary>Stops: closes all connections, says no wills, and forgets sessions and retained messages that no store keeps.</summary>
    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        if (_expiry is not null)
        {
            await _expiry.DisposeAsync().ConfigureAwait(false);
        }

        if (_server.IsStarted)
        {
            await _server.StopAsync(new MqttServerStopOptions()).ConfigureAwait(false);
        }

        _server.Dispose();
        _listener.Dispose();
        _changes.OnCompleted();
        _changes.Dispose();
        if (_store is not null)
        {
            // Last: nothing is acknowledged any more that would have to be kept.
            await _store.DisposeAsync().ConfigureAwait(false);
        }

        _meter.Dispose();
    }

    /// <summary>Waits until the client's earlier connection has processed what it was sent and ended, before MQTTnet gives its session to the new one.</summary>
    private async Task TakeOverAsync(string clientId, BrokerConnection connection)
    {
        BrokerConnection? earlier;
        while (_connections.TryGetValue(clientId, out earlier) ? !_connections.TryUpdate(clientId, connection, earlier) : !_connections.TryAdd(clientId, connection))
        {
            // Two connections under one name came at once: each waits for the one before it.
        }

        _ = ForgetAsync(clientId, connection);
        if (earlier is null)
        {
            return;
        }

        earlier.EndInput();
        try
        {
            // Half of what a client is given to connect, since it waits as well. Longer it takes only where messages that it sent wait for a subscriber.
            await earlier.Ended.WaitAsync(_options.ConnectTimeout / 2, _timeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // What it had not processed counts as not sent, and is repeated by one side or the other.
            await earlier.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ForgetAsync(string clientId, BrokerConnection connection)
    {
        await connection.Ended.ConfigureAwait(false);
        _connections.TryRemove(new KeyValuePair<string, BrokerConnection>(clientId, connection));
        _active.TryRemove(new KeyValuePair<string, BrokerConnection>(clientId, connection));
    }

    private async Task ConnectedAsync(string clientId)
    {
        var session = await _server.GetSessionAsync(clientId).ConfigureAwait(false);
        var adapter = _restoring.ContainsKey(clientId) ? null : _active.GetValueOrDefault(clientId)?.Adapter;
        if (_subscribers.TryGetValue(clientId, out var known) && known.IsOf(session))
        {
            known.Connected(adapter);
        }
        else
        {
            var subscriber = new BrokerSubscriber(this, session);
            subscriber.Connected(adapter);
            _subscribers[clientId] = subscriber;
            known?.Disconnected();
        }

        Tell(clientId, isConnected: true);
    }

    private Task DisconnectedAsync(ClientDisconnectedEventArgs e)
    {
        if (e.DisconnectType == MqttClientDisconnectType.Takeover)
        {
            return Task.CompletedTask;
        }

        if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.Disconnected();
            CountDown(e);
        }

        // Also of a session that ended with its connection, and is deleted already.
        Tell(e.ClientId, isConnected: false);

        return Task.CompletedTask;
    }

    private Task DeletedAsync(SessionDeletedEventArgs e)
    {
        _owners.TryRemove(e.Id, out _);
        _away.TryRemove(e.Id, out _);
        _shared.LeaveAll(e.Id);
        SayWillOf(e.Id);
        if (_subscribers.TryRemove(e.Id, out var subscriber))
        {
            // Before the store forgets it: what another member gets is in the log first.
            _ = ShareAgainAsync(subscriber);
            subscriber.Disconnected();
        }

        _store?.End(e.Id);
        return Task.CompletedTask;
    }
}
