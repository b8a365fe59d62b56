using System.Buffers;
using System.IO.Pipelines;

namespace IoT.Cep;

/// <summary>Frames over a TCP or TLS connection.</summary>
internal sealed class CoapStreamFrames : ICoapFrames
{
    private readonly Stream _stream;
    private readonly PipeReader _reader;
    private SequencePosition? _read;

    internal CoapStreamFrames(Stream stream)
    {
        _stream = stream;
        _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));
    }

    public bool HasLength => true;

    public async ValueTask<(int TokenLength, ReadOnlyMemory<byte> Bytes)?> ReadAsync(int maxBytes, CancellationToken stop)
    {
        if (_read is { } read)
        {
            _read = null;
            _reader.AdvanceTo(read);
        }

        int needed = 1;
        while (true)
        {
            var result = await _reader.ReadAtLeastAsync(needed, stop).ConfigureAwait(false);
            var buffer = result.Buffer;
            if (TryFrame(buffer, maxBytes, out int headerLength, out int frameLength))
            {
                var frame = buffer.Slice(0, frameLength);
                _read = frame.End;
                int tokenLength = frame.FirstSpan[0] & 0xF;
                var rest = frame.Slice(headerLength);
                return (tokenLength, rest.IsSingleSegment ? rest.First : rest.ToArray());
            }

            if (result.IsCompleted)
            {
                // In the middle of a frame or between two, there is no more to come.
                _reader.AdvanceTo(buffer.End);
                return null;
            }

            needed = frameLength > 0 ? frameLength : (int)buffer.Length + 1;
            _reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken stop) => _stream.WriteAsync(frame, stop);

    public async ValueTask DisposeAsync()
    {
        // A TLS stream says goodbye here, which a connection that is gone can't hear.
        try
        {
            await _stream.DisposeAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
        }
    }

    /// <summary>Whether a whole frame is there; otherwise its length, as far as that is known.</summary>
    private static bool TryFrame(ReadOnlySequence<byte> buffer, int maxBytes, out int headerLength, out int frameLength)
    {
        Span<byte> first = stackalloc byte[5];
        int length = (int)Math.Min(first.Length, buffer.Length);
        buffer.Slice(0, length).CopyTo(first);
        frameLength = 0;
        if (!CoapFrame.TryMeasure(first[..length], out headerLength, out long whole))
        {
            return false;
        }

        // Refused by its length, before there is memory for it.
        if (whole > maxBytes)
        {
            throw new CoapFrameException(CoapFormatError.TooLong);
        }

        frameLength = (int)whole;
        return buffer.Length >= whole;
    }
}
