using System.Buffers;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;

namespace IoT.Cep;

/// <summary>The bytes of one connection, whatever carries them.</summary>
internal abstract class Link
{
    /// <summary>Receives some bytes; 0: there are no more. An empty buffer waits until there is something, so that who is idle needs no buffer.</summary>
    internal abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends all bytes.</summary>
    internal abstract ValueTask SendAsync(ReadOnlyMemory<byte> bytes);

    /// <summary>What has arrived may still be read, then a pending or later <see cref="ReceiveAsync"/> finds the end. Any thread.</summary>
    internal abstract void EndInput();

    /// <summary>Nothing more is sent; the other side is told so.</summary>
    internal virtual ValueTask EndOutputAsync() => ValueTask.CompletedTask;

    /// <summary>Closes at once: whatever is pending ends. Any thread, any number of times.</summary>
    internal abstract void Abort();
}

/// <summary>A TCP connection in the clear.</summary>
internal sealed class SocketLink(Socket socket) : Link
{
    internal override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None);

    internal override ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        // Almost always it takes all at once. Then nothing is awaited, and the result is looked at once.
        var sending = socket.SendAsync(bytes, SocketFlags.None);
        if (!sending.IsCompletedSuccessfully)
        {
            return SendRestAsync(sending, bytes);
        }

        int sent = sending.Result;
        return sent == bytes.Length ? ValueTask.CompletedTask : SendRestAsync(new ValueTask<int>(sent), bytes);
    }

    internal override void EndInput() => ShutDown(socket, SocketShutdown.Receive);

    internal override ValueTask EndOutputAsync()
    {
        ShutDown(socket, SocketShutdown.Send);
        return ValueTask.CompletedTask;
    }

    internal override void Abort() => socket.Dispose();

    internal static void ShutDown(Socket socket, SocketShutdown how)
    {
        try
        {
            socket.Shutdown(how);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It has gone already, which is what was wanted.
        }
    }

    private async ValueTask SendRestAsync(ValueTask<int> sending, ReadOnlyMemory<byte> bytes)
    {
        bytes = bytes[await sending.ConfigureAwait(false)..];
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None).ConfigureAwait(false)..];
        }
    }
}

/// <summary>A TCP connection under TLS.</summary>
internal sealed class TlsLink(SslStream stream, Socket socket) : Link
{
    internal override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => stream.ReadAsync(buffer);

    internal override ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => stream.WriteAsync(bytes);

    internal override void EndInput() => SocketLink.ShutDown(socket, SocketShutdown.Receive);

    internal override async ValueTask EndOutputAsync()
    {
        await stream.ShutdownAsync().ConfigureAwait(false);
        SocketLink.ShutDown(socket, SocketShutdown.Send);
    }

    internal override void Abort()
    {
        socket.Dispose();
        stream.Dispose();
    }
}

/// <summary>A WebSocket: its binary messages are one stream of bytes; their borders mean nothing (MQTT 5, section 6).</summary>
internal sealed class WebSocketLink(WebSocket socket) : Link
{
    internal override async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, CancellationToken.None).ConfigureAwait(false);
            if (received.MessageType != WebSocketMessageType.Binary)
            {
                // The end, or text, which MQTT does not have.
                return 0;
            }

            if (received.Count > 0 || buffer.IsEmpty)
            {
                return received.Count;
            }
        }
    }

    internal override ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);

    internal override void EndInput() => socket.Abort();

    internal override ValueTask EndOutputAsync() => new(socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None));

    internal override void Abort()
    {
        socket.Abort();
        socket.Dispose();
    }
}

/// <summary>A pair of pipes, as a web server gives them for a raw connection.</summary>
internal sealed class PipeLink(IDuplexPipe pipe) : Link
{
    private volatile bool _isEnding;

    internal override async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        var result = await pipe.Input.ReadAsync().ConfigureAwait(false);
        var available = result.Buffer;
        if ((result.IsCanceled || result.IsCompleted) && available.IsEmpty)
        {
            pipe.Input.AdvanceTo(available.End);
            return 0;
        }

        int taken = (int)Math.Min(available.Length, buffer.Length);
        available.Slice(0, taken).CopyTo(buffer.Span);
        var consumed = available.GetPosition(taken);

        // What was not taken is looked at again at once.
        pipe.Input.AdvanceTo(consumed);
        if (_isEnding)
        {
            pipe.Input.CancelPendingRead();
        }

        return taken;
    }

    internal override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        var flushed = await pipe.Output.WriteAsync(bytes).ConfigureAwait(false);
        if (flushed.IsCompleted)
        {
            throw new IOException("The other side has closed the connection.");
        }
    }

    internal override void EndInput()
    {
        _isEnding = true;
        pipe.Input.CancelPendingRead();
    }

    internal override ValueTask EndOutputAsync() => pipe.Output.CompleteAsync();

    internal override void Abort()
    {
        _isEnding = true;
        pipe.Input.CancelPendingRead();
        pipe.Output.CancelPendingFlush();
    }
}
