using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Keeps results as commands for their devices. What there is no room for is a dead letter: a device that does not fetch must not hold the others up.</summary>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="queues">Where they are kept.</param>
/// <param name="device">Whom a command is for.</param>
/// <param name="encode">Writes a command.</param>
internal sealed class HttpCommandSink<T>(CommandQueues queues, Func<T, string> device, Action<T, IBufferWriter<byte>> encode) : MessageSink<T>(queues.Name, encode)
{
    protected override void Put(T result, int row, byte[] message)
    {
        if (queues.Add(DeviceOf(result, row), message) is { } problem)
        {
            throw new SinkRejectedException(row, problem);
        }
    }

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
