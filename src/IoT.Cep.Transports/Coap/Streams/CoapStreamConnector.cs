using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>Connects to servers over TCP, TLS and WebSocket.</summary>
internal static class CoapStreamConnector
{
    /// <summary>Where servers have CoAP over WebSocket (RFC 8323, 8.3).</summary>
    private const string WebSocketPath = "/.well-known/coap";

    internal static async Task<(ICoapFrames Frames, IPEndPoint Address)> ConnectAsync(CoapUri uri, CoapTlsOptions tls, CancellationToken stop)
    {
        if (uri.Scheme is CoapScheme.WebSocket or CoapScheme.SecureWebSocket)
        {
            return await ConnectWebSocketAsync(uri, tls, stop).ConfigureAwait(false);
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(uri.Host, uri.Port, stop).ConfigureAwait(false);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (uri.Scheme == CoapScheme.Tls)
            {
                var secure = new SslStream(stream);
                stream = secure;
                await secure.AuthenticateAsClientAsync(ToClientOptions(uri, tls), stop).ConfigureAwait(false);
            }

            return (new CoapStreamFrames(stream), (IPEndPoint)socket.RemoteEndPoint!);
        }
        catch
        {
            if (stream is not null)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }

            socket.Dispose();
            throw;
        }
    }

    private static async Task<(ICoapFrames Frames, IPEndPoint Address)> ConnectWebSocketAsync(CoapUri uri, CoapTlsOptions tls, CancellationToken stop)
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.AddSubProtocol(CoapWebSocketFrames.Protocol);
            using var handler = new SocketsHttpHandler { SslOptions = ToClientOptions(uri, tls) };
            handler.SslOptions.ApplicationProtocols = null;
            string scheme = uri.Scheme == CoapScheme.WebSocket ? "ws" : "wss";
            using var invoker = new HttpMessageInvoker(handler, disposeHandler: false);
            await socket.ConnectAsync(new UriBuilder(scheme, uri.Host, uri.Port, WebSocketPath).Uri, invoker, stop).ConfigureAwait(false);
            return (new CoapWebSocketFrames(socket), new IPEndPoint(IPAddress.TryParse(uri.Host, out var address) ? address : IPAddress.None, uri.Port));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static SslClientAuthenticationOptions ToClientOptions(CoapUri uri, CoapTlsOptions tls)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = tls.TargetHost ?? uri.Host,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [new SslApplicationProtocol(CoapStreamServer.ApplicationProtocol)],
            ClientCertificates = tls.CertificateFile is null ? null : [X509Certificate2.CreateFromPemFile(tls.CertificateFile, tls.KeyFile)],
        };
        if (tls.CaFile is not null)
        {
            // These authorities and no others. Most of them publish no revocation list.
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(tls.CaFile);
            options.CertificateChainPolicy = policy;
        }

        return options;
    }
}
