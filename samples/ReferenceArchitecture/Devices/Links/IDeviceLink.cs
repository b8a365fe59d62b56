using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Links;

/// <summary>How a device reaches the bus: it connects outward only, whatever stands between.</summary>
public interface IDeviceLink : IAsyncDisposable
{
    /// <summary>Connects, and stays connected until it is disposed: a lost connection is made again, with pauses that double, half of each random.</summary>
    /// <param name="receiver">Is given what the bus has for the device.</param>
    /// <param name="stop">Gives up.</param>
    Task OpenAsync(IDeviceReceiver receiver, CancellationToken stop);

    /// <summary>Sends a message; completes when the bus has it, as far as the link can know.</summary>
    /// <param name="topic">One of <see cref="Topics"/>, filled in.</param>
    /// <param name="body">The payload.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="IOException">It did not go; the device may try again.</exception>
    Task SendAsync(string topic, ReadOnlyMemory<byte> body, string contentType, CancellationToken stop);

    /// <summary>From the next connection or request on the device proves itself with this secret.</summary>
    void UseSecret(string secret);
}

/// <summary>Takes what the bus has for a device.</summary>
public interface IDeviceReceiver
{
    /// <summary>A command; may come more than once.</summary>
    Task OnCommandAsync(DeviceCommand command);

    /// <summary>What the device shall be like; may come more than once.</summary>
    Task OnDesiredAsync(DesiredState desired);
}
