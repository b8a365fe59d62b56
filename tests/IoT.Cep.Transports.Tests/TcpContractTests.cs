using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep;

public sealed class TcpContractTests
{
    public static TheoryData<string> TransportRules => [.. TransportContract.Rules];

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_client_of_lines_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new ClientFixture(StreamFraming.Lines));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_client_of_frames_keeps_the_rule(string rule) =>
        TransportContract.CheckAsync(rule, () => new ClientFixture(StreamFraming.Frames(FramePrefix.VarInt)));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_listener_for_lines_keeps_the_rule(string rule) =>
        TransportContract.CheckAsync(rule, () => new ListenerFixture(StreamFraming.Lines, isPartitioned: false));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_listener_for_frames_in_partitions_keeps_the_rule(string rule) =>
        TransportContract.CheckAsync(rule, () => new ListenerFixture(StreamFraming.Frames(FramePrefix.FourBytesBigEndian), isPartitioned: true));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_core_line_transport_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new LineTransportFixture());

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_sink_of_lines_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new SinkOfLines());

    /// <summary>A server that passes on what it is given to whoever is connected.</summary>
    private abstract class ServerFixture(StreamFraming framing) : TransportFixture
    {
        private readonly TcpListener _server = new(IPAddress.Loopback, 0);
        private LoopbackProxy? _proxy;
        private Task<Socket>? _accepting;
        private Socket? _client;

        public override LoopbackProxy? Proxy => _proxy;

        public override bool CarriesTopics => false;

        public override bool CarriesAnyBytes => framing != StreamFraming.Lines;

        public override ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _server.Start();
            _accepting = _server.AcceptSocketAsync(CancellationToken.None).AsTask();
            _proxy = new LoopbackProxy(((IPEndPoint)_server.LocalEndpoint).Port);
            return new ValueTask<ITransport>(Make(_proxy.Port));
        }

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            while (_client is null || _accepting!.IsCompleted || (_client.Poll(0, SelectMode.SelectRead) && _client.Available == 0))
            {
                // The newest connection is the one that lives.
                _client?.Dispose();
                _client = await _accepting!.WaitAsync(stop);
                _accepting = _server.AcceptSocketAsync(CancellationToken.None).AsTask();
            }

            var output = new System.Buffers.ArrayBufferWriter<byte>();
            if (framing.Write(payload.Span, output) is { } problem)
            {
                throw new ArgumentException(problem);
            }

            await _client.SendAsync(output.WrittenMemory, stop);
        }

        public override async ValueTask DisposeAsync()
        {
            _client?.Dispose();
            _server.Dispose();
            await _proxy!.DisposeAsync();
        }

        protected abstract ITransport Make(int port);
    }

    private sealed class ClientFixture(StreamFraming framing) : ServerFixture(framing)
    {
        private readonly StreamFraming _framing = framing;

        protected override ITransport Make(int port) => new TcpConnectTransport(
            _framing, "127.0.0.1", port, new TcpConnectOptions { ReconnectMin = TimeSpan.FromMilliseconds(50), ReconnectMax = TimeSpan.FromSeconds(2) });
    }

    private sealed class LineTransportFixture() : ServerFixture(StreamFraming.Lines)
    {
        protected override ITransport Make(int port) => new LineTransport("lines", Connect(port), new LineOptions(ReconnectDelay: TimeSpan.FromMilliseconds(50)));

        private static Func<CancellationToken, ValueTask<Stream>> Connect(int port) => async stop =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        };
    }

    private sealed class ListenerFixture(StreamFraming framing, bool isPartitioned) : TransportFixture
    {
        private readonly TaskCompletionSource<IPEndPoint> _listening = new();
        private Socket? _device;

        public override bool CarriesTopics => false;

        public override bool CarriesAnyBytes => framing != StreamFraming.Lines;

        public override int MaxReadAheadBytes => 8 << 20;

        public override ValueTask<ITransport> StartAsync(CancellationToken stop) => new(new TcpListenTransport(
            framing, 0, TcpListenOptions.Check(new TcpListenOptions { IsPartitioned = isPartitioned, Listening = _listening.SetResult }, 0)));

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            if (_device is null)
            {
                _device = new Socket(SocketType.Stream, ProtocolType.Tcp) { SendBufferSize = 16 * 1024 };
                await _device.ConnectAsync(await _listening.Task.WaitAsync(stop), stop);
            }

            var output = new System.Buffers.ArrayBufferWriter<byte>();
            if (framing.Write(payload.Span, output) is { } problem)
            {
                throw new ArgumentException(problem);
            }

            await _device.SendAsync(output.WrittenMemory, stop);
        }

        public override ValueTask DisposeAsync()
        {
            _device?.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class SinkOfLines : SinkFixture<string>
    {
        private readonly TcpListener _server = new(IPAddress.Loopback, 0);
        private readonly List<int> _rows = [];
        private readonly SemaphoreSlim _came = new(0);
        private LoopbackProxy? _proxy;
        private Task? _reading;

        public override bool HasBadRow => true;

        public override bool CanBreak => true;

        public override ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop)
        {
            _server.Start();
            _reading = ReadAsync();
            _proxy = new LoopbackProxy(((IPEndPoint)_server.LocalEndpoint).Port);
            return new ValueTask<IAsyncSink<string>>((IAsyncSink<string>)Tcp.SendLines<string>("127.0.0.1", _proxy.Port, line => line));
        }

        public override string Row(int i) => $"{i}";

        public override string BadRow() => "two\nlines\u001b";

        public override async ValueTask BreakAsync()
        {
            _proxy!.Cut();
            await Task.Yield();
        }

        public override ValueTask RepairAsync()
        {
            _proxy!.Restore();
            return ValueTask.CompletedTask;
        }

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            try
            {
                while (true)
                {
                    lock (_rows)
                    {
                        if (_rows.Distinct().Count() >= count)
                        {
                            return [.. _rows];
                        }
                    }

                    await _came.WaitAsync(stop);
                }
            }
            catch (OperationCanceledException)
            {
                return [.. _rows];
            }
        }

        public override async ValueTask DisposeAsync()
        {
            _server.Dispose();
            await _proxy!.DisposeAsync();
            await _reading!;
        }

        private async Task ReadAsync()
        {
            try
            {
                while (true)
                {
                    using var socket = await _server.AcceptSocketAsync();
                    using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
                    try
                    {
                        while (await reader.ReadLineAsync() is { } line)
                        {
                            lock (_rows)
                            {
                                _rows.Add(int.Parse(line, null));
                            }

                            _came.Release();
                        }
                    }
                    catch (IOException)
                    {
                        // It was cut; another comes.
                    }
                }
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException)
            {
                // The end.
            }
        }
    }
}
