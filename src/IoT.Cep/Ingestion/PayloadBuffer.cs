using System.Buffers;
using System.Buffers.Text;
using System.Numerics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A decoder's own memory: a payload in several segments is copied here once, and escaped text is unescaped here. Both
/// grow as far as the limits allow and are used again for the next payload.
/// </summary>
internal sealed class PayloadBuffer(PayloadLimits limits)
{
    private byte[] _joined = [];
    private byte[] _text = [];
    private byte[] _base64 = [];

    internal PayloadLimits Limits => limits;

    /// <summary>How deep the current payload may nest: the decoder's limit, or the sender's where that is stricter.</summary>
    internal int MaxDepth { get; private set; } = limits.MaxDepth;

    /// <summary>The payload as one span; false where it is longer than the limit, and then it is rejected.</summary>
    internal bool TryJoin<T>(in Payload payload, EventBuffer<T> output, out ReadOnlySpan<byte> bytes)
    {
        MaxDepth = payload.MaxDepth > 0 ? Math.Min(payload.MaxDepth, limits.MaxDepth) : limits.MaxDepth;
        var sequence = payload.Bytes;
        bool isJoined = sequence.IsSingleSegment;
        bytes = isJoined ? sequence.FirstSpan : default;
        long length = isJoined ? bytes.Length : sequence.Length;
        if (length > limits.MaxBytes)
        {
            output.Reject(DeadLetterReason.TooLarge, $"The payload has {length} bytes; the limit is {limits.MaxBytes}.");
            return false;
        }

        bytes = isJoined ? bytes : Join(sequence);
        return true;
    }

    /// <summary>Room for unescaped text of this length, which is never longer than its escaped form.</summary>
    internal Span<byte> Text(int length)
    {
        if (_text.Length < length)
        {
            _text = new byte[BitOperations.RoundUpToPowerOf2((uint)length)];
        }

        return _text;
    }

    /// <summary>Bytes in base64 with the alphabet for URLs; they may stand in the room that <see cref="Text"/> gives.</summary>
    internal ReadOnlySpan<byte> Base64(scoped ReadOnlySpan<byte> bytes)
    {
        int length = Base64Url.GetEncodedLength(bytes.Length);
        if (_base64.Length < length)
        {
            _base64 = new byte[BitOperations.RoundUpToPowerOf2((uint)length)];
        }

        return _base64.AsSpan(0, Base64Url.EncodeToUtf8(bytes, _base64));
    }

    private ReadOnlySpan<byte> Join(ReadOnlySequence<byte> sequence)
    {
        int length = (int)sequence.Length;
        if (_joined.Length < length)
        {
            _joined = new byte[BitOperations.RoundUpToPowerOf2((uint)length)];
        }

        sequence.CopyTo(_joined);
        return _joined.AsSpan(0, length);
    }
}
