using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

/// <summary>Lines over TLS, with and without certificates of the clients.</summary>
public sealed class TcpTlsTests : IDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly X509Certificate2 _server;
    private readonly X509Certificate2 _client;
    private readonly (string Certificate, string Key) _clientFiles;

    public TcpTlsTests()
    {
        _server = Load(_authority.Sign("localhost"));
        _clientFiles = _authority.Sign("device-1");
        _client = Load(_clientFiles);
    }

    private ListenerSecurity ByCertificate => new() { Certificate = Certificates.FromPemFile(_authority.CaFile).Validate };

    public void Dispose()
    {
        _server.Dispose();
        _client.Dispose();
        _authority.Dispose();
    }

    [Fact]
    public async Task Lines_arrive_through_TLS()
    {
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server });
        await using var device = await site.ConnectTlsAsync(_authority.CaFile);
        string text = new('x', 100_000);
        await device.SendAsync($"1\n{text}\n");
        var first = await site.Collector.NextAsync();
        Assert.Equal(("1", null), (first.Text, first.Sender));
        Assert.Equal(text, (await site.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_certificate_names_the_sender()
    {
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server, Security = ByCertificate });
        await using var device = await site.ConnectTlsAsync(_authority.CaFile, _client);
        await device.SendAsync("1\n");
        Assert.Equal("device-1", (await site.Collector.NextAsync()).Sender);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_has_no_certificate_or_one_of_a_stranger_is_closed(bool hasOne)
    {
        using var strangers = new TestAuthority();
        using var strange = Load(strangers.Sign("device-1"));
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server, Security = ByCertificate });
        await using var device = await site.ConnectTlsAsync(_authority.CaFile, hasOne ? strange : null);
        await device.UntilClosedAsync();
        Assert.True(site.Collector.IsEmpty);
    }

    [Fact]
    public async Task What_is_no_TLS_is_closed_and_others_go_on()
    {
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server });
        await using var plain = await site.ConnectAsync();
        await plain.SendAsync("this is a line and no handshake\n");
        byte[] last = new byte[100];
        while (await ReadAsync(plain.Stream, last) > 0)
        {
            // An alert at most.
        }

        await using var device = await site.ConnectTlsAsync(_authority.CaFile);
        await device.SendAsync("1\n");
        Assert.Equal("1", (await site.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task Who_begins_no_handshake_is_closed_in_time()
    {
        var clock = new FakeTimeProvider();
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server }, clock: clock);
        await using var silent = await site.ConnectAsync();
        var closed = silent.UntilClosedAsync();
        while (!closed.IsCompleted)
        {
            // The wait may not have begun when the connection stands.
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await closed;
    }

    [Fact]
    public async Task Our_own_source_and_sink_speak_it_and_check_the_server()
    {
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server, Security = ByCertificate });
        await using var sink = await OpenAsync(_authority.CaFile);
        string[] lines = ["1", "2"];
        await sink.WriteAsync(new SinkBatch<string> { Events = lines, Ticks = new long[2] }, CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
        Assert.Equal(lines, (await site.Collector.TakeAsync(2)).Select(r => r.Text));

        using var strangers = new TestAuthority();
        await Assert.ThrowsAnyAsync<System.Security.Authentication.AuthenticationException>(() => OpenAsync(strangers.CaFile));

        async Task<IAsyncSink<string>> OpenAsync(string caFile)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(caFile);
            var opened = (IAsyncSink<string>)Tcp.SendLines<string>("localhost", site.Address.Port, line => line, new TcpConnectOptions
            {
                Tls = new SslClientAuthenticationOptions { CertificateChainPolicy = policy, ClientCertificates = [_client] },
            });
            await opened.OpenAsync(new SinkContext(TimeProvider.System, new Connections(), NullLogger.Instance, HasIdentity: false), CancellationToken.None);
            return opened;
        }
    }

    [OpensslTheory]
    [InlineData("-tls1_2")]
    [InlineData("-tls1_3")]
    public async Task Openssl_sends_lines_by_its_certificate(string version)
    {
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Certificate = _server, Security = ByCertificate });
        using var process = Process.Start(new ProcessStartInfo("openssl",
        [
            "s_client", "-connect", $"{IPAddress.Loopback}:{site.Address.Port}", "-servername", "localhost", "-CAfile", _authority.CaFile, "-verify_return_error",
            "-cert", _clientFiles.Certificate, "-key", _clientFiles.Key, "-quiet", version,
        ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await process.StandardInput.WriteAsync("from openssl\n");
        await process.StandardInput.FlushAsync();
        var received = await site.Collector.NextAsync();
        Assert.Equal(("from openssl", "device-1"), (received.Text, received.Sender));
        process.Kill();
        await process.WaitForExitAsync().WaitAsync(Collector.Patience);
    }

    private static X509Certificate2 Load((string Certificate, string Key) files) => X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);

    private static async Task<int> ReadAsync(Stream stream, byte[] bytes)
    {
        try
        {
            return await stream.ReadAsync(bytes).AsTask().WaitAsync(Collector.Patience);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Skipped where openssl is not installed.</summary>
    private sealed class OpensslTheoryAttribute : TheoryAttribute
    {
        public OpensslTheoryAttribute() => Skip = Needs.WithoutOpenssl;
    }
}
