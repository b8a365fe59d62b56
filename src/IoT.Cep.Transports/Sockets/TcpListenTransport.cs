using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Takes connections, and messages out of each. While the queries hold back, nothing is read, and TCP stops the senders.</summary>
internal sealed class TcpListenTransport(StreamFraming framing, int port, TcpListenOptions options) : ITransport
{
    // A refusal is logged once in so many: a scanner must not fill the log.
    private const int RefusalsPerLine = 100;

    private static readonly TimeSpan _handshake = TimeSpan.FromSeconds(10);

    private long _refused;

    public string Name { get; } = port == 0 ? $"tcp {framing.Name}" : $"tcp {framing.Name} {port}";

    public bool IsPartitioned => options.IsPartitioned;

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        options.Security.ThrowIfUnsafe(Name, options.Address, options.Certificate is not null);
        using var listener = Listen(context);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var handovers = new Handovers(receiver, ending.Token);
        var open = new HashSet<Task>();
        receiver.ConnectionChanged(true);
        var accepting = AcceptAsync(listener, handovers, open, context, ending.Token);
        await Task.WhenAny(accepting, handovers.Failed).ConfigureAwait(false);

        // The first of them is the run's error; the others only end.
        var failure = handovers.Failed.IsCompletedSuccessfully ? await handovers.Failed.ConfigureAwait(false) : accepting.Exception?.InnerException;
        await ending.CancelAsync().ConfigureAwait(false);
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task[] last;
        lock (open)
        {
            last = [.. open];
        }

        await Task.WhenAll(last).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        receiver.ConnectionChanged(false, failure is null ? "It was stopped." : "The source failed.");
        if (failure is not null && !stop.IsCancellationRequested)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private Socket Listen(ConnectionContext context)
    {
        var listener = new Socket(options.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(options.Address, port));
            listener.Listen(Math.Min(options.MaxConnections, 128));
        }
        catch (SocketException error)
        {
            listener.Dispose();
            throw new InvalidOperationException($"{Name}: can't listen on {options.Address}:{port}: {error.Message}. Choose another port, or 0 for any that is free.", error);
        }

        var bound = (IPEndPoint)listener.LocalEndPoint!;
        SocketLog.Listening(context.Logger, Name, bound.ToString());
        options.Listening?.Invoke(bound);
        return listener;
    }

    private async Task AcceptAsync(Socket listener, Handovers handovers, HashSet<Task> open, ConnectionContext context, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException) when (!stop.IsCancellationRequested)
            {
                // One that was reset before it was accepted; or there are no more handles, which passes.
                await Task.Delay(TimeSpan.FromMilliseconds(10), context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            lock (open)
            {
                open.RemoveWhere(static task => task.IsCompleted);
                if (open.Count < options.MaxConnections)
                {
                    open.Add(Task.Run(() => ServeAsync(socket, handovers, context, stop), CancellationToken.None));
                    continue;
                }
            }

            Refuse(socket, context, $"there are {options.MaxConnections} connections");
            socket.Dispose();
        }
    }

    private async Task ServeAsync(Socket socket, Handovers handovers, ConnectionContext context, CancellationToken stop)
    {
        using (socket)
        {
            string peer = socket.RemoteEndPoint?.ToString() ?? "";
            Handovers.Connection? connection = null;
            try
            {
                var (stream, credentials) = await GreetAsync(socket, context, stop).ConfigureAwait(false);
                await using (stream.ConfigureAwait(false))
                {
                    using var admission = await options.Security.AdmitAsync(credentials).ConfigureAwait(false);
                    if (await ProblemAsync(admission).ConfigureAwait(false) is { } problem)
                    {
                        Refuse(socket, context, problem);
                        return;
                    }

                    string? sender = admission.Identity.Method == AuthenticationMethod.None ? null : admission.Identity.Name;
                    connection = options.IsPartitioned ? handovers.ConnectPartition(peer, sender) : handovers.Connect(sender);
                    if (options.IsPartitioned)
                    {
                        connection.ConnectionChanged(true);
                    }

                    // At once, whatever it waits for: the socket is what a reader and a writer can't go on without.
                    using var closes = admission.Ended.UnsafeRegister(static ended => ((Socket)ended!).Dispose(), socket);
                    using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, admission.Ended);
                    var admitted = new Admitted(connection, admission, context.TimeProvider, either.Token);
                    await ReadAsync(stream, socket, admitted, context, either.Token).ConfigureAwait(false);
                }
            }
            catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or AuthenticationException or OperationCanceledException or InvalidOperationException)
            {
                SocketLog.Ended(context.Logger, Name, peer, SafeText.Escape(error.Message));
            }
            finally
            {
                if (options.IsPartitioned && connection is not null)
                {
                    connection.ConnectionChanged(false, "The connection ended.");
                    await connection.ClosePartitionAsync().ConfigureAwait(false);
                }
            }
        }
    }

    private async Task ReadAsync(Stream stream, Socket socket, Admitted connection, ConnectionContext context, CancellationToken stop)
    {
        var idle = new IdleStream(stream, options.IdleTimeout, context.TimeProvider, socket.Dispose);
        var reader = PipeReader.Create(idle, new StreamPipeReaderOptions(bufferSize: 16 * 1024));
        try
        {
            await framing.ReadAsync(reader, connection, options.Topic, Math.Min(options.MaxMessageBytes, options.Security.Limits.MaxPayloadBytes), stop).ConfigureAwait(false);
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    private async Task<(Stream Stream, ClientCredentials Credentials)> GreetAsync(Socket socket, ConnectionContext context, CancellationToken stop)
    {
        Stream stream = new NetworkStream(socket, ownsSocket: false);
        var remote = (socket.RemoteEndPoint as IPEndPoint)?.Address;
        var credentials = new ClientCredentials(remote, options.Certificate is not null);
        if (options.Certificate is { } certificate)
        {
            var tls = new SslStream(stream);
            using var limit = new CancellationTokenSource(_handshake, context.TimeProvider);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificate = certificate,
                    ClientCertificateRequired = options.Security.Certificate is not null,
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
#pragma warning disable CA5359 // whose certificate it is decides ListenerSecurity.Certificate, which also sees self-signed ones
                    RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
                },
                either.Token).ConfigureAwait(false);
            credentials = credentials with { Certificate = tls.RemoteCertificate as X509Certificate2 };
            stream = tls;
        }

        return (stream, credentials);
    }

    private async ValueTask<string?> ProblemAsync(Admission admission) => admission.Refusal switch
    {
        AdmissionRefusal.NotAuthenticated => "it is not known",
        AdmissionRefusal.NotAuthorized => "it may not connect",
        AdmissionRefusal.TooManyConnections => "there are too many connections of it",
        _ when !await options.Security.AuthorizeAsync(admission.Identity, AccessAction.Publish, options.Topic).ConfigureAwait(false) => "it may not publish",
        _ when !admission.Budget!.TryUseTopic(options.Topic) => "it has sent to too many topics",
        _ => null,
    };

    private void Refuse(Socket socket, ConnectionContext context, string reason)
    {
        long count = Interlocked.Increment(ref _refused);
        if (count % RefusalsPerLine == 1)
        {
            SocketLog.Refused(context.Logger, Name, socket.RemoteEndPoint?.ToString() ?? "", reason + ".", count);
        }
    }
}
