using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.CoapTests;

public class DtlsTests
{
    private static readonly byte[] _key = "0123456789abcdef"u8.ToArray();

    private static readonly ListenerSecurity _byKey = new() { PreSharedKey = name => name.StartsWith("device", StringComparison.Ordinal) ? _key : null };

    [Fact]
    public async Task A_key_secures_and_names_the_sender()
    {
        var connections = WithKeys();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
        string body = new('x', 20_000);
        await sink.WriteAsync("1", body);
        Assert.Equal(("1", "device-1"), await Pick(collector));
        Assert.Equal((body, "device-1"), await Pick(collector));

        static async Task<(string, string?)> Pick(Collector from)
        {
            var received = await from.NextAsync();
            return (received.Text, received.Sender);
        }
    }

    [Fact]
    public async Task A_key_that_was_given_is_left_as_it_is()
    {
        byte[] key = (byte[])_key.Clone();
        var security = new ListenerSecurity { PreSharedKey = _ => key };
        var connections = Local.Listener(
            o =>
            {
                (o.Port, o.DtlsPort, o.Security) = (null, 0, security);
                o.UseDtls();
            },
            c => c.UseDtls(d => (d.PskIdentity, d.PreSharedKey) = ("device-1", key)));
        await using var running = await connections.ListenAsync("in", new Collector());
        for (int i = 0; i < 2; i++)
        {
            await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
            await sink.WriteAsync("1");
        }

        Assert.Equal(_key, key);
    }

    [Theory]
    [InlineData("device-1", "a wrong key....!")]
    [InlineData("stranger", "0123456789abcdef")]
    public async Task A_wrong_key_or_name_gets_no_session(string name, string key)
    {
        var connections = WithKeys(name, Encoding.UTF8.GetBytes(key), d => d.HandshakeTimeout = TimeSpan.FromSeconds(3));
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
        await Assert.ThrowsAnyAsync<Exception>(() => sink.WriteAsync("1"));
        Assert.True(collector.IsEmpty);
    }

    [Fact]
    public async Task Certificates_of_both_sides_are_checked()
    {
        using var authority = new TestAuthority();
        var security = new ListenerSecurity
        {
            Certificate = c => new(c.Issuer == authority.Root.Subject ? new Identity(c.GetNameInfo(System.Security.Cryptography.X509Certificates.X509NameType.SimpleName, false), AuthenticationMethod.Certificate) : null),
        };
        var connections = Local.Listener(
            o =>
            {
                (o.Port, o.DtlsPort, o.Security, o.Certificate) = (null, 0, security, authority.Server);
                o.UseDtls();
            },
            c => c.UseDtls(d => (d.CaFile, d.Certificate) = (authority.RootFile, authority.Client)));
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
        await sink.WriteAsync("1");
        Assert.Equal("device-1", (await collector.NextAsync()).Sender);

        using var other = new TestAuthority();
        connections.Set(new CoapOptions().UseDtls(d => d.CaFile = other.RootFile));
        await using var distrusting = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
        await Assert.ThrowsAnyAsync<IOException>(() => distrusting.WriteAsync("2"));
    }

