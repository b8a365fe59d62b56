using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>What a topic, a topic filter or a path of the bus is to the decision point.</summary>
public static class BusResources
{
    /// <summary>All devices: what a filter with a wildcard in the device's place asks for.</summary>
    public static string AllDevices { get; } = Resources.Device("*");

    private static readonly string[] _devices = [.. Topics.All.Where(static t => t.EndsWith("/{device}", StringComparison.Ordinal)).Select(static t => t[..^"{device}".Length])];

    /// <summary><c>t/dev7</c> is <c>device:dev7</c>, <c>t/+</c> is <c>device:*</c>, and what is no device's is <c>topic:</c> and itself.</summary>
    /// <param name="topic">Text from the network.</param>
    public static string Of(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var rest = topic.AsSpan().TrimStart('/');
        foreach (string prefix in _devices)
        {
            if (rest.StartsWith(prefix, StringComparison.Ordinal))
            {
                var device = rest[prefix.Length..];
                return device is "+" or "#" ? AllDevices
                    : DeviceIds.IsValid(device) ? Resources.Device(device.ToString())
                    : "topic:" + rest.ToString();
            }
        }

        return "topic:" + rest.ToString();
    }
}
