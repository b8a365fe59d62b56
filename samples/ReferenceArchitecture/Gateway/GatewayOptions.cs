using System.Net;

namespace IoT.Reference.Gateway;

/// <summary>What a gateway is called, what is behind it, and where the bus is.</summary>
public sealed record GatewayOptions
{
    /// <summary>The gateway's id at the bus; it speaks for <see cref="Devices"/>.</summary>
    public required string Id { get; init; }

    /// <summary>Its secret.</summary>
    public required string Secret { get; init; }

    /// <summary>The devices behind it, which the registry knows as its.</summary>
    public required IReadOnlyList<string> Devices { get; init; }

    /// <summary>What waits for the uplink is kept here.</summary>
    public required string DataFolder { get; init; }

    /// <summary>The bus, as <c>mqtt://host:port</c> or <c>mqtts://host:port</c>.</summary>
    public Uri Bus { get; init; } = new("mqtt://127.0.0.1:5183");

    /// <summary>Where sensors send datagrams; port 0: any that is free.</summary>
    public IPEndPoint Datagrams { get; init; } = new(IPAddress.Loopback, 5190);

    /// <summary>Where field devices send lines over TCP; port 0: any that is free.</summary>
    public IPEndPoint Lines { get; init; } = new(IPAddress.Loopback, 5191);

    /// <summary>Radio addresses (16 or 64 bits, as <c>0x4f21</c>) and the device each is.</summary>
    public IReadOnlyDictionary<string, string> Addresses { get; init; } = new Dictionary<string, string>();

    /// <summary>How much earlier than the latest a frame may be, by its own time, and still be put in order.</summary>
    public TimeSpan MaxDisorder { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>After so long without a frame from a link time goes on by the clock, and one link does not wait for the other.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a frame is known, to tell one that the radio repeats.</summary>
    public TimeSpan RepeatsWithin { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Only what moves by more goes up, and a sign of life each <see cref="AtLeastEvery"/>.</summary>
    public double Band { get; init; } = 0.2;

    /// <inheritdoc cref="Band"/>
    public TimeSpan AtLeastEvery { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Two readings above this within <see cref="Within"/> are an alert here, with or without an uplink.</summary>
    public double Limit { get; init; } = 80;

    /// <inheritdoc cref="Limit"/>
    public TimeSpan Within { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most that may wait for the uplink, in bytes; the oldest gives way.</summary>
    public long MaxWaitingBytes { get; init; } = 256L << 20;
}
