using System.Globalization;
using IoT.Cep.Extensibility;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>
/// Subscribes at an MQTT broker and hands over its messages; made by <see cref="Mqtt.Subscribe{T}(string, Decoder{T}, MqttQualityOfService, string)"/>,
/// or by hand where a source of one's own wraps it.
/// </summary>
/// <remarks>
/// A message of QoS 1 or 2 is acknowledged to the broker when <see cref="IAcknowledger.Acknowledge"/> is called, in that order and only on
/// the connection it came by; otherwise the broker delivers it again, and a redelivery of a message that was taken is counted, not decoded.
/// Messages are handed over one after the other on the thread that reads the socket; while the receiver is not ready, nothing is read.
/// </remarks>
public sealed class MqttTransport : ITransport
{
    private readonly MqttSubscribeOptions _subscribe;
    /// <summary>They are looked at for each message.</summary>
    private const int MaxFilters = 1_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Task> _added = new(StringComparer.Ordinal);
    private readonly MqttReplies _replies;
    private volatile MqttFilter[] _filters;

    /// <summary>Describes a subscription; nothing is connected before <see cref="RunAsync"/>.</summary>
    /// <param name="topicFilters">At least one topic filter: <c>city/+/temperature</c>, <c>city/{building}/{sensor}</c>, <c>$share/group/city/#</c>.</param>
    /// <param name="qualityOfService">The highest QoS wanted.</param>
    /// <param name="connection">The connection's name.</param>
    /// <exception cref="ArgumentException">There is no filter, or one is malformed.</exception>
    public MqttTransport(
        IEnumerable<string> topicFilters, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce, string connection = Connections.Default)
        : this(topicFilters, new MqttSubscribeOptions { QualityOfService = qualityOfService, Connection = connection })
    {
    }

    /// <summary>Describes a subscription; nothing is connected before <see cref="RunAsync"/>.</summary>
    /// <param name="topicFilters">At least one topic filter: <c>city/+/temperature</c>, <c>city/{building}/{sensor}</c>, <c>$share/group/city/#</c>.</param>
    /// <param name="options">How it subscribes.</param>
    /// <exception cref="ArgumentException">There is no filter, one is malformed, or one is shared although <see cref="MqttSubscribeOptions.NoLocal"/> is set.</exception>
    public MqttTransport(IEnumerable<string> topicFilters, MqttSubscribeOptions options)
    {
        ArgumentNullException.ThrowIfNull(topicFilters);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.Connection);
        string[] given = [.. topicFilters];
        ArgumentOutOfRangeException.ThrowIfZero(given.Length, nameof(topicFilters));
        _filters = [.. given.Select(MqttFilter.Parse)];
        _subscribe = options;
        _replies = new MqttReplies(() => Client);
        if (options.NoLocal && Array.Exists(_filters, static f => f.Filter.StartsWith("$share/", StringComparison.Ordinal)))
        {
            throw new ArgumentException("A shared subscription can't leave out what this connection published (MQTT 5, 3.8.3-4): unset NoLocal.", nameof(options));
        }

