using System.Net;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Fleet;

namespace IoT.Reference.Devices;

/// <summary>Which devices there are, and where they send.</summary>
public sealed record DevicesOptions
{
    /// <summary>The fleet.</summary>
    public required IReadOnlyList<SimulatedDevice> Devices { get; init; }

    /// <summary>Where the bus listens.</summary>
    public LayerAddresses Addresses { get; init; } = new();

    /// <summary>Where the gateway listens for the sensors behind it; null: those stay away.</summary>
    public IPEndPoint? Gateway { get; init; }

    /// <summary>The same seed gives the same readings and faults.</summary>
    public ulong Seed { get; init; } = 2026;

    /// <summary>How often a device sends.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The share of devices that have a fault at a time, 0 to 1.</summary>
    public double FaultShare { get; init; } = 0.02;

    /// <summary>The public key that signs software, in PEM; null: no updates.</summary>
    public string? UpdateKey { get; init; }

    /// <summary>Whether a new version starts on a device.</summary>
    public Func<string, string, bool> Starts { get; init; } = (_, _) => true;

    /// <summary>How many messages may be under way at a time.</summary>
    public int MaxUnderWay { get; init; } = 256;

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
