using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>A listener for lines or datagrams that runs while a test uses it, and senders.</summary>
internal sealed class ListeningSite : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    private ListeningSite(ITransport transport, Collector collector, TimeProvider clock)
    {
        Collector = collector;
        _run = transport.RunAsync(collector, new ConnectionContext(clock, new Connections(), NullLogger.Instance), _stop.Token);
    }

    internal Collector Collector { get; }

    internal IPEndPoint Address { get; private set; } = null!;

    internal static async Task<ListeningSite> TcpAsync(TcpListenOptions options, Collector? collector = null, TimeProvider? clock = null)
    {
        var told = new TaskCompletionSource<IPEndPoint>();
        var transport = new TcpListenTransport(StreamFraming.Lines, 0, options with { Listening = told.SetResult });
        return new ListeningSite(transport, collector ?? new Collector(), clock ?? TimeProvider.System) { Address = await told.Task.WaitAsync(Collector.Patience) };
    }

    internal static async Task<ListeningSite> UdpAsync(UdpListenOptions options, Collector? collector = null)
    {
        var told = new TaskCompletionSource<IPEndPoint>();
        var transport = Udp.Transport(0, options with { Listening = told.SetResult });
        return new ListeningSite(transport, collector ?? new Collector(), TimeProvider.System) { Address = await told.Task.WaitAsync(Collector.Patience) };
    }

    internal async Task<Device> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(Address).WaitAsync(Collector.Patience);
        return new Device(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Connects by TLS; the server's certificate is checked against an authority.</summary>
    internal async Task<Device> ConnectTlsAsync(string caFile, X509Certificate2? certificate = null)
    {
        var plain = await ConnectAsync();
        var secure = new SslStream(plain.Stream);
        try
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(caFile);
            await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                CertificateChainPolicy = policy,
                ClientCertificates = certificate is null ? null : [certificate],
            }).WaitAsync(Collector.Patience);
            return new Device(secure);
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.WaitAsync(Collector.Patience);
        _stop.Dispose();
    }

    /// <summary>One end of a connection.</summary>
    internal sealed class Device(Stream stream) : IAsyncDisposable
    {
        internal Stream Stream => stream;

        internal Task SendAsync(string text) => stream.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask().WaitAsync(Collector.Patience);

        /// <summary>Waits until the listener has closed the connection.</summary>
        internal async Task UntilClosedAsync()
        {
            try
            {
                Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Collector.Patience));
            }
            catch (IOException)
            {
                // Reset is closed too.
            }
        }

        public ValueTask DisposeAsync() => stream.DisposeAsync();
    }
}
