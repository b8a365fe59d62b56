using System.Buffers;
using System.Net;
using System.Net.Sockets;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Datagrams: <c>cep.From(Udp.Datagrams(9000, decoder))</c>. UDP loses, repeats and reorders, and says nothing about it.</summary>
public static class Udp
{
    /// <summary>The longest datagram that IP carries.</summary>
    internal const int MaxBytes = 65_507;

    /// <summary>Listens, and takes each datagram as a message.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="port">The port; 0 takes any that is free (<see cref="UdpListenOptions.Listening"/> tells which).</param>
    /// <param name="decoder">Turns datagrams into events.</param>
    /// <param name="options">Address, limits, security; those of a new <see cref="UdpListenOptions"/> where null.</param>
    public static ISource<T> Datagrams<T>(int port, Decoder<T> decoder, UdpListenOptions? options = null) =>
        Source.FromTransport(Transport(port, options), decoder);

    /// <summary>Sends each result as a datagram. One of more than 65,507 bytes is a dead letter.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="host">The receiver's name or address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="encode">Writes the message.</param>
    public static ISink<T> Send<T>(string host, int port, Action<T, IBufferWriter<byte>> encode)
    {
        ArgumentException.ThrowIfNullOrEmpty(host);
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, IPEndPoint.MaxPort);
        return new UdpSink<T>(host, port, encode);
    }

    internal static UdpListenTransport Transport(int port, UdpListenOptions? options)
    {
        options ??= new UdpListenOptions();
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)port, (uint)IPEndPoint.MaxPort, nameof(port));
        ArgumentException.ThrowIfNullOrEmpty(options.Topic, nameof(UdpListenOptions.Topic));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxMessageBytes, 1, nameof(UdpListenOptions.MaxMessageBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ReceiveBufferBytes, MaxBytes, nameof(UdpListenOptions.ReceiveBufferBytes));
        return new UdpListenTransport(port, options);
    }
}

/// <summary>Takes datagrams, one after the other; while the receiver waits they gather in the system's buffer, and beyond it are lost.</summary>
internal sealed class UdpListenTransport(int port, UdpListenOptions options) : ITransport
{
    public string Name { get; } = port == 0 ? "udp" : $"udp {port}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        options.Security.ThrowIfUnsafe(Name, options.Address, isEncrypted: false);
        if (!await options.Security.AuthorizeAsync(Identity.Anonymous, AccessAction.Publish, options.Topic).ConfigureAwait(false))
        {
            throw new InvalidOperationException($"{Name}: Authorize allows nobody to publish to '{options.Topic}', and a datagram's sender can't prove who it is.");
        }

        using var socket = Bind(context);
        receiver.ConnectionChanged(true);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Udp.MaxBytes, pinned: true);
        try
        {
            while (true)
            {
                int length = await ReceiveAsync(socket, buffer, options.Address, stop).ConfigureAwait(false);
                if (length >= 0 && await MayComeAsync().ConfigureAwait(false) is { } budget)
                {
                    var payload = new Payload(new ReadOnlySequence<byte>(buffer, 0, length), options.Topic);
                    await TakeAsync(payload, receiver, budget).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The usual end.
        }
        finally
        {
            receiver.ConnectionChanged(false, "It was stopped.");
        }
    }

    /// <summary>What senders use who can't say who they are; null: the datagram is lost, since nobody could be told to wait.</summary>
    private async ValueTask<PrincipalBudget?> MayComeAsync() =>
        await options.Security.AuthorizeAsync(Identity.Anonymous, AccessAction.Publish, options.Topic).ConfigureAwait(false)
        && options.Security.BudgetOf(Identity.Anonymous) is { } budget && budget.TryTakeMessage() && budget.TryUseTopic(options.Topic) ? budget : null;

    private async ValueTask TakeAsync(Payload payload, IPayloadReceiver receiver, PrincipalBudget budget)
    {
        int most = Math.Min(options.MaxMessageBytes, options.Security.Limits.MaxPayloadBytes);
        if (payload.Bytes.Length > most)
        {
            receiver.Reject(in payload, DeadLetterReason.TooLarge, $"The datagram has {payload.Bytes.Length:N0} bytes; the limit is {most:N0}.");
        }
        else if (budget.TryBeginMessage())
        {
            try
            {
                await receiver.ReceiveAsync(in payload).ConfigureAwait(false);
            }
            finally
            {
                budget.EndMessage();
            }
        }
    }

    private static async ValueTask<int> ReceiveAsync(Socket socket, byte[] buffer, IPAddress address, CancellationToken stop)
    {
        try
        {
            var any = new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
            return (await socket.ReceiveFromAsync(buffer, SocketFlags.None, any, stop).ConfigureAwait(false)).ReceivedBytes;
        }
        catch (SocketException)
        {
            // An answer that could not be delivered is told to the next receive; there is nothing to do about it.
            return -1;
        }
    }

    private Socket Bind(ConnectionContext context)
    {
        var socket = new Socket(options.Address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = options.ReceiveBufferBytes };
        try
        {
            socket.Bind(new IPEndPoint(options.Address, port));
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new InvalidOperationException($"{Name}: can't listen on {options.Address}:{port}: {error.Message}. Choose another port, or 0 for any that is free.", error);
        }

        var bound = (IPEndPoint)socket.LocalEndPoint!;
        SocketLog.Listening(context.Logger, Name, bound.ToString());
        options.Listening?.Invoke(bound);
        return socket;
    }
}

/// <summary>Sends each result as a datagram.</summary>
internal sealed class UdpSink<T>(string host, int port, Action<T, IBufferWriter<byte>> encode) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _message = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private Socket? _socket;

    public string Name { get; } = $"udp {SafeText.Escape(host)}:{port}";

    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        var addresses = await Dns.GetHostAddressesAsync(host, stop).ConfigureAwait(false);
        var socket = new Socket(addresses[0].AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(addresses[0], port, stop).ConfigureAwait(false);
        Interlocked.Exchange(ref _socket, socket)?.Dispose();
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            var socket = _socket ?? throw new InvalidOperationException("The sink was not opened.");
            for (int row = 0; row < batch.Length; row++)
            {
                if (!batch.Kinds.IsEmpty && batch.Kinds.Span[row] == EventKind.Retract)
                {
                    continue;
                }

                _message.ResetWrittenCount();
                SinkRows.Encode(batch.Events.Span[row], row, encode, _message);
                if (_message.WrittenCount > Udp.MaxBytes)
                {
                    throw new SinkRejectedException(row, $"The message has {_message.WrittenCount:N0} bytes; a datagram carries {Udp.MaxBytes:N0}.");
                }

                await SendAsync(socket, stop).ConfigureAwait(false);
                batch.MarkWritten(row);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        Interlocked.Exchange(ref _socket, null)?.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask SendAsync(Socket socket, CancellationToken stop)
    {
        try
        {
            await socket.SendAsync(_message.WrittenMemory, stop).ConfigureAwait(false);
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
        {
            // The answer to an earlier datagram: nobody listened. This one was not sent; again, without an eye on the answer.
            await socket.SendAsync(_message.WrittenMemory, stop).ConfigureAwait(false);
        }
    }
}
