namespace IoT.Reference.Devices.Agent;

/// <summary>What an agent needs of its device.</summary>
public sealed record AgentOptions
{
    /// <summary>The device's id.</summary>
    public required string Device { get; init; }

    /// <summary>The device's type: packages of another are refused.</summary>
    public required string Type { get; init; }

    /// <summary>The version it runs.</summary>
    public string Software { get; init; } = "1.0.0";

    /// <summary>The public key of those who make software, as SubjectPublicKeyInfo in PEM; null: the device takes no updates.</summary>
    public string? UpdateKey { get; init; }

    /// <summary>The longest package, in bytes.</summary>
    public int MaxPackageBytes { get; init; } = 16 << 20;

    /// <summary>Where packages may come from, beside the host that sent the command.</summary>
    public HttpClient? Downloads { get; init; }

    /// <summary>Where the device is; null: it does not know.</summary>
    public (double Latitude, double Longitude)? Location { get; init; }

    /// <summary>Whether a new version starts: a simulated device may have one that does not.</summary>
    public Func<string, bool> Starts { get; init; } = _ => true;

    /// <summary>Whether the device reaches the bus with these network settings.</summary>
    public Func<string, bool> Reaches { get; init; } = profile => !profile.Contains("unreachable", StringComparison.Ordinal);

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
