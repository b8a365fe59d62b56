using System.Net.WebSockets;

namespace IoT.Cep;

/// <summary>The bytes of a WebSocket's binary messages, whose borders mean nothing to MQTT. A text message ends it (MQTT-6.0.0-1).</summary>
/// <param name="socket">The WebSocket; it stays its owner's.</param>
internal sealed class WebSocketConnection(WebSocket socket) : Stream
{
    private static readonly TimeSpan _lastWord = TimeSpan.FromMilliseconds(250);

    private volatile bool _isOver;
    private volatile bool _isReading;
    private Task? _closing;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!_isOver)
        {
            ValueWebSocketReceiveResult result;
            _isReading = true;
            try
            {
                result = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch (WebSocketException e)
            {
                throw new IOException(e.Message, e);
            }
            finally
            {
                _isReading = false;
            }

            _isOver = result.MessageType != WebSocketMessageType.Binary;
            if (!_isOver && result.Count > 0)
            {
                return result.Count;
            }
        }

        return 0;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await socket.SendAsync(buffer, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken).ConfigureAwait(false);
        }
        catch (WebSocketException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Completes when the other side has been told that this one is over.</summary>
    internal Task ClosedAsync() => _closing ?? Task.CompletedTask;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _isOver = true;
            _closing ??= CloseAsync();
        }

        base.Dispose(disposing);
    }

    private async Task CloseAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(_lastWord, TimeProvider.System);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            // It takes nothing any more.
        }

        if (_isReading)
        {
            // Whoever reads must not wait for a client that does not answer.
            socket.Abort();
        }
    }
}
