using System.Buffers;
using System.IO.Pipelines;

namespace IoT.Cep.Extensibility;

/// <summary>Cuts a stream of bytes into lines, each of which is a message. A line ends in LF or CRLF; the last one needs no end. Empty lines are passed over.</summary>
/// <remarks>
/// At most <see cref="LineOptions.MaxLineBytes"/> and what the pipe reads at once are held: of a longer line only the first bytes reach
/// the dead letters, and the rest is dropped up to the next LF.
/// </remarks>
public static class LineFraming
{
    /// <summary>Reads lines until the input ends. The reader is not completed; an error of the input is thrown on.</summary>
    /// <param name="reader">Where bytes come from.</param>
    /// <param name="receiver">Where lines go; it is awaited before the next line, so that its backpressure reaches the input.</param>
    /// <param name="topic">The topic of the messages.</param>
    /// <param name="options">Limits; <see cref="LineOptions.Default"/> where null.</param>
    /// <param name="stop">Stops reading.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static async Task ReadAsync(
        PipeReader reader, IPayloadReceiver receiver, string topic, LineOptions? options = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(topic);
        options = LineOptions.Check(options);
        int skip = options.SkipLines;
        long searched = 0;
        bool isDiscarding = false;
        while (true)
        {
            var result = await reader.ReadAsync(stop).ConfigureAwait(false);
            var buffer = result.Buffer;
            while (TryTakeLine(ref buffer, ref searched, out var line))
            {
                if (isDiscarding)
                {
                    isDiscarding = false;
                }
                else if (skip > 0)
                {
                    skip--;
                }
                else
                {
                    await DeliverAsync(line, receiver, topic, options.MaxLineBytes).ConfigureAwait(false);
                }
            }

            // One byte more than the limit may be the CR of a line that is just within it.
            if (isDiscarding || buffer.Length > options.MaxLineBytes + 1L)
            {
                if (!isDiscarding && skip > 0)
                {
                    skip--;
                }
                else if (!isDiscarding)
                {
                    RejectTooLarge(buffer, receiver, topic, options.MaxLineBytes);
                }

                isDiscarding = true;
                buffer = buffer.Slice(buffer.End);
                searched = 0;
            }

            if (result.IsCompleted && buffer.Length > 0 && skip == 0)
            {
                await DeliverAsync(WithoutReturn(buffer), receiver, topic, options.MaxLineBytes).ConfigureAwait(false);
            }

            reader.AdvanceTo(result.IsCompleted ? buffer.End : buffer.Start, buffer.End);
            if (result.IsCompleted || result.IsCanceled)
            {
                return;
            }
        }
    }

    // What was searched in an earlier call holds no LF and is not searched again.
    private static bool TryTakeLine(ref ReadOnlySequence<byte> buffer, ref long searched, out ReadOnlySequence<byte> line)
    {
        var end = buffer.Slice(searched).PositionOf((byte)'\n');
        if (end is null)
        {
            searched = buffer.Length;
            line = default;
            return false;
        }

        searched = 0;
        line = WithoutReturn(buffer.Slice(0, end.Value));
        buffer = buffer.Slice(buffer.GetPosition(1, end.Value));
        return true;
    }

    private static ReadOnlySequence<byte> WithoutReturn(in ReadOnlySequence<byte> line)
    {
        if (line.Length == 0)
        {
            return line;
        }

        byte last = line.IsSingleSegment ? line.FirstSpan[^1] : line.Slice(line.Length - 1).FirstSpan[0];
        return last == '\r' ? line.Slice(0, line.Length - 1) : line;
    }

    private static ValueTask DeliverAsync(in ReadOnlySequence<byte> line, IPayloadReceiver receiver, string topic, int maxLineBytes)
    {
        if (line.Length > maxLineBytes)
        {
            RejectTooLarge(line, receiver, topic, maxLineBytes);
            return ValueTask.CompletedTask;
        }

        return line.Length == 0 ? ValueTask.CompletedTask : receiver.ReceiveAsync(new Payload(line, topic));
    }

    private static void RejectTooLarge(in ReadOnlySequence<byte> line, IPayloadReceiver receiver, string topic, int maxLineBytes) =>
        receiver.Reject(
            new Payload(line, topic), DeadLetterReason.TooLarge, $"The line is longer than the limit of {maxLineBytes} bytes.");
}
