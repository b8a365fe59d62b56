using System.Globalization;
using System.Text.Json;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Fleet;

namespace IoT.Reference.Host;

/// <summary>Makes the fleet known to the device manager, as an operator would, and keeps its secrets in a file of its user's only.</summary>
internal static class FleetRegistration
{
    /// <summary>The gateway of the fleet.</summary>
    public const string Gateway = "gateway-1";

    private const int Batch = 1_000;

    private static readonly DeviceKind[] _kinds = [DeviceKind.Pi, DeviceKind.Arduino, DeviceKind.Legacy, DeviceKind.Controller, DeviceKind.Coap, DeviceKind.Sensor];

    /// <summary>Every sixth device is of each kind; owners are alice and bob in turn; groups are "stable" but for a tenth, "canary".</summary>
    public static IEnumerable<RegisterRequest> Plan(int count)
    {
        yield return new RegisterRequest(Gateway, "gateway", "alice", "stable");
        for (int i = 0; i < count; i++)
        {
            DeviceKind kind = KindOf(i);
            yield return new RegisterRequest(
                IdOf(i), kind.ToString().ToLowerInvariant(), i % 2 == 0 ? "alice" : "bob", i % 10 == 0 ? "canary" : "stable",
                kind == DeviceKind.Sensor ? Gateway : null);
        }
    }

    /// <summary>A device's id by its place in the fleet: <c>pi-0001</c>.</summary>
    public static string IdOf(int index) => string.Create(CultureInfo.InvariantCulture, $"{KindOf(index).ToString().ToLowerInvariant()}-{index + 1:0000}");

    /// <summary>Registers those that are not in the file yet, and gives the whole fleet.</summary>
    public static async Task<List<SimulatedDevice>> RegisterAsync(Person operatorPerson, Uri deviceManager, int count, string file, CancellationToken stop)
    {
        List<SimulatedDevice> fleet = File.Exists(file) ? JsonSerializer.Deserialize(await File.ReadAllBytesAsync(file, stop), FleetJson.Default.ListSimulatedDevice)! : [];
        var known = fleet.Select(d => d.Id).ToHashSet(StringComparer.Ordinal);
        foreach (RegisterRequest[] batch in Plan(count).Where(r => !known.Contains(r.Id)).Chunk(Batch))
        {
            List<Registered> registered = await operatorPerson.PostAsync(
                deviceManager, "/v1/devices/batch", [.. batch], WireJson.Default.ListRegisterRequest, WireJson.Default.ListRegistered, stop);
            fleet.AddRange(registered.Select(static r => new SimulatedDevice(
                r.Device.Id, Enum.TryParse(r.Device.Type, ignoreCase: true, out DeviceKind kind) ? kind : DeviceKind.Pi, r.Device.Gateway is null ? r.Secret : null, r.Device.Gateway)));
        }

        await WriteAsync(file, fleet, stop);
        return fleet;
    }

    private static DeviceKind KindOf(int index) => _kinds[index % _kinds.Length];

    private static async Task WriteAsync(string file, List<SimulatedDevice> fleet, CancellationToken stop)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        await using var stream = new FileStream(file, options);
        await JsonSerializer.SerializeAsync(stream, fleet, FleetJson.Default.ListSimulatedDevice, stop);
    }
}