        Name = "mqtt " + string.Join(' ', given);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The connection's options can't work. A broker that can't be reached is no error.</exception>
    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        var options = MqttConnectionExtensions.Resolve(context.Connections, _subscribe.Connection);
        _replies.Log = (Name, context.Logger);
        string clientId = ClientId = options.ClaimClientId(ClientIdFor(options));
        try
        {
            await StayConnectedAsync(SessionOf(receiver, options), receiver, options, clientId, context, stop).ConfigureAwait(false);
        }
        finally
        {
            options.ReleaseClientId(clientId);
        }
    }

    /// <summary>Takes messages in place of the receiver; see <see cref="InboundSession.Direct"/>.</summary>
    internal Func<MQTTnet.Packets.MqttPublishPacket, ValueTask>? Direct { get; init; }

    /// <summary>The connection that is up now; null: none is.</summary>
    internal IMqttClient? Client { get; private set; }

    /// <summary>The name that the broker knows the running connection by.</summary>
    internal string? ClientId { get; private set; }

    /// <summary>The source of a decoder's events. What the decoder has to say is published by this connection.</summary>
    internal ISource<T> With<T>(Decoder<T> decoder)
    {
        if (decoder is IReplying replying)
        {
            replying.Reply = _replies.Send;
        }

        return Source.FromTransport(this, decoder);
    }

    /// <summary>Subscribes to one more filter, from now on and at each connection; completes when the broker has it.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="stop">Gives up waiting.</param>
    internal Task AddAsync(string filter, CancellationToken stop)
    {
        var parsed = MqttFilter.Parse(filter);
        lock (_gate)
        {
            if (!_added.TryGetValue(parsed.Filter, out var adding) || adding.IsFaulted || adding.IsCanceled)
            {
                if (_filters.Length >= MaxFilters)
                {
                    throw new InvalidOperationException($"{Name} has {MaxFilters} topic filters, the most there may be.");
                }

                _filters = [.. _filters.Where(f => f.Filter != parsed.Filter), parsed];
                _added[parsed.Filter] = adding = SubscribeMoreAsync(parsed);
            }

            return adding.WaitAsync(stop);
        }
    }

    private async Task SubscribeMoreAsync(MqttFilter filter)
    {
        if (Client is { } client)
        {
            // Without a limit of its own: who waits has one, and a connection that is lost ends it.
            var subscribe = new MqttClientSubscribeOptions { TopicFilters = [new MqttTopicFilter { Topic = filter.Filter, QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce }] };
            ThrowIfRefused(await client.SubscribeAsync(subscribe, CancellationToken.None).ConfigureAwait(false));
        }
    }

    private InboundSession SessionOf(IPayloadReceiver receiver, MqttOptions options) => new(receiver, () => _filters)
    {
        Direct = Direct,
        SkipsRetained = _subscribe.Retained == MqttRetained.Never && options.ProtocolVersion != MqttProtocol.V5,
        AssumesSession = options is { ProtocolVersion: MqttProtocol.V31, IsCleanSession: false },
        TopicAliasMaximum = options.ProtocolVersion == MqttProtocol.V5 ? options.TopicAliasMaximum : 0,
    };

    private async Task StayConnectedAsync(
        InboundSession session, IPayloadReceiver receiver, MqttOptions options, string clientId, ConnectionContext context, CancellationToken stop)
    {
        var connector = new MqttConnector(options, session);
        var backoff = new Backoff(options.ReconnectMin, options.ReconnectMax);
        bool cleanStart = options.IsCleanSession || options.ClientId is null;
        while (!stop.IsCancellationRequested)
        {
            string reason;
            try
            {
                var client = await connector.ConnectAsync(clientId, cleanStart, context.TimeProvider, stop).ConfigureAwait(false);
                cleanStart = options.IsCleanSession;
                reason = await ServeAsync(session, client, connector.Adapter!, receiver, options, context, stop).ConfigureAwait(false);
                backoff.Reset();
            }
            catch (Exception e) when (MqttFailure.IsTransient(e) && !stop.IsCancellationRequested)
            {
                reason = MqttFailure.Describe(e) + ".";
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                reason = "";
            }
            finally
            {
                Client = null;
                session.Disconnected();
            }

            if (stop.IsCancellationRequested)
            {
                receiver.ConnectionChanged(false, "stopped");
                return;
            }

            var pause = backoff.Next();
            MqttLog.Lost(context.Logger, Name, options.Host, options.EffectivePort, reason, pause);
            receiver.ConnectionChanged(false, reason);
            await PauseAsync(connector.Adapter?.Taking, pause, context.TimeProvider, stop).ConfigureAwait(false);
        }
    }

    /// <summary>Subscribes and waits until the connection is lost or stopped; the receiver works meanwhile on MQTTnet's reading task.</summary>
    private async Task<string> ServeAsync(
        InboundSession session, IMqttClient client, ReceivingAdapter adapter, IPayloadReceiver receiver, MqttOptions options, ConnectionContext context, CancellationToken stop)
    {
        using (client)
        {
            var lost = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            client.DisconnectedAsync += e =>
            {
                lost.TrySetResult(e.Exception is { } error ? MqttFailure.Describe(error) + "." : $"The broker closed the connection ({e.Reason}).");
                return Task.CompletedTask;
            };
            await SubscribeAsync(client, options, context.TimeProvider, stop).ConfigureAwait(false);
            MqttLog.Connected(context.Logger, Name, options.Host, options.EffectivePort, options.IsCleanSession ? "clean" : "kept");
            Client = client;
            _replies.Flush();
            receiver.ConnectionChanged(true);
            if (!client.IsConnected)
            {
                lost.TrySetResult("The connection was lost.");
            }

            var stopped = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = stop.Register(() => stopped.TrySetResult("")).ConfigureAwait(false);
            await Task.WhenAny(lost.Task, stopped.Task, adapter.Failed).ConfigureAwait(false);
            if (adapter.Failed.IsCompletedSuccessfully)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(await adapter.Failed.ConfigureAwait(false));
            }

            if (!stopped.Task.IsCompleted)
            {
                return await lost.Task.ConfigureAwait(false);
            }

            await SayGoodbyeAsync(session, client, context, options).ConfigureAwait(false);
            return "";
        }
    }

    // Always, also where the broker kept the session: it may have forgotten, and another program may have unsubscribed.
    private async Task SubscribeAsync(IMqttClient client, MqttOptions options, TimeProvider timeProvider, CancellationToken stop)
    {
        var subscribe = new MqttClientSubscribeOptions
        {
            TopicFilters =
            [
                .. _filters.Select(f => new MqttTopicFilter
                {
                    Topic = f.Filter,
                    QualityOfServiceLevel = (MqttQualityOfServiceLevel)_subscribe.QualityOfService,
                    NoLocal = _subscribe.NoLocal && options.ProtocolVersion == MqttProtocol.V5,
                    RetainHandling = HandlingOf(options),
                }),
            ],
        };
        using var limit = new CancellationTokenSource(options.ConnectTimeout, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        ThrowIfRefused(await client.SubscribeAsync(subscribe, either.Token).ConfigureAwait(false));
    }

    private static void ThrowIfRefused(MqttClientSubscribeResult result)
    {
        foreach (var item in result.Items)
        {
            if (item.ResultCode > MqttClientSubscribeResultCode.GrantedQoS2)
            {
                throw new MqttRefusedException($"The broker refused the subscription to '{item.TopicFilter.Topic}': {item.ResultCode}.");
            }
        }
    }

    // With a kept session retained messages have been seen; 3.1.1 can't say so and sends them again.
    private MqttRetainHandling HandlingOf(MqttOptions options) => (options.ProtocolVersion, _subscribe.Retained) switch
    {
        (MqttProtocol.V5, MqttRetained.WhenNew) => MqttRetainHandling.SendAtSubscribeIfNewSubscriptionOnly,
        (MqttProtocol.V5, MqttRetained.Never) => MqttRetainHandling.DoNotSendOnSubscribe,
        _ => MqttRetainHandling.SendAtSubscribe,
    };

    // No UNSUBSCRIBE: in a kept session messages are to be gathered until the next start, and a clean one ends by itself.
    private async Task SayGoodbyeAsync(InboundSession session, IMqttClient client, ConnectionContext context, MqttOptions options)
    {
        try
        {
            // A session under a name made up for this run will not be found again: the broker may drop it after a second.
            var goodbye = new MqttClientDisconnectOptions { SessionExpiryInterval = options is { ClientId: null, ProtocolVersion: MqttProtocol.V5, IsCleanSession: false } ? 1u : 0u };
            using var limit = new CancellationTokenSource(options.ConnectTimeout, context.TimeProvider);
            await WaitForAcknowledgementsAsync(session, options.StopTimeout, context.TimeProvider).ConfigureAwait(false);
            await session.AcknowledgementsSentAsync().WaitAsync(limit.Token).ConfigureAwait(false);
            await client.DisconnectAsync(goodbye, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (MqttFailure.IsTransient(e))
        {
            MqttLog.NoGoodbye(context.Logger, Name, MqttFailure.Describe(e));
        }
    }

    /// <summary>
    /// What was taken is acknowledged while the connection is still there, so that a clean stop leads to no redelivery. A store that can't write
    /// does not hold the stop up for longer than this: the broker then delivers again.
    /// </summary>
    private static async Task WaitForAcknowledgementsAsync(InboundSession session, TimeSpan longest, TimeProvider timeProvider)
    {
        try
        {
            await session.QuietAsync().WaitAsync(longest, timeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Not acknowledged is the truth.
        }
    }

    private static async Task PauseAsync(Task? taking, TimeSpan pause, TimeProvider timeProvider, CancellationToken stop)
    {
        try
        {
            await Task.Delay(pause, timeProvider, stop).ConfigureAwait(false);
            if (taking is not null)
            {
                await taking.WaitAsync(stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
    }

    private string ClientIdFor(MqttOptions options) => options.ClientId is null
        ? "cep-" + Guid.NewGuid().ToString("N")
        : string.Create(CultureInfo.InvariantCulture, $"{options.ClientId}-{NameHash():x8}");

    /// <summary>FNV-1a of the subscription: the same in every process, so that a restarted source finds its session.</summary>
    private uint NameHash()
    {
        const uint Offset = 2_166_136_261, Prime = 16_777_619;
        uint hash = Offset;
        foreach (char c in "mqtt " + string.Join(' ', _filters.Select(static f => f.Filter)))
        {
            hash = (hash ^ c) * Prime;
        }

        return hash;
    }
}