    [Fact]
    public async Task Many_peers_share_one_socket()
    {
        var connections = WithKeys(limits: d => d.MaxHandshakes = 64);
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        var sinks = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8))));
        await Task.WhenAll(sinks.Select((sink, i) => sink.WriteAsync($"{i}a", $"{i}b")));
        var texts = new List<string>();
        for (int i = 0; i < 40; i++)
        {
            texts.Add((await collector.NextAsync()).Text);
        }

        Assert.Equal(40, texts.Distinct().Count());
        foreach (var sink in sinks)
        {
            await sink.DisposeAsync();
        }
    }

    [Fact]
    public async Task Who_sends_too_much_is_told_to_wait()
    {
        var security = new ListenerSecurity { PreSharedKey = _ => _key, Limits = new PrincipalLimits { MaxTopics = 1 } };
        var connections = Local.Listener(
            o =>
            {
                (o.Port, o.DtlsPort, o.Security) = (null, 0, security);
                o.UseDtls();
            },
            c => c.UseDtls(d => (d.PskIdentity, d.PreSharedKey) = ("device-1", _key)));
        await using var running = await connections.ListenAsync("in/{x}", new Collector());
        await using var sink = await connections.OpenAsync(Coap.Post<string>(x => $"coaps://127.0.0.1:{connections.Server().DtlsPort}/in/{x}", Local.Utf8));
        await sink.WriteAsync("a", "a");
        var refused = await Assert.ThrowsAsync<CoapException>(() => sink.WriteAsync("b"));
        Assert.Contains("4.29 Too many different paths", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_observation_goes_on_through_DTLS()
    {
        var connections = WithKeys();
        await using var alarm = await connections.OpenAsync(Coap.Resource<string>("alarm", Local.Utf8));
        var collector = new Collector();
        await using var observing = await connections.ObserveAsync($"coaps://127.0.0.1:{connections.Server().DtlsPort}/alarm", collector);
        await alarm.WriteAsync("1");
        Assert.Equal("1", (await collector.NextAsync()).Text);
        await alarm.WriteAsync("2");
        Assert.Equal("2", (await collector.NextAsync()).Text);
    }

    [Fact]
    public async Task Nothing_is_kept_for_a_hello_without_the_cookie_and_little_is_sent()
    {
        await using var server = new DtlsDatagrams(
            new CoapDatagramContext(new IPEndPoint(IPAddress.Loopback, 0), TimeProvider.System, NullLogger.Instance) { Security = _byKey }, new DtlsOptions());
        using var stop = new CancellationTokenSource();
        var run = server.RunAsync(new Nobody(), stop.Token);
        byte[] hello = await HelloAsync();
        using var stranger = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        for (int i = 0; i < 200; i++)
        {
            await stranger.SendAsync(hello, server.LocalEndPoint);
            var answer = await stranger.ReceiveAsync().WaitAsync(Collector.Patience);

            // A HelloVerifyRequest, shorter than what asked for it.
            Assert.Equal((22, 3), (answer.Buffer[0], answer.Buffer[13]));
            Assert.InRange(answer.Buffer.Length, 1, hello.Length);
            Assert.Equal((0, 0), (server.HandshakeCount, server.SessionCount));
        }

        await stop.CancelAsync();
        await run;
    }

    [Fact]
    public async Task No_datagram_whatever_ends_a_session_or_the_server()
    {
        const int Seed = 6347;
        var random = new Random(Seed);
        var connections = WithKeys();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => Uri(connections), Local.Utf8));
        await sink.WriteAsync("before");
        await collector.NextAsync();
        using var stranger = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        byte[] hello = await HelloAsync();
        for (int i = 0; i < 5000; i++)
        {
            byte[] bytes = i % 2 == 0 ? new byte[random.Next(100)] : (byte[])hello.Clone();
            if (i % 2 == 0)
            {
                random.NextBytes(bytes);
            }
            else
            {
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            }

            await stranger.SendAsync(bytes, new IPEndPoint(IPAddress.Loopback, connections.Server().DtlsPort));
        }

        await sink.WriteAsync("after");
        Assert.Equal("after", (await collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_forged_record_from_a_sessions_address_does_not_end_it()
    {
        var security = new CoapDatagramContext(new IPEndPoint(IPAddress.Loopback, 0), TimeProvider.System, NullLogger.Instance);
        await using var server = new DtlsDatagrams(security with { Security = _byKey }, new DtlsOptions());
        await using var client = new DtlsDatagrams(security, new DtlsOptions { PskIdentity = "device-1", PreSharedKey = _key });
        using var stop = new CancellationTokenSource();
        var heard = new Nobody();
        var runs = new[] { server.RunAsync(heard, stop.Token), client.RunAsync(new Nobody(), stop.Token) };

        // A relay in the middle can send in the client's name.
        using var relay = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var relaying = RelayAsync(relay, server.LocalEndPoint, stop.Token);
        var remote = await client.ConnectAsync((IPEndPoint)relay.Client.LocalEndPoint!, "localhost", CancellationToken.None);
        client.Send("one"u8, remote);
        await heard.UntilHeardAsync();
        for (int i = 0; i < 100; i++)
        {
            byte[] forged = [23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, (byte)(i + 10), 0, 32, .. new byte[32]];
            await relay.SendAsync(forged, server.LocalEndPoint);
        }

        client.Send("two"u8, remote);
        await heard.UntilHeardAsync();
        Assert.Equal(1, server.SessionCount);
        await stop.CancelAsync();
        await Task.WhenAll([.. runs, relaying]);
    }

    [Fact]
    public async Task A_repeated_record_costs_little_and_changes_nothing()
    {
        await using var pair = await RelayedPair.StartAsync(new DtlsOptions());
        pair.Client.Send("one"u8, pair.Remote);
        await pair.Heard.UntilHeardAsync();
        byte[] record = pair.FromClient[^1];
        for (int i = 0; i < 200; i++)
        {
            await pair.RepeatAsync(record);
        }

        pair.Client.Send("two"u8, pair.Remote);
        await pair.Heard.UntilHeardAsync();
        Assert.Equal((1, 2), (pair.Server.SessionCount, pair.Heard.Count));

        // BouncyCastle asks for a whole millisecond, again and again, as long as it is told that nothing came: it must not be told so where nobody may wait.
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        var pipe = new DtlsPipe(socket, pair.Server.LocalEndPoint);
        pipe.EndHandshake();
        Assert.Throws<Org.BouncyCastle.Tls.TlsFatalAlert>(() => pipe.Receive(new byte[100], 1));
    }

    [Fact]
    public async Task A_hello_that_comes_again_leaves_the_session_as_it_is()
    {
        // Longer than the test waits: the handshake that nobody goes on with is still there at its end.
        await using var pair = await RelayedPair.StartAsync(new DtlsOptions { HandshakeTimeout = TimeSpan.FromMinutes(2) });
        await pair.RepeatAsync(pair.FromClient.Last(d => d[0] == 22 && (d[3] | d[4]) == 0 && d[13] == 1));
        await Guarded.UntilAsync(() => pair.Server.HandshakeCount == 1);
        pair.Client.Send("one"u8, pair.Remote);
        await pair.Heard.UntilHeardAsync();
        Assert.Equal((1, 1), (pair.Server.SessionCount, pair.Heard.Count));
    }

    [Fact]
    public async Task An_idle_session_is_closed_and_the_next_message_makes_a_new_one()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var context = new CoapDatagramContext(new IPEndPoint(IPAddress.Loopback, 0), time, NullLogger.Instance);
        await using var server = new DtlsDatagrams(context with { Security = _byKey }, new DtlsOptions());
        await using var client = new DtlsDatagrams(context, new DtlsOptions { PskIdentity = "device-1", PreSharedKey = _key });
        using var stop = new CancellationTokenSource();
        var heard = new Nobody();
        var closed = new Nobody();
        var runs = new[] { server.RunAsync(heard, stop.Token), client.RunAsync(closed, stop.Token) };
        var first = await client.ConnectAsync(server.LocalEndPoint, "localhost", CancellationToken.None);
        client.Send("one"u8, first);
        await heard.UntilHeardAsync();
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(0, server.SessionCount);
        await closed.UntilClosedAsync();
        Assert.False(client.IsOpen(first));
        var second = await client.ConnectAsync(server.LocalEndPoint, "localhost", CancellationToken.None);
        client.Send("two"u8, second);
        await heard.UntilHeardAsync();
        await stop.CancelAsync();
        await Task.WhenAll(runs);
    }

    [Fact]
    public void Coaps_without_DTLS_says_what_to_do()
    {
        var options = new CoapListenerOptions { DtlsPort = 0 };
        Assert.Contains("UseDtls", Assert.Throws<InvalidOperationException>(() => options.Validate("default")).Message, StringComparison.Ordinal);
        Assert.Contains("PreSharedKey belong together", Assert.Throws<InvalidOperationException>(() => new CoapOptions().UseDtls(d => d.PskIdentity = "a")).Message, StringComparison.Ordinal);
    }

    [LibcoapFact]
    public async Task Libcoaps_client_posts_reads_and_is_refused_by_key()
    {
        var connections = WithKeys();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var alarm = await connections.OpenAsync(Coap.Resource<string>("alarm", Local.Utf8));
        await alarm.WriteAsync("fire");
        string uri = $"coaps://127.0.0.1:{connections.Server().DtlsPort}";
        await Libcoap.ClientAsync("-k", "0123456789abcdef", "-u", "device-9", "-m", "post", "-e", "hello", $"{uri}/in");
        var received = await collector.NextAsync();
        Assert.Equal(("hello", "device-9"), (received.Text, received.Sender));
        Assert.Equal("fire", await Libcoap.ClientAsync("-k", "0123456789abcdef", "-u", "device-9", $"{uri}/alarm"));
        Assert.DoesNotContain("fire", await Libcoap.ClientAsync("-B", "3", "-k", "wrong", "-u", "device-9", $"{uri}/alarm"), StringComparison.Ordinal);
    }

    [LibcoapFact]
    public async Task Libcoaps_client_posts_by_certificate()
    {
        using var authority = new TestAuthority();
        var security = new ListenerSecurity { Certificate = c => new(new Identity(c.GetNameInfo(System.Security.Cryptography.X509Certificates.X509NameType.SimpleName, false), AuthenticationMethod.Certificate)) };
        var connections = Local.Listener(o =>
        {
            (o.Port, o.DtlsPort, o.Security, o.Certificate) = (null, 0, security, authority.Server);
            o.UseDtls();
        });
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        string uri = $"coaps://localhost:{connections.Server().DtlsPort}/in";
        await Libcoap.ClientAsync("-c", authority.ClientFile, "-j", authority.ClientFile, "-C", authority.RootFile, "-m", "post", "-e", "hello", uri);
        var received = await collector.NextAsync();
        Assert.Equal(("hello", "device-1"), (received.Text, received.Sender));
    }

    [LibcoapTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task We_put_and_observe_at_libcoaps_server(bool byKey)
    {
        using var authority = new TestAuthority();
        string[] arguments = byKey ? ["-k", "0123456789abcdef", "-h", "hint"] : ["-n", "-c", authority.ServerFile, "-j", authority.ServerFile];
        await using var server = await LibcoapServer.StartAsync(arguments);
        var connections = Local.Listener(client: c => c.UseDtls(d =>
        {
            (d.PskIdentity, d.PreSharedKey) = byKey ? ("device-1", _key) : (null, null);
            d.CaFile = authority.RootFile;
        }));
        string uri = $"coaps://127.0.0.1:{server.Port + 1}";
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"{uri}/example_data", Local.Utf8));
        string body = new('x', 3000);
        await sink.WriteAsync(body);
        Assert.Equal(body, await Libcoap.ClientAsync($"coap://127.0.0.1:{server.Port}/example_data"));
        var collector = new Collector();
        await using var observing = await connections.ObserveAsync($"{uri}/time", collector);
        Assert.NotEqual((await collector.NextAsync()).Text, (await collector.NextAsync()).Text);
    }

    private static Connections WithKeys(string name = "device-1", byte[]? key = null, Action<DtlsOptions>? limits = null) => Local.Listener(
        o =>
        {
            (o.Port, o.DtlsPort, o.Security) = (null, 0, _byKey);
            o.UseDtls(limits);
        },
        c => c.UseDtls(d =>
        {
            limits?.Invoke(d);
            (d.PskIdentity, d.PreSharedKey) = (name, key ?? _key);
        }));

    private static string Uri(Connections connections) => $"coaps://127.0.0.1:{connections.Server().DtlsPort}/in";

    /// <summary>The first flight of a client.</summary>
    private static async Task<byte[]> HelloAsync()
    {
        using var listening = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        await using var client = new DtlsDatagrams(
            new CoapDatagramContext(new IPEndPoint(IPAddress.Loopback, 0), TimeProvider.System, NullLogger.Instance), new DtlsOptions { PskIdentity = "device-1", PreSharedKey = _key });
        using var stop = new CancellationTokenSource();
        var connecting = client.ConnectAsync((IPEndPoint)listening.Client.LocalEndPoint!, "localhost", stop.Token).AsTask();
        byte[] hello = (await listening.ReceiveAsync().WaitAsync(Collector.Patience)).Buffer;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => connecting);
        return hello;
    }

    private static async Task RelayAsync(UdpClient relay, IPEndPoint server, CancellationToken stop, List<byte[]>? fromClient = null)
    {
        IPEndPoint? client = null;
        try
        {
            while (true)
            {
                var datagram = await relay.ReceiveAsync(stop);
                bool isFromServer = datagram.RemoteEndPoint.Equals(server);
                if (!isFromServer)
                {
                    client = datagram.RemoteEndPoint;
                    fromClient?.Add(datagram.Buffer);
                }

                await relay.SendAsync(datagram.Buffer, isFromServer ? client! : server, stop);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>A client with a session, and a relay in the middle that keeps what it sent.</summary>
    private sealed class RelayedPair : IAsyncDisposable
    {
        private readonly UdpClient _relay = new(new IPEndPoint(IPAddress.Loopback, 0));
        private readonly CancellationTokenSource _stop = new();
        private Task _running = Task.CompletedTask;

        internal required DtlsDatagrams Server { get; init; }

        internal required DtlsDatagrams Client { get; init; }

        internal Nobody Heard { get; } = new();

        internal CoapRemote Remote { get; private set; } = null!;

        internal List<byte[]> FromClient { get; } = [];

        internal static async Task<RelayedPair> StartAsync(DtlsOptions options)
        {
            var context = new CoapDatagramContext(new IPEndPoint(IPAddress.Loopback, 0), TimeProvider.System, NullLogger.Instance);
            var pair = new RelayedPair
            {
                Server = new DtlsDatagrams(context with { Security = _byKey }, options),
                Client = new DtlsDatagrams(context, new DtlsOptions { PskIdentity = "device-1", PreSharedKey = _key }),
            };
            pair._running = Task.WhenAll(
                pair.Server.RunAsync(pair.Heard, pair._stop.Token), pair.Client.RunAsync(new Nobody(), pair._stop.Token),
                RelayAsync(pair._relay, pair.Server.LocalEndPoint, pair._stop.Token, pair.FromClient));
            pair.Remote = await pair.Client.ConnectAsync((IPEndPoint)pair._relay.Client.LocalEndPoint!, "localhost", CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
            await Guarded.UntilAsync(() => pair.Server.SessionCount == 1 && pair.Server.HandshakeCount == 0);
            return pair;
        }

        /// <summary>In the client's name.</summary>
        internal async Task RepeatAsync(byte[] datagram) => await _relay.SendAsync(datagram, Server.LocalEndPoint);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running.WaitAsync(Collector.Patience);
            await Client.DisposeAsync();
            await Server.DisposeAsync();
            _relay.Dispose();
            _stop.Dispose();
        }
    }

    private sealed class Nobody : ICoapDatagramReceiver
    {
        private readonly System.Threading.Channels.Channel<bool> _heard = System.Threading.Channels.Channel.CreateUnbounded<bool>();
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public void OnDatagram(ReadOnlySpan<byte> datagram, CoapRemote remote)
        {
            Interlocked.Increment(ref _count);
            _heard.Writer.TryWrite(true);
        }

        public void OnClosed(CoapRemote remote) => _closed.TrySetResult();

        internal int Count => Volatile.Read(ref _count);

        internal Task<bool> UntilHeardAsync() => _heard.Reader.ReadAsync().AsTask().WaitAsync(Collector.Patience);

        internal Task UntilClosedAsync() => _closed.Task.WaitAsync(Collector.Patience);
    }
}
