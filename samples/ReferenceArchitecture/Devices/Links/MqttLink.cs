using System.Buffers;

using IoT.Reference.Contracts;

using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace IoT.Reference.Devices.Links;

/// <summary>A device that speaks MQTT: a session that outlives its connections, so that commands wait while it is away.</summary>
/// <param name="device">The device's id, its user name and its client id.</param>
/// <param name="secret">Its secret.</param>
/// <param name="bus">Where the bus listens: <c>mqtt://</c>, <c>mqtts://</c>, <c>ws://</c> or <c>wss://</c>.</param>
/// <param name="isSmall">MQTT 3.1.1 and QoS 0 for readings, as a controller of few KB speaks it; otherwise MQTT 5 and QoS 1.</param>
public sealed class MqttLink(string device, string secret, Uri bus, bool isSmall, Random random, TimeProvider timeProvider) : IDeviceLink
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly CancellationTokenSource _stop = new();
    private string _secret = secret;
    private Task _connected = Task.CompletedTask;

    /// <inheritdoc/>
    public async Task OpenAsync(IDeviceReceiver receiver, CancellationToken stop)
    {
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _client.ApplicationMessageReceivedAsync += e =>
        {
            // Not on the connection's own loop: a command may take its time, and its answer needs the connection.
            ReadOnlyMemory<byte> body = e.ApplicationMessage.Payload.ToArray();
            _ = Inbox.TakeAsync(receiver, e.ApplicationMessage.Topic, body);
            return Task.CompletedTask;
        };
        _connected = StayConnectedAsync(first);
        await first.Task.WaitAsync(stop);
    }

    /// <inheritdoc/>
    public async Task SendAsync(string topic, ReadOnlyMemory<byte> body, string contentType, CancellationToken stop)
    {
        bool isReading = topic.StartsWith("t/", StringComparison.Ordinal);
        var message = new MqttApplicationMessage
        {
            Topic = topic,
            Payload = new ReadOnlySequence<byte>(body),
            ContentType = isSmall ? null : contentType,
            QualityOfServiceLevel = isSmall && isReading ? MqttQualityOfServiceLevel.AtMostOnce : MqttQualityOfServiceLevel.AtLeastOnce,
        };
        try
        {
            await _client.PublishAsync(message, stop);
        }
        catch (Exception e) when (e is MqttCommunicationException or MqttClientNotConnectedException or ObjectDisposedException)
        {
            throw new IOException($"The bus is away: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void UseSecret(string secret) => _secret = secret;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _connected;
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task StayConnectedAsync(TaskCompletionSource first)
    {
        var retry = new Retry(random, timeProvider);
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                if (await ConnectAsync())
                {
                    retry.Succeeded();
                    first.TrySetResult();
                    await DisconnectedAsync();
                }

                await retry.PauseAsync(_stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            await LeaveAsync();
        }
    }

    private async Task<bool> ConnectAsync()
    {
        var options = new MqttClientOptionsBuilder()
            .WithClientId(device)
            .WithCredentials(device, _secret)
            .WithProtocolVersion(isSmall ? MqttProtocolVersion.V311 : MqttProtocolVersion.V500)
            .WithCleanStart(false)
            .WithKeepAlivePeriod(TimeSpan.FromSeconds(60));
        if (!isSmall)
        {
            options.WithSessionExpiryInterval(24 * 60 * 60);
        }

        if (bus.Scheme is "ws" or "wss")
        {
            options.WithWebSocketServer(web => web.WithUri(bus.ToString()));
        }
        else
        {
            options.WithTcpServer(bus.Host, bus.Port);
        }

        if (bus.Scheme is "mqtts" or "wss")
        {
            options.WithTlsOptions(tls => tls.UseTls());
        }

        try
        {
            MqttClientConnectResult answer = await _client.ConnectAsync(options.Build(), _stop.Token);
            if (answer.ResultCode != MqttClientConnectResultCode.Success)
            {
                return false;
            }

            await _client.SubscribeAsync(
                new MqttClientSubscribeOptionsBuilder()
                    .WithTopicFilter(Topics.Of(Topics.Commands, device), MqttQualityOfServiceLevel.AtLeastOnce)
                    .WithTopicFilter(Topics.Of(Topics.Desired, device), MqttQualityOfServiceLevel.AtLeastOnce)
                    .Build(),
                _stop.Token);
            return true;
        }
        catch (Exception e) when (e is MqttCommunicationException or MqttClientNotConnectedException or InvalidOperationException)
        {
            return false;
        }
    }

    private async Task DisconnectedAsync()
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task OnGone(MqttClientDisconnectedEventArgs e)
        {
            gone.TrySetResult();
            return Task.CompletedTask;
        }

        _client.DisconnectedAsync += OnGone;
        try
        {
            if (_client.IsConnected)
            {
                await gone.Task.WaitAsync(_stop.Token);
            }
        }
        finally
        {
            _client.DisconnectedAsync -= OnGone;
        }
    }

    private async Task LeaveAsync()
    {
        try
        {
            await _client.DisconnectAsync();
        }
        catch (Exception e) when (e is MqttCommunicationException or MqttClientNotConnectedException or InvalidOperationException or OperationCanceledException)
        {
            // It is gone already.
        }
    }
}
