using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Security.Authentication;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Connects to a server that sends messages, and connects again when the connection is lost.</summary>
internal sealed class TcpConnectTransport(StreamFraming framing, string host, int port, TcpConnectOptions options) : ITransport
{
    public string Name { get; } = $"tcp {framing.Name} {SafeText.Escape(host)}:{port}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        using var handovers = new Handovers(receiver, stop);
        var backoff = new Backoff(options.ReconnectMin, options.ReconnectMax);
        while (true)
        {
            var messages = handovers.Connect(sender: null);
            bool isConnected = false;
            string reason = "The peer closed the connection.";
            try
            {
                var stream = await TcpDial.ConnectAsync(host, port, options, context.TimeProvider, stop).ConfigureAwait(false);
                isConnected = true;
                receiver.ConnectionChanged(true);
                await ReadAsync(stream, messages, stop).ConfigureAwait(false);
            }
            catch (Exception error) when (TcpDial.IsTransient(error) || handovers.Failed.IsCompleted)
            {
                reason = SafeText.Escape(error.Message);
            }

            // Told by its task and not by what was thrown: a receiver may throw what a connection throws.
            if (handovers.Failed.IsCompletedSuccessfully)
            {
                receiver.ConnectionChanged(false, "The source failed.");
                ExceptionDispatchInfo.Throw(await handovers.Failed.ConfigureAwait(false));
            }

            if (isConnected || stop.IsCancellationRequested)
            {
                receiver.ConnectionChanged(false, stop.IsCancellationRequested ? "It was stopped." : reason);
            }

            if (stop.IsCancellationRequested)
            {
                return;
            }

            // A server that accepts and closes at once is as good as none: only messages begin the pauses anew.
            if (messages.Count > 0)
            {
                backoff.Reset();
            }

            var pause = backoff.Next();
            SocketLog.Lost(context.Logger, Name, SafeText.Escape(host), port, reason, pause);
            await Task.Delay(pause, context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAsync(Stream stream, Handovers.Connection messages, CancellationToken stop)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024));
        try
        {
            await framing.ReadAsync(reader, messages, options.Topic, options.MaxMessageBytes, stop).ConfigureAwait(false);
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }
}

/// <summary>Connects by TCP, and by TLS where it is asked for.</summary>
internal static class TcpDial
{
    /// <summary>Whether connecting again may help.</summary>
    internal static bool IsTransient(Exception error) =>
        error is IOException or SocketException or ObjectDisposedException or AuthenticationException or OperationCanceledException;

    internal static async Task<Stream> ConnectAsync(string host, int port, TcpConnectOptions options, TimeProvider clock, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(options.ConnectTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(host, port, either.Token).ConfigureAwait(false);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (options.Tls is not { } tls)
            {
                return stream;
            }

            var secure = new SslStream(stream);
            stream = secure;
            tls.TargetHost ??= host;
            await secure.AuthenticateAsClientAsync(tls, either.Token).ConfigureAwait(false);
            return secure;
        }
        catch
        {
            socket.Dispose();
            if (stream is not null)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }

            throw;
        }
    }
}
