using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.Ingest;

/// <summary>An endpoint that runs while a test uses it; its messages go to a receiver that the test has.</summary>
internal sealed class IngestServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task[] _running;

    private IngestServer(MqttIngestEndpoint endpoint, TimeProvider time, (string Template, IPayloadReceiver Receiver)[] sources, ILogger logger)
    {
        Endpoint = endpoint;
        var context = new SinkContext(time, new Connections(), logger, HasIdentity: false);
        var subscriptions = sources.Select(s => (Subscription: endpoint.Add(s.Template), s.Receiver)).ToArray();
        _running = [.. subscriptions.Select(s => s.Subscription.RunAsync(s.Receiver, context, _stop.Token))];
    }

    internal MqttIngestEndpoint Endpoint { get; }

    internal int Port => Endpoint.Port;

    internal static IngestServer Start(IPayloadReceiver receiver, Action<MqttIngestOptions>? configure = null, TimeProvider? time = null, ILogger? logger = null) =>
        Start([("#", receiver)], configure, time, logger);

    internal static IngestServer Start((string Template, IPayloadReceiver Receiver)[] sources, Action<MqttIngestOptions>? configure = null, TimeProvider? time = null, ILogger? logger = null)
    {
        var options = new MqttIngestOptions { Port = 0, StopTimeout = TimeSpan.FromMilliseconds(200) };
        configure?.Invoke(options);
        return new IngestServer(new MqttIngestEndpoint(options), time ?? TimeProvider.System, sources, logger ?? NullLogger.Instance);
    }

    /// <summary>Gives the endpoint one connection's bytes, in pieces, and takes all that it answers until it has closed.</summary>
    internal async Task<byte[]> ExchangeAsync(params ReadOnlyMemory<byte>[] pieces)
    {
        var (client, server) = Pair();
        var serving = Endpoint.AcceptAsync(server, new MqttIngestPeer(IPAddress.Loopback, IsEncrypted: false));
        foreach (var piece in pieces)
        {
            await client.Output.WriteAsync(piece);
        }

        await client.Output.CompleteAsync();
        await serving.WaitAsync(Collector.Patience);
        await server.Output.CompleteAsync();
        var answer = await client.Input.ReadAtLeastAsync(int.MaxValue);
        byte[] bytes = System.Buffers.BuffersExtensions.ToArray(answer.Buffer);
        await client.Input.CompleteAsync();
        return bytes;
    }

    /// <summary>Waits for something that will be seen soon.</summary>
    internal static async Task UntilAsync(Func<bool> holds)
    {
        for (long start = TimeProvider.System.GetTimestamp(); !holds();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Collector.Patience, "It did not come about.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running).WaitAsync(Collector.Patience);
        _stop.Dispose();
    }

    private static (IDuplexPipe Client, IDuplexPipe Server) Pair()
    {
        var options = new PipeOptions(pauseWriterThreshold: 0);
        var up = new Pipe(options);
        var down = new Pipe(options);
        return (new Duplex(down.Reader, up.Writer), new Duplex(up.Reader, down.Writer));
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

/// <summary>A device that a test speaks for, packet by packet.</summary>
internal sealed class Device : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private Device(Level level) => Level = level;

    internal Level Level { get; }

    internal byte[] Accepted { get; private set; } = [];

    /// <summary>Whether the network takes nothing more of it.</summary>
    internal bool IsBlocked => !_socket.Poll(0, SelectMode.SelectWrite);

    internal static async Task<Device> OpenAsync(int port, Level level = Level.V5)
    {
        var device = new Device(level);
        await device._socket.ConnectAsync(IPAddress.Loopback, port);
        return device;
    }

    internal static async Task<Device> ConnectAsync(int port, Level level, string clientId, bool clean = true, int keepAlive = 0, byte[]? properties = null)
    {
        var device = await OpenAsync(port, level);
        await device.SendAsync(Packets.Connect(level, clientId, clean, keepAlive, properties));
        device.Accepted = await device.NextAsync(0x20);
        Assert.Equal(0, device.Accepted[1]);
        return device;
    }

    internal async Task SendAsync(params byte[][] packets)
    {
        foreach (byte[] packet in packets)
        {
            await _socket.SendAsync(packet);
        }
    }

    /// <summary>Sends one byte. False: the connection is closed.</summary>
    internal bool TrySend(byte one)
    {
        try
        {
            return _socket.Send([one]) == 1;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The next packet's body, which must be of the kind.</summary>
    internal async Task<byte[]> NextAsync(byte kind)
    {
        var packet = await ReadAsync();
        Assert.NotNull(packet);
        Assert.Equal(kind, packet.Value.First);
        return packet.Value.Body;
    }

    /// <summary>The next packet; null: the server has closed the connection.</summary>
    internal async Task<(byte First, byte[] Body)?> ReadAsync()
    {
        if (await ReadAsync(2) is not { } head)
        {
            return null;
        }

        int length = head[1] & 0x7F;
        for (int shift = 7; head[1] >= 0x80; shift += 7)
        {
            head[1] = (await ReadAsync(1))![0];
            length |= (head[1] & 0x7F) << shift;
        }

        return (head[0], (await ReadAsync(length))!);
    }

    /// <summary>Goes without a word.</summary>
    internal void Cut()
    {
        _socket.LingerState = new LingerOption(enable: true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();

    private async Task<byte[]?> ReadAsync(int length)
    {
        byte[] bytes = new byte[length];
        try
        {
            for (int read = 0; read < length;)
            {
                int more = await _socket.ReceiveAsync(bytes.AsMemory(read)).AsTask().WaitAsync(Collector.Patience);
                if (more == 0)
                {
                    return null;
                }

                read += more;
            }
        }
        catch (SocketException)
        {
            return null;
        }

        return bytes;
    }
}
