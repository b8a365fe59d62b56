using System.IO.Pipelines;
using System.Net.Sockets;

namespace IoT.Cep.Extensibility;

/// <summary>Messages out of any stream of bytes, one per line: a file, a TCP connection, a serial port, a process.</summary>
public sealed class LineTransport : ITransport
{
    // Half a minute is what a gateway that was restarted can wait for, and rare enough for a server that a thousand devices call.
    private static readonly TimeSpan _longestDelay = TimeSpan.FromSeconds(30);

    private readonly Func<CancellationToken, ValueTask<PipeReader>> _connect;
    private readonly LineOptions _options;

    /// <summary>Lines out of a pipe.</summary>
    /// <param name="name">What it is, for metrics and messages; also the messages' topic.</param>
    /// <param name="connect">Opens the input; called again for each connection. The transport completes the reader.</param>
    /// <param name="options">Limits and reconnecting; <see cref="LineOptions.Default"/> where null.</param>
    public LineTransport(string name, Func<CancellationToken, ValueTask<PipeReader>> connect, LineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(connect);
        Name = name;
        _connect = connect;
        _options = LineOptions.Check(options);
    }

    /// <summary>Lines out of a stream.</summary>
    /// <param name="name">What it is, for metrics and messages; also the messages' topic.</param>
    /// <param name="connect">Opens the input; called again for each connection. The transport closes the stream.</param>
    /// <param name="options">Limits and reconnecting; <see cref="LineOptions.Default"/> where null.</param>
    public LineTransport(string name, Func<CancellationToken, ValueTask<Stream>> connect, LineOptions? options = null)
        : this(name, Pipe(connect), options)
    {
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="IOException">The input could not be opened or broke, and the options don't ask for reconnecting.</exception>
    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        var delay = _options.ReconnectDelay;
        while (!stop.IsCancellationRequested)
        {
            bool isConnected = false;
            string detail = "The input ended.";
            try
            {
                var reader = await _connect(stop).ConfigureAwait(false);
                isConnected = true;
                receiver.ConnectionChanged(true);
                await ReadAsync(reader, receiver, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                detail = "It was stopped.";
            }
            catch (Exception failure) when (failure is IOException or SocketException && _options.ReconnectDelay is not null)
            {
                detail = failure.Message;
            }
            finally
            {
                if (isConnected)
                {
                    receiver.ConnectionChanged(false, detail);
                }
            }

            if (delay is not { } wait || stop.IsCancellationRequested)
            {
                return;
            }

            wait = isConnected ? _options.ReconnectDelay!.Value : wait;

            // Half of a pause is random, so that clients of a server that returns do not come all at once.
#pragma warning disable CA5394 // a pause is no secret
            var pause = wait * (0.5 + (0.5 * Random.Shared.NextDouble()));
#pragma warning restore CA5394
            await Task.Delay(pause, context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            delay = isConnected ? wait : TimeSpan.FromTicks(Math.Max(wait.Ticks, Math.Min(wait.Ticks * 2, _longestDelay.Ticks)));
        }
    }

    private static Func<CancellationToken, ValueTask<PipeReader>> Pipe(Func<CancellationToken, ValueTask<Stream>> connect)
    {
        ArgumentNullException.ThrowIfNull(connect);

        // 16 KiB a read: a hundred messages of usual size for each call of the system, within a core's first cache.
        var options = new StreamPipeReaderOptions(bufferSize: 16 * 1024);
        return async stop => PipeReader.Create(await connect(stop).ConfigureAwait(false), options);
    }

    private async Task ReadAsync(PipeReader reader, IPayloadReceiver receiver, CancellationToken stop)
    {
        try
        {
            await LineFraming.ReadAsync(reader, receiver, Name, _options, stop).ConfigureAwait(false);
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }
}
