using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>
/// An MQTT 3.1.1 and 5 broker inside this process: for gateways, samples and tests. It drops no message that it acknowledged:
/// while a subscriber's queue is more than half full, its publishers are not read, and TCP holds them back.
/// </summary>
/// <remarks>
/// Sessions and retained messages live in memory and end with the broker. QoS 0 messages for a client that is not connected are not
/// kept. A session that is not connected and whose queue is full is discarded whole, which the client is told when it returns
/// (session not present), and is counted. Shared subscriptions, delayed wills and session expiry by time are not provided: where they are
/// needed, use a broker of its own, such as mosquitto. Metrics: meter <c>IoT.Cep.Mqtt.Broker</c>.
/// </remarks>
public sealed class MqttBroker : IAsyncDisposable
{
    private readonly MqttBrokerOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ConcurrentDictionary<string, BrokerSubscriber> _subscribers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BrokerConnection> _connections = new(StringComparer.Ordinal);
    private readonly Meter _meter = new("IoT.Cep.Mqtt.Broker");
    private readonly BrokerListener _listener;
    private readonly MqttServer _server;
    private long _received;
    private long _delivered;
    private long _discardedSessions;
    private long _stalls;

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
        _server.InterceptingClientEnqueueAsync += e => MakeRoomAsync(e);
        _server.InterceptingOutboundPacketAsync += SendingAsync;
        _server.InterceptingInboundPacketAsync += ReceivingAsync;
        _server.ClientAcknowledgedPublishPacketAsync += AcknowledgedAsync;
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_received", () => Received, "{message}", "Messages from publishers.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_delivered", () => Delivered, "{message}", "Messages sent to subscribers, repetitions included.");
        _meter.CreateObservableCounter("iot_cep_mqtt_broker_sessions_discarded", () => DiscardedSessions, "{session}", "Sessions discarded with a full queue.");
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

    /// <summary>Sessions that were discarded because their client was away and their queue was full.</summary>
    public long DiscardedSessions => Interlocked.Read(ref _discardedSessions);

    /// <summary>How often a publisher had to wait for a subscriber.</summary>
    public long Waits => Interlocked.Read(ref _stalls);

