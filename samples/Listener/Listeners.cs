using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using IoT.Cep;
using IoT.Cep.Extensibility;

namespace Listener;

/// <summary>Everything that listens, in one engine.</summary>
public sealed class Listeners(CommandLine options, Output output) : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _open = [];
    private readonly List<Func<Task>> _afterStart = [];
    private readonly X509Certificate2? _certificate = options.Tls is null ? null : Load(options.Tls);
    private readonly ListenerSecurity _security = options.Token is null ? ListenerSecurity.LoopbackOnly : ByToken(options.Token);

    public CepEngine Engine { get; } = new(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(5) });

    /// <summary>Opens what was asked for, and tells the ports.</summary>
    public async Task StartAsync()
    {
        await DeclareBrokersAsync();
        DeclareServers();
        DeclarePlain();
        Engine.From(Engine.DeadLetters).To(output.Letters());
        await Engine.StartAsync();
        foreach (var open in _afterStart)
        {
            await open();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            await _open[i].DisposeAsync();
        }

        _certificate?.Dispose();
    }

    private static void Tell(string transport, object where) => Console.Error.WriteLine($"{transport} {where}");

    private static X509Certificate2 Load(string file) => Path.GetExtension(file).ToUpperInvariant() is ".PFX" or ".P12"
        ? X509CertificateLoader.LoadPkcs12FromFile(file, null)
        : X509Certificate2.CreateFromPemFile(file);

    // Compared in equal time, so that it can't be guessed letter by letter.
    private static ListenerSecurity ByToken(string token)
    {
        byte[] expected = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        ValueTask<Identity?> Check(string shown, AuthenticationMethod method) => new(
            CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(shown)), expected) ? new Identity("token", method, ["*"]) : null);
        return new ListenerSecurity
        {
            Token = shown => Check(shown, AuthenticationMethod.Token),
            Password = (_, shown) => Check(shown, AuthenticationMethod.Password),
        };
    }

    private static int FreeUdpPort()
    {
        using var probe = new Socket(SocketType.Dgram, ProtocolType.Udp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private static int FreeTcpPort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private void Show(string transport, ISource<Measurement> source) => Engine.From(source).To(output.ValuesOf(transport, source.Name));

    private Decoder<Measurement> Decoder() => Measurements.Decode(options.Format);

    private async Task DeclareBrokersAsync()
    {
        if (options.Mqtt is { } port)
        {
            var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = port, Security = _security, Certificate = _certificate });
            _open.Add(broker);
            Show("mqtt", broker.Subscribe("{*topic}", Decoder()));

            // What is published before the subscription stands is not kept by anybody: the port is told when it does.
            int source = Engine.Sources.Count - 1;
            _afterStart.Add(() => ConnectedAsync(source, () => Tell("mqtt", broker.Port)));
        }

        if (options.Broker is { } outside)
        {
            Engine.Mqtt(o => (o.Host, o.Port) = outside, "broker");
            Show("broker", Mqtt.Subscribe(options.Topic, Decoder(), connection: "broker"));
            int source = Engine.Sources.Count - 1;
            _afterStart.Add(() => ConnectedAsync(source, () => Tell("broker", $"{outside.Host}:{outside.Port}")));
        }
    }

    private void DeclareServers()
    {
        if (options.MqttIngest is { } ingest)
        {
            var endpoint = new MqttIngestEndpoint(new MqttIngestOptions { Port = ingest, Security = _security, Certificate = _certificate });
            Show("mqtt-ingest", endpoint.Subscribe("{*topic}", Decoder()));
            _afterStart.Add(async () =>
            {
                await OrFailureAsync(endpoint.WaitUntilListeningAsync());
                Tell("mqtt-ingest", endpoint.Port);
            });
        }

        if (options.Http is { } http)
        {
            var server = Engine.HttpServer(o => o.Security = _security);
            _open.Add(new Disposal(server));
            Show("http", server.Receive("/{*path}", Decoder()));
            _afterStart.Add(async () =>
            {
                var listening = await server.ListenAsync(o => (o.Port, o.Certificate) = (http, _certificate));
                _open.Add(listening);
                Tell("http", listening.Port);
            });
        }

        if (options.Coap is { } coap)
        {
            int port = coap != 0 ? coap : _certificate is null ? FreeUdpPort() : FreeTcpPort();
            Engine.CoapListener(o =>
            {
                o.Security = _security;
                o.Port = _certificate is null ? port : null;
                if (_certificate is not null)
                {
                    (o.TlsPort, o.Certificate) = (port, _certificate);
                    o.UseDtls().DtlsPort = port;
                }
            });
            Show("coap", Coap.Listen("{*path}", Decoder()));
            int source = Engine.Sources.Count - 1;
            _afterStart.Add(() => ConnectedAsync(source, () => Tell("coap", port)));
        }
    }

    private void DeclarePlain()
    {
        if (options.Tcp is { } tcp)
        {
            var told = new TaskCompletionSource<IPEndPoint>(TaskCreationOptions.RunContinuationsAsynchronously);
            Show("tcp", Tcp.Lines(tcp, Decoder(), new TcpListenOptions { Certificate = _certificate, Listening = told.SetResult }));
            _afterStart.Add(async () =>
            {
                await OrFailureAsync(told.Task);
                Tell("tcp", (await told.Task).Port);
            });
        }

        if (options.Udp is { } udp)
        {
            var told = new TaskCompletionSource<IPEndPoint>(TaskCreationOptions.RunContinuationsAsynchronously);
            Show("udp", Udp.Datagrams(udp, Decoder(), new UdpListenOptions { Listening = told.SetResult }));
            _afterStart.Add(async () =>
            {
                await OrFailureAsync(told.Task);
                Tell("udp", (await told.Task).Port);
            });
        }

        if (options.File is { } file)
        {
            Show("file", Files.Tail(file, Decoder()));
            _afterStart.Add(() =>
            {
                Tell("file", SafeText.Escape(file));
                return Task.CompletedTask;
            });
        }
    }

    private async Task ConnectedAsync(int source, Action then)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!Engine.Sources[source].IsConnected && !Engine.Completion.IsCompleted)
        {
            await timer.WaitForNextTickAsync();
        }

        await OrFailureAsync(Task.CompletedTask);
        then();
    }

    private async Task OrFailureAsync(Task opened)
    {
        if (await Task.WhenAny(opened, Engine.Completion) != opened || Engine.Completion.IsFaulted)
        {
            await Engine.Completion;
        }

        await opened;
    }

    private sealed class Disposal(IDisposable inner) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            inner.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
