using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.CoapTests;

public class CoapStreamTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(267)]
    [InlineData(268)]
    [InlineData(65_803)]
    [InlineData(65_804)]
    public async Task A_frame_of_each_length_class_comes_back(int payload)
    {
        byte[] body = RandomNumberGenerator.GetBytes(payload);
        byte[] bytes = new byte[payload + 64];
        int length = CoapFrame.Write(bytes, hasLength: true, CoapCode.Post, CoapToken.Read([1, 2, 3]), default, body);
        await using var frames = new CoapStreamFrames(new Trickle(bytes[..length]));
        var frame = await frames.ReadAsync(100_000, CancellationToken.None);
        Assert.Equal(CoapFormatError.None, CoapFrame.Parse(frame!.Value.TokenLength, frame.Value.Bytes.Span, out var parsed));
        Assert.Equal((CoapCode.Post, CoapToken.Read([1, 2, 3])), (parsed.Code, parsed.Token));
        Assert.True(parsed.Payload.SequenceEqual(body));
        Assert.Null(await frames.ReadAsync(100_000, CancellationToken.None));
    }

    [Fact]
    public async Task Any_stream_of_bytes_ends_in_frames_or_a_clear_error()
    {
        const int Seed = 8323;
        var random = new Random(Seed);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(100)];
            random.NextBytes(bytes);
            await using var frames = new CoapStreamFrames(new MemoryStream(bytes));
            try
            {
                while (await frames.ReadAsync(1000, CancellationToken.None) is { } frame)
                {
                    CoapFrame.Parse(frame.TokenLength, frame.Bytes.Span, out _);
                }
            }
            catch (CoapFrameException)
            {
            }
        }
    }

    [Fact]
    public async Task Both_sides_say_first_what_they_can_do()
    {
        await using var wire = new Wire(new Answering(_ => Pair.Content("x")));
        await wire.Client.Ready.WaitAsync(Collector.Patience);
        await wire.Server.Ready.WaitAsync(Collector.Patience);
        Assert.True(wire.Client.HasBert);
        Assert.Equal((64 << 10) - 128, wire.Client.MaxPayload(wire.Client.Remote));
        await wire.Client.PingAsync(CancellationToken.None).WaitAsync(Collector.Patience);
        await wire.Server.PingAsync(CancellationToken.None).WaitAsync(Collector.Patience);
    }

    [Fact]
    public async Task A_body_beyond_a_message_goes_in_several_blocks_at_once()
    {
        string body = string.Concat(Enumerable.Range(0, 100_000).Select(i => (char)('a' + (i % 26))));
        var handler = new Answering(r => Pair.Content(Pair.Text(r.Message) + "!"));
        await using var wire = new Wire(handler, blockwise: true);
        await wire.Client.Ready;
        var client = new CoapClient(wire.Client, wire.Client.Remote, 1 << 20, new CoapRandom());
        var response = await client.SendAsync(Pair.Request(CoapCode.Post, "echo", body), CancellationToken.None).WaitAsync(Collector.Patience);
        Assert.Equal((CoapCode.Content, body + "!"), (response.Code, Pair.Text(response)));
        Assert.Equal(2, wire.SentByClient.Count(f => f == CoapCode.Post) - 1);
    }

    [Theory]
    [InlineData("0001", "no CSM")] // a request before the capabilities
    [InlineData("00E1F00000000000", "CSM")] // more than the limit
    [InlineData("09E1000000000000000000", "token")]
    [InlineData("10E1F0", "reserved")]
    [InlineData("10E110", "critical")] // a CSM with the critical option 1
    public async Task What_cannot_be_gone_on_behind_aborts_the_connection(string hex, string _)
    {
        await using var wire = new Wire(new Answering(_ => Pair.Content("x")), clientSpeaks: false);
        await wire.RawAsync(Convert.FromHexString(hex));
        await wire.ServerRun.WaitAsync(Collector.Patience);
        Assert.Contains(CoapCode.Abort, wire.SentByServer);
    }

    [Fact]
    public async Task A_message_beyond_the_limit_is_refused_by_its_length()
    {
        await using var wire = new Wire(new Answering(_ => Pair.Content("x")), clientSpeaks: false);
        await wire.RawAsync([0x00, 0xE1, 0xF0, 0x7F, 0xFF, 0xFF, 0xFF, 0x02]);
        await wire.ServerRun.WaitAsync(Collector.Patience);
        Assert.Equal([CoapCode.Csm, CoapCode.Abort], wire.SentByServer);
    }

    [Fact]
    public async Task A_client_that_releases_gets_the_answers_that_are_due()
    {
        var answer = new TaskCompletionSource<CoapMessage?>();
        await using var wire = new Wire(new Answering(_ => new ValueTask<CoapMessage?>(answer.Task)));
        await wire.Client.Ready;
        var response = wire.Client.ExchangeAsync(wire.Client.Remote, Pair.Request(CoapCode.Get, "a"), null, CancellationToken.None);
        await wire.RawAsync([0x00, (byte)CoapCode.Release]);
        Assert.False(wire.ServerRun.IsCompleted);
        answer.SetResult(Pair.Content("late"));
        Assert.Equal("late", Pair.Text(await response.WaitAsync(Collector.Patience)));
        await wire.ServerRun.WaitAsync(Collector.Patience);
    }

    [Fact]
    public async Task What_is_under_way_fails_when_the_connection_is_lost()
    {
        await using var wire = new Wire(new Answering(_ => new ValueTask<CoapMessage?>(new TaskCompletionSource<CoapMessage?>().Task)));
        await wire.Client.Ready;
        var response = wire.Client.ExchangeAsync(wire.Client.Remote, Pair.Request(CoapCode.Get, "a"), null, CancellationToken.None);
        await wire.Server.DisposeAsync();
        await Assert.ThrowsAsync<CoapException>(() => response.WaitAsync(Collector.Patience));
        Assert.False(wire.Client.IsUsable);
    }

    [Fact]
    public async Task A_silent_connection_is_asked_and_then_closed()
    {
        var time = new FakeTimeProvider();
        await using var wire = new Wire(new Answering(_ => Pair.Content("x")), clientSpeaks: false, time: time);
        await wire.RawAsync([0x00, (byte)CoapCode.Csm]);
        await wire.Server.Ready.WaitAsync(Collector.Patience);
        time.Advance(TimeSpan.FromMinutes(5));
        await wire.UntilServerSentAsync(CoapCode.Ping);
        Assert.False(wire.ServerRun.IsCompleted);
        time.Advance(TimeSpan.FromMinutes(5));
        await wire.ServerRun.WaitAsync(Collector.Patience);
    }

    [Fact]
    public async Task Who_says_nothing_at_first_is_closed()
    {
        var time = new FakeTimeProvider();
        await using var wire = new Wire(new Answering(_ => Pair.Content("x")), clientSpeaks: false, time: time);
        await wire.UntilServerSentAsync(CoapCode.Csm);
        while (!wire.ServerRun.IsCompleted)
        {
            // The wait may not have begun when the capabilities are seen.
            time.Advance(TimeSpan.FromSeconds(10));
            await Task.Yield();
        }

        Assert.Contains(CoapCode.Abort, wire.SentByServer);
    }

    [Theory]
    [InlineData("coap+tcp", false)]
    [InlineData("coaps+tcp", false)]
    [InlineData("coaps+tcp", true)]
    [InlineData("coap+ws", false)]
    public async Task Sources_and_sinks_work_over_each_kind_of_connection(string scheme, bool hasClientCertificate)
    {
        using var authority = new TestAuthority();
        var security = hasClientCertificate
            ? new ListenerSecurity { Certificate = c => new(c.Issuer == authority.Root.Subject ? new Identity(c.GetNameInfo(X509NameType.SimpleName, false), AuthenticationMethod.Certificate) : null) }
            : ListenerSecurity.LoopbackOnly;
        var connections = Local.Listener(
            o => (o.Port, o.TcpPort, o.TlsPort, o.Certificate, o.Security) = (null, 0, 0, authority.Server, security),
            c => c.Tls = new CoapTlsOptions { CaFile = authority.RootFile, CertificateFile = hasClientCertificate ? authority.ClientFile : null });
        var collector = new Collector();
        await using var listening = await connections.ListenAsync("plant/{line}", collector);
        await using var alarm = await connections.OpenAsync(Coap.Resource<string>("alarm", Local.Utf8));
        await using var web = scheme == "coap+ws" ? new WebServer(connections.Find<CoapListenerOptions>()!) : null;
        int port = web?.Port ?? (scheme == "coap+tcp" ? connections.Server().TcpPort : connections.Server().TlsPort);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => $"{scheme}://localhost:{port}/plant/7", Local.Utf8, "text/plain"));
        string body = new('x', 200_000);
        await sink.WriteAsync("short", body);
        var first = await collector.NextAsync();
        Assert.Equal(("plant/7", "short", hasClientCertificate ? "device-1" : null), (first.Topic, first.Text, first.Sender));
        Assert.Equal(body, (await collector.NextAsync()).Text);
        var states = new Collector();
        await using var observing = await connections.ObserveAsync($"{scheme}://localhost:{port}/alarm", states);
        await alarm.WriteAsync("1");
        Assert.Equal("1", (await states.NextAsync()).Text);
        await alarm.WriteAsync("2");
        Assert.Equal("2", (await states.NextAsync()).Text);
    }

    [Fact]
    public async Task A_certificate_that_is_not_known_gets_no_connection()
    {
        using var authority = new TestAuthority();
        var security = new ListenerSecurity { Certificate = _ => new((Identity?)null) };
        var connections = Local.Listener(
            o => (o.TlsPort, o.Certificate, o.Security) = (0, authority.Server, security),
            c => c.Tls = new CoapTlsOptions { CaFile = authority.RootFile, CertificateFile = authority.ClientFile });
        await using var listening = await connections.ListenAsync("in", new Collector());
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => $"coaps+tcp://localhost:{connections.Server().TlsPort}/in", Local.Utf8));
        await Assert.ThrowsAnyAsync<Exception>(() => sink.WriteAsync("x"));
    }

    [Fact]
    public async Task Connections_beyond_the_limit_are_closed()
    {
        var connections = Local.Listener(o => (o.TcpPort, o.MaxConnections) = (0, 1));
        await using var listening = await connections.ListenAsync("in", new Collector());
        string uri = $"coap+tcp://127.0.0.1:{connections.Server().TcpPort}/in";
        await using var first = await connections.OpenAsync(Coap.Post<string>(_ => uri, Local.Utf8));
        await using var second = await connections.OpenAsync(Coap.Post<string>(_ => uri, Local.Utf8));
        await first.WriteAsync("x");
        await Assert.ThrowsAnyAsync<Exception>(() => second.WriteAsync("x"));
        await first.WriteAsync("x");
    }
}
