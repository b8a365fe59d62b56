using System.Buffers;
using System.IO.Pipelines;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How messages are told apart in a stream of bytes.</summary>
internal abstract class StreamFraming
{
    internal static StreamFraming Lines { get; } = new LinesFraming();

    /// <summary>What it is, for the transport's name.</summary>
    internal abstract string Name { get; }

    internal static StreamFraming Frames(FramePrefix prefix) => Enum.IsDefined(prefix)
        ? new PrefixFraming(prefix)
        : throw new ArgumentOutOfRangeException(nameof(prefix), prefix, "There is no such prefix.");

    /// <summary>Hands over each message, until the input ends.</summary>
    internal abstract Task ReadAsync(PipeReader reader, IPayloadReceiver receiver, string topic, int maxBytes, CancellationToken stop);

    /// <summary>Writes a message, or says what can't be written about it.</summary>
    internal abstract string? Write(ReadOnlySpan<byte> message, IBufferWriter<byte> output);

    private sealed class LinesFraming : StreamFraming
    {
        internal override string Name => "lines";

        internal override Task ReadAsync(PipeReader reader, IPayloadReceiver receiver, string topic, int maxBytes, CancellationToken stop) =>
            LineFraming.ReadAsync(reader, receiver, topic, new LineOptions(maxBytes), stop);

        internal override string? Write(ReadOnlySpan<byte> message, IBufferWriter<byte> output)
        {
            if (message.ContainsAny((byte)'\n', (byte)'\r'))
            {
                return "The text has a line end, which would make two messages of it.";
            }

            output.Write(message);
            output.Write("\n"u8);
            return null;
        }
    }

    private sealed class PrefixFraming(FramePrefix prefix) : StreamFraming
    {
        internal override string Name => "frames";

        internal override async Task ReadAsync(PipeReader reader, IPayloadReceiver receiver, string topic, int maxBytes, CancellationToken stop)
        {
            while (true)
            {
                var result = await reader.ReadAsync(stop).ConfigureAwait(false);
                var buffer = result.Buffer;
                while (TryTakeFrame(ref buffer, maxBytes, out var frame, out string? problem))
                {
                    if (problem is not null)
                    {
                        // What follows can't be told from the rest of it: only a new connection begins at a frame's start again.
                        receiver.Reject(new Payload(buffer, topic), DeadLetterReason.TooLarge, problem);
                        throw new InvalidFrameException(problem);
                    }

                    await receiver.ReceiveAsync(new Payload(frame, topic)).ConfigureAwait(false);
                }

                if (result.IsCompleted && buffer.Length > 0)
                {
                    receiver.Reject(new Payload(buffer, topic), DeadLetterReason.Malformed, "The connection ended within a frame.");
                }

                reader.AdvanceTo(result.IsCompleted ? buffer.End : buffer.Start, buffer.End);
                if (result.IsCompleted || result.IsCanceled)
                {
                    return;
                }
            }
        }

        internal override string? Write(ReadOnlySpan<byte> message, IBufferWriter<byte> output)
        {
            if (message.Length > prefix.MaxLength())
            {
                return $"The message has {message.Length:N0} bytes; a prefix of {prefix} can announce {prefix.MaxLength():N0}.";
            }

            prefix.Write(message.Length, output);
            output.Write(message);
            return null;
        }

        private bool TryTakeFrame(ref ReadOnlySequence<byte> buffer, int maxBytes, out ReadOnlySequence<byte> frame, out string? problem)
        {
            frame = default;
            problem = null;
            Span<byte> head = stackalloc byte[FramePrefixes.MaxBytes];
            int there = (int)Math.Min(buffer.Length, FramePrefixes.MaxBytes);
            buffer.Slice(0, there).CopyTo(head);
            int size = prefix.Read(head[..there], out long length);
            if (size == 0)
            {
                return false;
            }

            if (size < 0 || length > maxBytes)
            {
                problem = size < 0 ? "The frame's length has more than five bytes." : $"The frame has {length:N0} bytes; the limit is {maxBytes:N0}.";
                return true;
            }

            if (buffer.Length < size + length)
            {
                return false;
            }

            frame = buffer.Slice(size, length);
            buffer = buffer.Slice(size + length);
            return true;
        }
    }
}

/// <summary>A stream in which frames can't be found any more.</summary>
internal sealed class InvalidFrameException(string message) : IOException(message);
