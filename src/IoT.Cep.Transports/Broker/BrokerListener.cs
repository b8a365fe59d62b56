using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.Server;

namespace IoT.Cep;

/// <summary>Accepts connections for the broker: a bounded number, read ahead, with frames bounded before they are allocated.</summary>
/// <param name="options">The broker's options.</param>
/// <param name="timeProvider">The clock of time limits.</param>
internal sealed class BrokerListener(MqttBrokerOptions options, TimeProvider timeProvider) : IMqttServerAdapter
{
    /// <summary>MQTTnet's own buffer sizes for writing: start and rest.</summary>
    private const int WriterBytes = 4096, WriterRestBytes = 65_535;

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
        _accepting = Task.Run(() => AcceptAsync(socket));
        return Task.CompletedTask;
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

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            socket.NoDelay = true;
            var remote = socket.RemoteEndPoint;
            var network = new BrokerConnection(socket);
            Stream stream = options.Certificate is null ? network : await EncryptAsync(network).ConfigureAwait(false);

            await using (stream.ConfigureAwait(false))
            {
                using var tcp = new MqttTcpChannel(stream, socket.LocalEndPoint, remote, null);
                using var channel = new BufferedChannel(tcp, options.MaxPacketBytes);
                using var adapter = new MqttChannelAdapter(
                    channel, new MqttPacketFormatterAdapter(new MqttBufferWriter(WriterBytes, WriterRestBytes)), MqttNetNullLogger.Instance);
                if (ClientHandler is { } handle)
                {
                    await HandleAsync(handle, network, adapter).ConfigureAwait(false);
                }
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

    private async Task HandleAsync(Func<IMqttChannelAdapter, Task> handle, BrokerConnection connection, MqttChannelAdapter adapter)
    {
        connection.Adapter = adapter;
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

    private async Task<SslStream> EncryptAsync(NetworkStream network)
    {
        var stream = new SslStream(network, leaveInnerStreamOpen: false);
        using var limit = new CancellationTokenSource(options.ConnectTimeout, timeProvider);
        var authentication = new SslServerAuthenticationOptions
        {
            ServerCertificate = options.Certificate,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        await stream.AuthenticateAsServerAsync(authentication, limit.Token).ConfigureAwait(false);
        return stream;
    }
}
