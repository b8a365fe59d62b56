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
    private readonly MqttFilter[] _filters;
    private readonly MqttQualityOfService _qualityOfService;
    private readonly string _connection;

    /// <summary>Describes a subscription; nothing is connected before <see cref="RunAsync"/>.</summary>
    /// <param name="topicFilters">At least one topic filter or template: <c>city/+/temperature</c>, <c>city/#</c>, <c>city/{building}/{sensor}</c>.</param>
    /// <param name="qualityOfService">The highest QoS wanted.</param>
    /// <param name="connection">The connection's name.</param>
    /// <exception cref="ArgumentException">There is no filter, or one is malformed.</exception>
    public MqttTransport(
        IEnumerable<string> topicFilters, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce, string connection = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(topicFilters);
        ArgumentException.ThrowIfNullOrEmpty(connection);
        _filters = [.. topicFilters.Select(MqttFilter.Parse)];
        ArgumentOutOfRangeException.ThrowIfZero(_filters.Length, nameof(topicFilters));

        _qualityOfService = qualityOfService;
        _connection = connection;
        Name = "mqtt " + string.Join(' ', _filters.Select(f => f.Text));
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The connection's options can't work. A broker that can't be reached is no error.</exception>
    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        var options = MqttConnectionExtensions.Resolve(context.Connections, _connection);
        string clientId = options.ClaimClientId(ClientIdFor(options));
        try
        {
            await StayConnectedAsync(new InboundSession(receiver, new MqttMessages(_filters)), receiver, options, clientId, context, stop).ConfigureAwait(false);
        }
        finally
        {
            options.ReleaseClientId(clientId);
        }
    }

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
                    Topic = f.Topic,
                    QualityOfServiceLevel = (MqttQualityOfServiceLevel)_qualityOfService,
                    // With a kept session retained messages have been seen; 3.1.1 can't say so and sends them again.
                    RetainHandling = options.ProtocolVersion == MqttProtocol.V5
                        ? MqttRetainHandling.SendAtSubscribeIfNewSubscriptionOnly : MqttRetainHandling.SendAtSubscribe,
                }),
            ],
        };
        using var limit = new CancellationTokenSource(options.ConnectTimeout, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        var result = await client.SubscribeAsync(subscribe, either.Token).ConfigureAwait(false);
        foreach (var item in result.Items)
        {
            if (item.ResultCode > MqttClientSubscribeResultCode.GrantedQoS2)
            {
                throw new MqttRefusedException($"The broker refused the subscription to '{item.TopicFilter.Topic}': {item.ResultCode}.");
            }
        }
    }

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
        foreach (char c in Name)
        {
            hash = (hash ^ c) * Prime;
        }

        return hash;
    }
}
