using System.Text.Json;

using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Links;

/// <summary>Reads what the bus sends to a device; what can't be read is passed over, since nobody could be told.</summary>
internal static class Inbox
{
    public static async Task TakeAsync(IDeviceReceiver receiver, string topic, ReadOnlyMemory<byte> body)
    {
        try
        {
            if (topic.StartsWith("commands/", StringComparison.Ordinal) && JsonSerializer.Deserialize(body.Span, WireJson.Default.DeviceCommand) is { } command)
            {
                await receiver.OnCommandAsync(command);
            }
            else if (topic.StartsWith("desired/", StringComparison.Ordinal) && JsonSerializer.Deserialize(body.Span, WireJson.Default.DesiredState) is { } desired)
            {
                await receiver.OnDesiredAsync(desired);
            }
        }
        catch (Exception e) when (e is JsonException or IOException or OperationCanceledException)
        {
            // A broken message, or an answer that found no way: the command comes again.
        }
    }
}
