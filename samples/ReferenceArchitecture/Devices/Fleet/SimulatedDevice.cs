using System.Text.Json.Serialization;

namespace IoT.Reference.Devices.Fleet;

/// <summary>What a simulated device is like.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DeviceKind>))]
public enum DeviceKind
{
    /// <summary>An 8-bit controller: HTTP, one value in a request's first line, no clock, no commands.</summary>
    Controller,

    /// <summary>Arduino-like: MQTT 3.1.1, QoS 0, payloads of at most 256 bytes.</summary>
    Arduino,

    /// <summary>Raspberry Pi: MQTT 5, QoS 1, a pack of readings, every command.</summary>
    Pi,

    /// <summary>An older board: HTTP with JSON, a clock that is off and steps in seconds.</summary>
    Legacy,

    /// <summary>CoAP, non-confirmable readings.</summary>
    Coap,

    /// <summary>A sensor behind a gateway.</summary>
    Sensor,
}

/// <summary>A device of the fleet.</summary>
/// <param name="Secret">Null behind a gateway, which speaks for it.</param>
public sealed record SimulatedDevice(string Id, DeviceKind Kind, string? Secret, string? Gateway = null);

/// <summary>A fleet as a file: what <c>--devices</c> reads.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<SimulatedDevice>))]
[JsonSerializable(typeof(FaultLabel))]
public sealed partial class FleetJson : JsonSerializerContext;
