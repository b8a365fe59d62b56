using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using MQTTnet;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace Quickstart;

/// <summary>
/// Plays the sensors: publishes messages with QoS 1 over TCP, many in flight, and counts what the broker acknowledged. A lost connection is made
/// again, and what was in flight is sent again, as a sensor would: of such a message the broker may have taken both.
/// </summary>
public sealed class Publisher : IAsyncDisposable
{
    // Enough that neither side waits for the other's answer on loopback; brokers that allow less say so.
    private const int MaxInFlight = 1_000;

    // MQTTnet's 8 KiB are less than one packet of the loopback interface, and a sender that fills such a window waits for a timer.
    private const int SocketBufferBytes = 1 << 18;

    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(10), _lastAnswers = TimeSpan.FromSeconds(10);

    // How long a broker may be away before the run ends, and the pauses between two attempts to reach it.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30), _firstPause = TimeSpan.FromSeconds(0.2), _longestPause = TimeSpan.FromSeconds(5);

    private readonly IMqttClient _client;
    private readonly MqttClientOptions _options;
    private readonly string _topic;
    private readonly int _inFlight;
    private readonly SemaphoreSlim _room;

    // What was in flight when the connection was lost, by the order in which it was sent first.
    private readonly ConcurrentQueue<(long Number, Message Message)> _lost = new();
    private Exception? _failure;
    private long _sent;
    private long _sentAgain;
    private long _published;

    private Publisher(IMqttClient client, MqttClientOptions options, string topic, int inFlight)
    {
        _client = client;
        _options = options;
        _topic = topic;
        _inFlight = inFlight;
        _room = new SemaphoreSlim(inFlight, inFlight);
    }

    /// <summary>Messages sent, those sent again not counted.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Messages sent again because the connection was lost before the broker answered; it may have taken the first ones as well.</summary>
    public long SentAgain => Volatile.Read(ref _sentAgain);

    /// <summary>Messages that the broker acknowledged.</summary>
    public long Published => Volatile.Read(ref _published);

    /// <summary>Messages that the broker took: those it acknowledged, and as many first copies of those sent again as were delivered beyond them.</summary>
    /// <param name="delivered">How many messages came out of the broker, redeliveries not counted.</param>
    public long Taken(long delivered) => Published + Math.Clamp(delivered - Published, 0, SentAgain);

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
            return new Publisher(client, options, topic, answer.ReceiveMaximum is > 0 and var most ? Math.Min(MaxInFlight, (int)most) : MaxInFlight);
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

                await RepeatLostAsync(clock, _patience, stop);
                await _room.WaitAsync(stop);
                if (_failure is not null)
                {
                    _room.Release();
                    break;
                }

                _ = SendAsync(Interlocked.Increment(ref _sent), message);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }

        await WaitForAnswersAsync();
        await RepeatLostAsync(clock, _lastAnswers, CancellationToken.None);
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

    private static bool IsOfConnection(Exception error) => error is MqttCommunicationException or MqttProtocolViolationException or MqttClientDisconnectedException
        or MqttConnectingFailedException or OperationCanceledException or ObjectDisposedException or InvalidOperationException;

    private async Task SendAsync(long number, Message message)
    {
        try
        {
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
        catch (Exception error) when (IsOfConnection(error))
        {
            // The broker may or may not have it: nobody can know.
            _lost.Enqueue((number, message));
        }

        _room.Release();
    }

    /// <summary>After a lost connection: connects again, and sends what was in flight once more, in the order in which it was sent first.</summary>
    private async Task RepeatLostAsync(TimeProvider clock, TimeSpan patience, CancellationToken stop)
    {
        while (_failure is null && !_lost.IsEmpty)
        {
            // All of them come back with an error first: nothing that is sent now can pass one of them.
            await WaitForAnswersAsync();

            if (!await ReconnectAsync(clock, patience, stop))
            {
                return;
            }

            var again = new List<(long Number, Message Message)>();
            while (_lost.TryDequeue(out var one))
            {
                again.Add(one);
            }

            foreach (var (number, message) in again.OrderBy(one => one.Number))
            {
                await _room.WaitAsync(CancellationToken.None);
                Interlocked.Increment(ref _sentAgain);
                _ = SendAsync(number, message);
            }

            await WaitForAnswersAsync();
        }
    }

    private async Task<bool> ReconnectAsync(TimeProvider clock, TimeSpan patience, CancellationToken stop)
    {
        long begun = clock.GetTimestamp();
        for (var pause = _firstPause; !_client.IsConnected; pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, _longestPause.Ticks)))
        {
            try
            {
                await _client.ConnectAsync(_options, stop);
            }
            catch (Exception error) when (IsOfConnection(error))
            {
                stop.ThrowIfCancellationRequested();
                if (clock.GetElapsedTime(begun) > patience)
                {
                    _failure = new InvalidOperationException(
                        $"the broker is away, and {_lost.Count:N0} readings that were in flight may be lost ({error.GetBaseException().Message}).", error);
                    return false;
                }

                await Task.Delay(pause, clock, stop);
            }
        }

        return true;
    }

    /// <summary>Waits until nothing is in flight.</summary>
    private async Task WaitForAnswersAsync()
    {
        using var limit = new CancellationTokenSource(_lastAnswers);
        int free = 0;
        try
        {
            for (; free < _inFlight; free++)
            {
                await _room.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            _failure ??= new TimeoutException("the broker does not answer.");
        }

        if (free > 0)
        {
            _room.Release(free);
        }
    }
}
