using IoT.Reference.Contracts;
using IoT.Reference.Devices.Agent;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Devices.Fleet;

/// <summary>One simulated device: its link, its agent, and what it has not sent yet.</summary>
internal sealed class FleetDevice(SimulatedDevice device, int index, IDeviceLink link, DeviceAgent? agent) : IAsyncDisposable
{
    /// <summary>How many readings a device keeps while it sends nothing; the oldest go.</summary>
    private const int MaxKept = 128;

    private static readonly TimeSpan _skew = TimeSpan.FromSeconds(90);

    // What a late burst brings at its end.
    private Queue<(byte[] Body, string ContentType)>? _kept;
    private DateTimeOffset _since;
    private Fault _fault;

    public SimulatedDevice Device => device;

    public DeviceAgent? Agent => agent;

    public IDeviceLink Link => link;

    public async Task OpenAsync(CancellationToken stop)
    {
        if (agent is not null)
        {
            await agent.StartAsync(stop);
        }
        else
        {
            await link.OpenAsync(Deaf.Instance, stop);
        }
    }

    /// <summary>Measures, and sends what its fault lets through.</summary>
    /// <returns>How many messages went.</returns>
    public async Task<int> BeatAsync(ulong seed, FaultPlan faults, DateTimeOffset now, CancellationToken stop)
    {
        Fault fault = faults.At(index, now);
        if (fault != _fault)
        {
            (_fault, _since) = (fault, now);
        }

        int sent = fault == Fault.LateBurst ? 0 : await SendKeptAsync(stop);
        if (fault == Fault.Silence)
        {
            return sent;
        }

        double celsius = Readings.Temperature(seed, index, now, fault, now - _since);
        if (device.Kind == DeviceKind.Controller && link is HttpLink http)
        {
            await http.SendQueryAsync(Topics.Of(Topics.Telemetry, device.Id), Readings.Query(celsius), stop);
            return sent + 1;
        }

        DateTimeOffset clock = fault == Fault.SkewedClock ? now + _skew : now;
        (byte[] body, string contentType) = Readings.Write(device.Kind, celsius, clock);
        if (fault == Fault.LateBurst)
        {
            Keep(body, contentType);
            return sent;
        }

        int times = fault == Fault.Duplicates ? 2 : 1;
        for (int i = 0; i < times; i++)
        {
            await link.SendAsync(Topics.Of(Topics.Telemetry, device.Id), body, contentType, stop);
        }

        return sent + times;
    }

    public ValueTask DisposeAsync() => agent?.DisposeAsync() ?? link.DisposeAsync();

    private void Keep(byte[] body, string contentType)
    {
        _kept ??= new Queue<(byte[], string)>();
        if (_kept.Count == MaxKept)
        {
            _kept.Dequeue();
        }

        _kept.Enqueue((body, contentType));
    }

    private async Task<int> SendKeptAsync(CancellationToken stop)
    {
        int sent = 0;
        while (_kept is { Count: > 0 })
        {
            (byte[] body, string contentType) = _kept.Peek();
            await link.SendAsync(Topics.Of(Topics.Telemetry, device.Id), body, contentType, stop);
            _kept.Dequeue();
            sent++;
        }

        return sent;
    }

    /// <summary>A device that only sends.</summary>
    private sealed class Deaf : IDeviceReceiver
    {
        public static Deaf Instance { get; } = new();

        public Task OnCommandAsync(DeviceCommand command) => Task.CompletedTask;

        public Task OnDesiredAsync(DesiredState desired) => Task.CompletedTask;
    }
}
