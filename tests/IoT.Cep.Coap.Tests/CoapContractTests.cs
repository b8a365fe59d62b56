using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep.CoapTests;

/// <summary>What every transport and sink keeps, by CoAP over every kind of connection.</summary>
public sealed class CoapContractTests
{
    private const string Udp = "coap", Dtls = "coaps", Tcp = "coap+tcp", Tls = "coaps+tcp";

    public static TheoryData<string, string> Receiving => Each(TransportContract.Rules);

    public static TheoryData<string, string> Sending => Each(SinkContract.Rules);

    [Theory]
    [MemberData(nameof(Receiving))]
    public Task A_server_keeps_the_rule(string scheme, string rule) => TransportContract.CheckAsync(rule, () => new ServerFixture(scheme));

    [Theory]
    [MemberData(nameof(Receiving))]
    public Task An_observing_client_keeps_the_rule(string scheme, string rule) => TransportContract.CheckAsync(rule, () => new ObserveFixture(scheme));

    [Theory]
    [MemberData(nameof(Sending))]
    public Task A_sending_sink_keeps_the_rule(string scheme, string rule) => SinkContract.CheckAsync(rule, () => new PostFixture(scheme));

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_sink_that_shows_its_results_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new ResourceFixture());

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    private static TheoryData<string, string> Each(IReadOnlyList<string> rules)
    {
        var data = new TheoryData<string, string>();
        foreach (string scheme in new[] { Udp, Dtls, Tcp, Tls })
        {
            foreach (string rule in rules)
            {
                data.Add(scheme, rule);
            }
        }

        return data;
    }

    private static string UriOf(string scheme, int port, string path) =>
        $"{scheme}://localhost:{port}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}";

    /// <summary>A server with all ports, and a client of it that knows its key and its certificate.</summary>
    private sealed class Ends : IDisposable
    {
        private readonly TestAuthority _authority = new();

        internal Ends(Connections server, Connections client)
        {
            var options = new CoapListenerOptions { Port = 0, TcpPort = 0, TlsPort = 0, Certificate = _authority.Server };
            options.UseDtls().DtlsPort = 0;
            server.Set(options);
            Listener = options;
            client.Set(new CoapOptions
            {
                Tls = new CoapTlsOptions { CaFile = _authority.RootFile },
                ReconnectMin = TimeSpan.FromMilliseconds(100),
                ReconnectMax = TimeSpan.FromSeconds(5),
                Transmission = { AckTimeout = TimeSpan.FromMilliseconds(500) },
            }.UseDtls(d => d.CaFile = _authority.RootFile));
        }

        internal CoapListenerOptions Listener { get; }

        internal int Port(string scheme) => scheme switch
        {
            Udp => Listener.Server.Port,
            Dtls => Listener.Server.DtlsPort,
            Tcp => Listener.Server.TcpPort,
            _ => Listener.Server.TlsPort,
        };

        public void Dispose() => _authority.Dispose();
    }

    private sealed class ServerFixture(string scheme) : TransportFixture
    {
        private readonly Connections _client = new();
        private Ends? _ends;
        private IAsyncSink<(string Topic, byte[] Body)>? _device;

        public override bool Acknowledges => true;

        public override async ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _ends = new Ends(Connections, _client);
            _device = await _client.OpenAsync(Coap.Post<(string Topic, byte[] Body)>(m => UriOf(scheme, _ends.Port(scheme), m.Topic), (m, output) => output.Write(m.Body)));
            return new CoapListenTransport(TopicTemplate.Parse("{*path}"), Connections.Default);
        }

        public override ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop) =>
            _device!.WriteAsync(new SinkBatch<(string, byte[])> { Events = new[] { (topic, payload.ToArray()) }, Ticks = new long[1] }, stop);

        public override async ValueTask DisposeAsync()
        {
            await _device!.DisposeAsync();
            _ends!.Dispose();
        }
    }

    private sealed class ObserveFixture(string scheme) : TransportFixture
    {
        private readonly Connections _server = new();
        private readonly SemaphoreSlim _taken = new(0);
        private Ends? _ends;
        private LoopbackProxy? _proxy;
        private IAsyncSink<byte[]>? _resource;

        public override LoopbackProxy? Proxy => _proxy;

        public override bool CarriesTopics => false;

        /// <summary>The state, once more.</summary>
        public override bool Redelivers => true;

        public override async ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _ends = new Ends(_server, Connections);
            _resource = await _server.OpenAsync(Coap.Resource<byte[]>("state", (body, output) => output.Write(body), "application/octet-stream"));
            int port = _ends.Port(scheme);
            _proxy = scheme is Tcp or Tls ? new LoopbackProxy(port) : null;
            string uri = UriOf(scheme, _proxy?.Port ?? port, "state");
            return new Noticing(new CoapObserveTransport(CoapUri.Parse(uri), uri, IoT.Cep.Extensibility.Connections.Default), () => _taken.Release());
        }

        /// <summary>The next state is not shown before this one was taken: CoAP promises the last one only.</summary>
        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            while (_taken.Wait(0, CancellationToken.None))
            {
                // What was taken again, after a connection was lost.
            }

            await _resource!.WriteAsync(new SinkBatch<byte[]> { Events = new[] { payload.ToArray() }, Ticks = new long[1] }, stop);
            await _taken.WaitAsync(stop);
        }

        public override async ValueTask DisposeAsync()
        {
            await _resource!.DisposeAsync();
            await (_proxy?.DisposeAsync() ?? default);
            _ends!.Dispose();
            _taken.Dispose();
        }
    }

    /// <summary>Tells of each message that its receiver is given.</summary>
    private sealed class Noticing(ITransport inner, Action taken) : ITransport
    {
        public string Name => inner.Name;

        public Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop) => inner.RunAsync(new Receiver(receiver, taken), context, stop);

        private sealed class Receiver(IPayloadReceiver inner, Action taken) : IPayloadReceiver
        {
            public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
            {
                var received = inner.ReceiveAsync(in payload, acknowledger, delivery);
                taken();
                return received;
            }

            public void Reject(in Payload payload, DeadLetterReason reason, string detail) => inner.Reject(in payload, reason, detail);

            public void CountDuplicate() => inner.CountDuplicate();

            public void ConnectionChanged(bool connected, string? detail = null) => inner.ConnectionChanged(connected, detail);
        }
    }

    private sealed class PostFixture(string scheme) : SinkFixture<string>
    {
        private readonly Connections _server = new();
        private readonly Collector _collector = new();
        private readonly List<int> _rows = [];
        private Ends? _ends;
        private LoopbackProxy? _proxy;
        private Running? _running;

        public override bool HasBadRow => true;

        public override bool CanBreak => scheme is Tcp or Tls;

        public override async ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop)
        {
            _ends = new Ends(_server, Connections);
            _running = await _server.ListenAsync("rows", _collector);
            int port = _ends.Port(scheme);
            _proxy = CanBreak ? new LoopbackProxy(port) : null;
            return (IAsyncSink<string>)Coap.Post<string>(row => row == "bad" ? "http://\u001b" : UriOf(scheme, _proxy?.Port ?? port, "rows"), Local.Utf8);
        }

        public override string Row(int i) => $"{i}";

        public override string BadRow() => "bad";

        public override ValueTask BreakAsync()
        {
            _proxy!.Cut();
            return ValueTask.CompletedTask;
        }

        public override ValueTask RepairAsync()
        {
            _proxy!.Restore();
            return ValueTask.CompletedTask;
        }

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            while (_rows.Distinct().Count() < count && !stop.IsCancellationRequested)
            {
                _rows.Add(int.Parse((await _collector.NextAsync()).Text, null));
            }

            return _rows;
        }

        public override async ValueTask DisposeAsync()
        {
            await _running!.DisposeAsync();
            await (_proxy?.DisposeAsync() ?? default);
            _ends!.Dispose();
        }
    }

    private sealed class ResourceFixture : SinkFixture<int>
    {
        private LocalClient? _client;

        public override bool HasBadRow => true;

        public override bool IsExact => true;

        public override ValueTask<IAsyncSink<int>> StartAsync(CancellationToken stop)
        {
            Connections.Set(new CoapListenerOptions { Port = 0 });
            return new((IAsyncSink<int>)Coap.Resource<int>(
                row => $"rows/{row}",
                (row, output) => output.Write(row < 0 ? throw new InvalidOperationException("no\u001brow") : Encoding.UTF8.GetBytes($"{row}")),
                options: new CoapResourceOptions { MaxResources = 1000 }));
        }

        public override int Row(int i) => i;

        public override int BadRow() => -1;

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            _client ??= await LocalClient.ConnectAsync(Connections.Server().Port);
            var rows = new List<int>();
            for (int i = 0; i < 300; i++)
            {
                var response = await _client.SendAsync(Pair.Request(CoapCode.Get, $"rows/{i}"));
                if (response.Code == CoapCode.Content)
                {
                    rows.Add(int.Parse(Pair.Text(response), null));
                }
            }

            return rows;
        }

        public override async ValueTask DisposeAsync()
        {
            if (_client is not null)
            {
                await _client.DisposeAsync();
            }
        }
    }
}
