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
        var cutter = new LineCutter(options);
        while (true)
        {
            var result = await reader.ReadAsync(stop).ConfigureAwait(false);
            var buffer = result.Buffer;
            while (true)
            {
                var cut = cutter.Take(ref buffer, result.IsCompleted, out var line);
                if (cut == LineCut.None)
                {
                    break;
                }

                if (cut == LineCut.TooLong)
                {
                    RejectTooLarge(line, receiver, topic, options.MaxLineBytes);
                }
                else
                {
                    await receiver.ReceiveAsync(new Payload(line, topic)).ConfigureAwait(false);
                }
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted || result.IsCanceled)
            {
                return;
            }
        }
    }

    private static void RejectTooLarge(in ReadOnlySequence<byte> line, IPayloadReceiver receiver, string topic, int maxLineBytes) =>
        receiver.Reject(
            new Payload(line, topic), DeadLetterReason.TooLarge, $"The line is longer than the limit of {maxLineBytes} bytes.");
}
