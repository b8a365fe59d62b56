using System.Buffers;
using System.Net.WebSockets;

namespace IoT.Cep;

/// <summary>Frames over a WebSocket: each is one binary message, and its length field says nothing (RFC 8323, 4.2).</summary>
/// <param name="socket">The socket, connected.</param>
internal sealed class CoapWebSocketFrames(WebSocket socket) : ICoapFrames
{
    /// <summary>The WebSocket protocol's name.</summary>
    internal const string Protocol = "coap";

    private static readonly TimeSpan _goodbye = TimeSpan.FromSeconds(1);

    private readonly ArrayBufferWriter<byte> _message = new(2048);

    public bool HasLength => false;

    public async ValueTask<(int TokenLength, ReadOnlyMemory<byte> Bytes)?> ReadAsync(int maxBytes, CancellationToken stop)
    {
        _message.ResetWrittenCount();
        while (true)
        {
            var memory = _message.GetMemory(1024);
            var result = await socket.ReceiveAsync(memory, stop).ConfigureAwait(false);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            if (_message.WrittenCount + result.Count > maxBytes)
            {
                throw new CoapFrameException(CoapFormatError.TooLong);
            }

            _message.Advance(result.Count);
            if (!result.EndOfMessage)
            {
                continue;
            }

            // Text is no CoAP, and a length belongs to a stream.
            if (result.MessageType != WebSocketMessageType.Binary || _message.WrittenCount == 0 || _message.WrittenSpan[0] >> 4 != 0)
            {
                throw new CoapFrameException(_message.WrittenCount == 0 ? CoapFormatError.TooShort : CoapFormatError.OptionHeader);
            }

            return (_message.WrittenSpan[0] & 0xF, _message.WrittenMemory[1..]);
        }
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken stop) =>
        socket.SendAsync(frame, WebSocketMessageType.Binary, endOfMessage: true, stop);

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                using var limit = new CancellationTokenSource(_goodbye);
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException)
        {
            // The other side is gone already.
        }

        socket.Dispose();
    }
}