    /// <summary>Starts a broker.</summary>
    /// <param name="options">How it listens; null: loopback, port 1883.</param>
    /// <param name="timeProvider">The clock of time limits; null: the system's.</param>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The port is taken.</exception>
    public static async Task<MqttBroker> StartAsync(MqttBrokerOptions? options = null, TimeProvider? timeProvider = null)
    {
        options ??= new MqttBrokerOptions();
        options.Validate();
        var broker = new MqttBroker(options, timeProvider ?? TimeProvider.System);
        try
        {
            await broker._server.StartAsync().ConfigureAwait(false);
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
    public Task PublishAsync(
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
        return _server.InjectApplicationMessage(new InjectedMqttApplicationMessage(message) { SenderClientId = "broker" });
    }

    /// <summary>Cuts a client's connection; its session stays if it is a kept one. Nothing happens where there is no such client.</summary>
    /// <param name="clientId">The client's name.</param>
    public async Task DisconnectAsync(string clientId)
    {
        ArgumentException.ThrowIfNullOrEmpty(clientId);
        try
        {
            await _server.DisconnectClientAsync(clientId, MqttDisconnectReasonCode.AdministrativeAction).ConfigureAwait(false);
        }
        catch (InvalidOperationException)
        {
            // MQTTnet's word for: it is gone already.
        }
    }

    /// <summary>Stops: closes all connections and forgets all sessions and retained messages.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted)
        {
            await _server.StopAsync(new MqttServerStopOptions()).ConfigureAwait(false);
        }

        _server.Dispose();
        _listener.Dispose();
        _meter.Dispose();
    }

    private async Task ValidateAsync(ValidatingConnectionEventArgs e)
    {
        if (string.IsNullOrEmpty(e.ClientId) && e.ProtocolVersion == MQTTnet.Formatter.MqttProtocolVersion.V500)
        {
            e.AssignedClientIdentifier = string.Create(CultureInfo.InvariantCulture, $"auto-{Guid.NewGuid():N}");
        }

        if (_options.Authenticate is { } authenticate)
        {
            var client = new MqttBrokerClient(e.ClientId ?? "", e.UserName, e.RawPassword is null ? null : e.Password, e.ClientCertificate, e.RemoteEndPoint);
            e.ReasonCode = await authenticate(client).ConfigureAwait(false) ? MqttConnectReasonCode.Success : MqttConnectReasonCode.BadUserNameOrPassword;
        }

        string? clientId = string.IsNullOrEmpty(e.ClientId) ? e.AssignedClientIdentifier : e.ClientId;
        if (e.ReasonCode == MqttConnectReasonCode.Success && !string.IsNullOrEmpty(clientId) && _listener.ConnectionOf(e.ChannelAdapter) is { } connection)
        {
            await TakeOverAsync(clientId, connection).ConfigureAwait(false);
        }
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
    }

    private async Task ConnectedAsync(string clientId)
    {
        var session = await _server.GetSessionAsync(clientId).ConfigureAwait(false);
        if (_subscribers.TryGetValue(clientId, out var known) && known.IsOf(session))
        {
            known.ConnectionChanged(true);
        }
        else
        {
            _subscribers[clientId] = new BrokerSubscriber(session);
            known?.ConnectionChanged(false);
        }
    }

    private Task DisconnectedAsync(ClientDisconnectedEventArgs e)
    {
        if (e.DisconnectType != MqttClientDisconnectType.Takeover && _subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.ConnectionChanged(false);
        }

        return Task.CompletedTask;
    }

    private Task DeletedAsync(SessionDeletedEventArgs e)
    {
        if (_subscribers.TryRemove(e.Id, out var subscriber))
        {
            subscriber.ConnectionChanged(false);
        }

        return Task.CompletedTask;
    }

    private Task PublishedAsync(InterceptingPublishEventArgs e)
    {
        Interlocked.Increment(ref _received);
        if (MqttTopic.Problem(e.ApplicationMessage.Topic) is not null)
        {
            // A topic with wildcards or control characters: the protocol says to close the connection.
            e.ProcessPublish = false;
            e.CloseConnection = true;
            e.Response.ReasonCode = MqttPubAckReasonCode.TopicNameInvalid;
        }

        return Task.CompletedTask;
    }

    private Task MakeRoomAsync(InterceptingClientApplicationMessageEnqueueEventArgs e)
    {
        if (!_subscribers.TryGetValue(e.ReceiverClientId, out var subscriber))
        {
            return Task.CompletedTask;
        }

        if (subscriber.IsConnected && subscriber.Outstanding <= _options.MaxPendingMessagesPerClient / 2)
        {
            return Task.CompletedTask;
        }

        return WaitForRoomAsync(e, subscriber);
    }

    private async Task WaitForRoomAsync(InterceptingClientApplicationMessageEnqueueEventArgs e, BrokerSubscriber subscriber)
    {
        Interlocked.Increment(ref _stalls);
        while (subscriber.IsConnected)
        {
            long progress = subscriber.Progress;
            var next = subscriber.NextProgress();
            if (subscriber.Outstanding <= _options.MaxPendingMessagesPerClient / 2)
            {
                return;
            }

            try
            {
                await next.WaitAsync(_options.StallTimeout, _timeProvider).ConfigureAwait(false);
            }
            catch (TimeoutException) when (progress == subscriber.Progress)
            {
                await DisconnectAsync(e.ReceiverClientId).ConfigureAwait(false);
                subscriber.ConnectionChanged(false);
            }
            catch (TimeoutException)
            {
                // It took something between the last look and the end of the wait.
            }
        }

        if (e.ApplicationMessage.QualityOfServiceLevel == MqttQualityOfServiceLevel.AtMostOnce)
        {
            e.AcceptEnqueue = false;
        }
        else if (subscriber.Outstanding >= _options.MaxPendingMessagesPerClient)
        {
            e.AcceptEnqueue = false;
            Interlocked.Increment(ref _discardedSessions);
            await subscriber.DeleteSessionAsync().ConfigureAwait(false);
        }
    }

    private Task SendingAsync(InterceptingPacketEventArgs e)
    {
        if (e.Packet is MqttPublishPacket publish)
        {
            Interlocked.Increment(ref _delivered);
            if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
            {
                e.Packet = subscriber.Sending(publish);
            }
        }

        return Task.CompletedTask;
    }

    private Task ReceivingAsync(InterceptingPacketEventArgs e)
    {
        if (e.Packet is MqttPubRecPacket { ReasonCode: MqttPubRecReasonCode.Success } receipt && _subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.HasReceived(receipt.PacketIdentifier);
        }

        return Task.CompletedTask;
    }

    private Task AcknowledgedAsync(ClientAcknowledgedPublishPacketEventArgs e)
    {
        if (_subscribers.TryGetValue(e.ClientId, out var subscriber))
        {
            subscriber.Acknowledged(e.PublishPacket);
        }

        return Task.CompletedTask;
    }
}
