using System.Buffers;
using System.Net;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace Quickstart;

/// <summary>Plays the sensors: publishes messages with QoS 1 over TCP, many in flight, and counts what the broker acknowledged.</summary>
public sealed class Publisher : IAsyncDisposable
{
    // Enough that neither side waits for the other's answer on loopback; brokers that allow less say so.
    private const int MaxInFlight = 1_000;

    // MQTTnet's 8 KiB are less than one packet of the loopback interface, and a sender that fills such a window waits for a timer.
    private const int SocketBufferBytes = 1 << 18;

    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(10), _lastAnswers = TimeSpan.FromSeconds(10);

    private readonly IMqttClient _client;
    private readonly string _topic;
    private readonly int _inFlight;
    private readonly SemaphoreSlim _room;
    private Exception? _failure;
    private long _sent;
    private long _published;

    private Publisher(IMqttClient client, string topic, int inFlight)
    {
        _client = client;
        _topic = topic;
        _inFlight = inFlight;
        _room = new SemaphoreSlim(inFlight, inFlight);
    }

    /// <summary>Messages sent.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Messages that the broker acknowledged.</summary>
    public long Published => Volatile.Read(ref _published);

    public static async Task<Publisher> ConnectAsync(string host, int port, string topic, CancellationToken stop)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        try
        {
            var options = new MqttClientOptions
            {
                ClientId = $"quickstart-{Guid.NewGuid():N}",
                ProtocolVersion = MqttProtocolVersion.V500,
                Timeout = _connectTimeout,
                ChannelOptions = new MqttClientTcpOptions { RemoteEndpoint = new DnsEndPoint(host, port), BufferSize = SocketBufferBytes },
            };
            var answer = await client.ConnectAsync(options, stop);
            // The client gives 0 where the broker names no limit.
            return new Publisher(client, topic, answer.ReceiveMaximum is > 0 and var most ? Math.Min(MaxInFlight, (int)most) : MaxInFlight);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Publishes each message when it is due, until there are no more or it is stopped; then waits for the broker's answers.</summary>
    public async Task PublishAsync(IEnumerable<Message> messages, TimeProvider clock, CancellationToken stop)
    {
        long start = clock.GetTimestamp();
        try
        {
            foreach (var message in messages)
            {
                stop.ThrowIfCancellationRequested();
                var early = message.Due - clock.GetElapsedTime(start);
                if (early > TimeSpan.FromMilliseconds(1))
                {
                    await DelayAsync(early, clock, stop);
                }

                await _room.WaitAsync(stop);
                if (_failure is not null)
                {
                    _room.Release();
                    break;
                }

                _ = SendAsync(message);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }

        await WaitForAnswersAsync();
        if (_failure is not null)
        {
            throw new InvalidOperationException($"Publishing ended after {Published:N0} readings: {_failure.Message}", _failure);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_client.IsConnected)
        {
            await _client.DisconnectAsync();
        }

        _client.Dispose();
        _room.Dispose();
    }

    // A recording may pause for longer than timers can wait.
    private static Task DelayAsync(TimeSpan span, TimeProvider clock, CancellationToken stop) =>
        Task.Delay(TimeSpan.FromTicks(Math.Min(span.Ticks, TimeSpan.TicksPerDay * 40)), clock, stop);

    private async Task SendAsync(Message message)
    {
        try
        {
            Interlocked.Increment(ref _sent);
            var result = await _client.PublishAsync(new MqttApplicationMessage
            {
                Topic = $"{_topic}/{message.Topic}",
                Payload = new ReadOnlySequence<byte>(message.Payload),
                QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
            });
            if (result.IsSuccess)
            {
                Interlocked.Increment(ref _published);
            }
            else
            {
                _failure ??= new InvalidOperationException($"the broker refused a reading ({result.ReasonCode}).");
            }
        }
        catch (Exception error) when (error is MqttCommunicationException or MqttProtocolViolationException or MqttClientDisconnectedException
            or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The broker may or may not have the message: nobody can know, so the totals will say what is missing.
            _failure ??= error;
        }

        _room.Release();
    }

    private async Task WaitForAnswersAsync()
    {
        using var limit = new CancellationTokenSource(_lastAnswers);
        try
        {
            for (int i = 0; i < _inFlight; i++)
            {
                await _room.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            _failure ??= new TimeoutException("the broker does not answer.");
        }
    }
}
