using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>Accepts connections for the broker: a bounded number, whose packets are bounded and well-formed before MQTTnet gets them.</summary>
/// <param name="options">The broker's options.</param>
/// <param name="timeProvider">The clock of time limits.</param>
internal sealed class BrokerListener(MqttBrokerOptions options, TimeProvider timeProvider) : IMqttServerAdapter
{
    /// <summary>MQTTnet's own buffer sizes for writing: start and rest.</summary>
    private const int WriterBytes = 4096, WriterRestBytes = 65_535;

    /// <summary>Thousands of idle clients have such a buffer each.</summary>
    private const int ReadBytes = 4096;

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<IMqttChannelAdapter, BrokerConnection> _open = new();
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;
    private int _connections;

    public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

    internal int Port { get; private set; }

    internal int Connections => Volatile.Read(ref _connections);

    /// <summary>The connection under an adapter; null: it has ended.</summary>
    /// <param name="adapter">What MQTTnet sees of it.</param>
    internal BrokerConnection? ConnectionOf(IMqttChannelAdapter adapter) => _open.GetValueOrDefault(adapter);

    public Task StartAsync(MqttServerOptions serverOptions, IMqttNetLogger logger)
    {
        var socket = new Socket(options.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // A broker that comes back on its port must not wait for the old connections' last packets to time out.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(options.Address, options.Port));
            socket.Listen(options.ConnectionBacklog);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        _socket = socket;
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return Task.CompletedTask;
    }

    /// <summary>Lets clients in; those that came before waited.</summary>
    internal void Accept()
    {
        var socket = _socket!;
        _accepting = Task.Run(() => AcceptAsync(socket));
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket?.Dispose();
        await _accepting.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                if (Interlocked.Increment(ref _connections) > options.MaxClients)
                {
                    Interlocked.Decrement(ref _connections);
                    socket.Dispose();
                    continue;
                }

                _ = Task.Run(() => ServeAsync(socket));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // Out of file handles, or a client that went away before it was accepted: neither may end the listening.
                await Task.Delay(TimeSpan.FromMilliseconds(100), timeProvider).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                return;
            }
        }
    }

    /// <summary>Serves one connection that someone else accepted, until it ends.</summary>
    /// <param name="stream">The connection.</param>
    /// <param name="remote">Where the client is.</param>
    /// <param name="isEncrypted">Whether it is encrypted.</param>
    /// <param name="certificate">The client's certificate; null: none.</param>
    /// <returns>False: there are too many connections.</returns>
    internal async Task<bool> ServeAsync(Stream stream, EndPoint? remote, bool isEncrypted, X509Certificate2? certificate)
    {
        if (Interlocked.Increment(ref _connections) > options.MaxClients)
        {
            Interlocked.Decrement(ref _connections);
            return false;
        }

        try
        {
            var connection = new BrokerConnection(stream, static () => false);
            await using (connection.ConfigureAwait(false))
            {
                await ServeAsync(connection, connection, new Peer(null, remote, isEncrypted, certificate)).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (MqttFailure.IsTransient(e))
        {
            // A client that breaks off is no event for the broker; MQTTnet has ended its session by now.
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }

        return true;
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            socket.NoDelay = true;
            var remote = socket.RemoteEndPoint;
            var network = new NetworkStream(socket, ownsSocket: true);
            var connection = new BrokerConnection(network, () => socket.Available > 0);
            Stream stream = options.Certificate is null ? connection : await EncryptAsync(connection).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var certificate = (stream as SslStream)?.RemoteCertificate as X509Certificate2;
                await ServeAsync(stream, connection, new Peer(socket.LocalEndPoint, remote, stream is SslStream, certificate)).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (MqttFailure.IsTransient(e))
        {
            // A client that breaks off is no event for the broker; MQTTnet has ended its session by now.
        }
        finally
        {
            socket.Dispose();
            Interlocked.Decrement(ref _connections);
        }
    }

    private async Task ServeAsync(Stream stream, BrokerConnection connection, Peer peer)
    {
        using var tcp = new MqttTcpChannel(stream, peer.Local, peer.Remote, peer.Certificate);
        using var channel = new CheckedChannel(tcp, options.MaxPacketBytes, ReadBytes);
        using var inner = new MqttChannelAdapter(
            channel, new MqttPacketFormatterAdapter(new MqttBufferWriter(WriterBytes, WriterRestBytes)), MqttNetNullLogger.Instance);
        using var adapter = new BrokerAdapter(inner, channel);
        if (ClientHandler is { } handle)
        {
            connection.Adapter = adapter;
            connection.Peer = peer;
            _open[adapter] = connection;
            try
            {
                await handle(adapter).ConfigureAwait(false);
            }
            finally
            {
                _open.TryRemove(adapter, out _);
                connection.HasEnded();
            }
        }
    }

    private async Task<SslStream> EncryptAsync(Stream network)
    {
        var stream = new SslStream(network, leaveInnerStreamOpen: false);
        using var limit = new CancellationTokenSource(options.ConnectTimeout, timeProvider);
        var authentication = new SslServerAuthenticationOptions
        {
            ServerCertificate = options.Certificate,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,

            // Asked for where certificates are known; ListenerSecurity decides about it, and about a client that shows none.
            ClientCertificateRequired = options.Security.Certificate is not null,
#pragma warning disable CA5359 // The client's certificate, which ListenerSecurity.Certificate checks before the client may do anything.
            RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
        };
        await stream.AuthenticateAsServerAsync(authentication, limit.Token).ConfigureAwait(false);
        return stream;
    }
}

/// <summary>The two ends of a connection.</summary>
internal sealed record Peer(EndPoint? Local, EndPoint? Remote, bool IsEncrypted, X509Certificate2? Certificate);
