using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Keeps results as commands for their devices. What there is no room for is a dead letter: a device that does not fetch must not hold the others up.</summary>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="queues">Where they are kept.</param>
/// <param name="device">Whom a command is for.</param>
/// <param name="encode">Writes a command.</param>
internal sealed class HttpCommandSink<T>(CommandQueues queues, Func<T, string> device, Action<T, IBufferWriter<byte>> encode) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public string Name => queues.Name;

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
                if (kinds.IsEmpty || kinds[row] != EventKind.Retract)
                {
                    byte[] command = SinkEncoding.Encode(results[row], row, encode, _bytes);
                    if (queues.Add(DeviceOf(results[row], row), command) is { } problem)
                    {
                        throw new SinkRejectedException(row, problem);
                    }

                    batch.MarkWritten(row);
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private string DeviceOf(T result, int row)
    {
        try
        {
            return device(result) is { Length: > 0 } name ? name : throw new SinkRejectedException(row, "The command names no device.");
        }
        catch (Exception e) when (e is not OperationCanceledException and not SinkRejectedException)
        {
            throw new SinkRejectedException(row, $"The function that names the device failed: {SafeText.Escape(e.Message)}", e);
        }
    }
}
