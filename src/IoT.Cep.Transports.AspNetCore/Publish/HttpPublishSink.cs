using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Puts results into a feed. It never waits: those who listen read at their own pace.</summary>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="feed">Where they go.</param>
/// <param name="encode">Writes a result.</param>
internal sealed class HttpPublishSink<T>(ResultFeed feed, Action<T, IBufferWriter<byte>> encode) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public string Name => feed.Name;

    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

    public ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        lock (_bytes)
        {
            for (int row = 0; row < results.Length; row++)
            {
                // What was told can't be unsaid.
                if (kinds.IsEmpty || kinds[row] != EventKind.Retract)
                {
                    feed.Ring.Append(SinkEncoding.Encode(results[row], row, encode, _bytes));
                    batch.MarkWritten(row);
                }
            }
        }

        feed.Ring.Tell();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        feed.Ring.Tell(isEnd: true);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Encodes a result for a sink whose rows are messages.</summary>
internal static class SinkEncoding
{
    /// <exception cref="SinkRejectedException">The user's code failed.</exception>
    internal static byte[] Encode<T>(T result, int row, Action<T, IBufferWriter<byte>> encode, ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        try
        {
            encode(result, buffer);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The function that writes a result failed: {SafeText.Escape(e.Message)}", e);
        }

        return buffer.WrittenSpan.ToArray();
    }
}
