using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A sink inside this process whose rows are messages: each is encoded and put where those who fetch it look. It never waits for them.</summary>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="name">Its name.</param>
/// <param name="encode">Writes a result.</param>
internal abstract class MessageSink<T>(string name, Action<T, IBufferWriter<byte>> encode) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public string Name => name;

    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

    public ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        try
        {
            // Two queries may end in one sink; its buffer is for one of them at a time.
            lock (_bytes)
            {
                for (int row = 0; row < results.Length; row++)
                {
                    // What was told can't be unsaid.
                    if (kinds.IsEmpty || kinds[row] != EventKind.Retract)
                    {
                        Put(results[row], row, Encode(results[row], row));
                        batch.MarkWritten(row);
                    }
                }
            }
        }
        finally
        {
            // Also where a row was refused: those before it are in place.
            Tell();
        }

        return ValueTask.CompletedTask;
    }

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Puts a message where it is fetched.</summary>
    /// <exception cref="SinkRejectedException">There is no room for it, or it is for nobody.</exception>
    protected abstract void Put(T result, int row, byte[] message);

    /// <summary>Tells those who wait that there is something new.</summary>
    protected virtual void Tell()
    {
    }

    private byte[] Encode(T result, int row)
    {
        _bytes.ResetWrittenCount();
        try
        {
            encode(result, _bytes);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The function that writes a result failed: {SafeText.Escape(e.Message)}", e);
        }

        return _bytes.WrittenSpan.ToArray();
    }
}
