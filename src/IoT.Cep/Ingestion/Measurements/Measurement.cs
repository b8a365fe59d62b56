using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// One value out of a payload of which nobody has said what it holds: a sensor, the value's name, and a number, a text or a Boolean. Made by <see cref="Measurements.Decode"/>.
/// </summary>
/// <param name="Time">When it was measured, as the payload says; else when it was received.</param>
/// <param name="Sensor">The sensor, as the payload names it; else the topic.</param>
/// <param name="Name">The value's name, with the names of the objects around it: <c>position.height</c>, <c>axes[2]</c>; <c>value</c> where it has none.</param>
/// <param name="Number">The number; null where it is none.</param>
/// <param name="Text">The text; null where it is none.</param>
/// <param name="Boolean">The Boolean; null where it is none.</param>
/// <param name="Unit">The unit, as the payload names it; null where it does not.</param>
/// <param name="Topic">The topic or path that it came by.</param>
[Event]
public readonly partial record struct Measurement(
    [EventTime] DateTimeOffset Time, [EventKey] string Sensor, string Name, double? Number, string? Text, bool? Boolean, string? Unit, string Topic);

/// <summary>The formats that <see cref="Measurements.Decode"/> reads.</summary>
public enum MeasurementFormat
{
    /// <summary>What the media type says, else what the bytes look like.</summary>
    Auto,

    /// <summary>JSON: objects or arrays, nested or not, one or several in a payload.</summary>
    Json,

    /// <summary>SenML (RFC 8428) in JSON or CBOR.</summary>
    SenMl,

    /// <summary>CBOR (RFC 8949), of the same shapes as JSON.</summary>
    Cbor,

    /// <summary>Rows of comma- or semicolon-separated cells behind a header.</summary>
    Csv,

    /// <summary>InfluxDB's line protocol: <c>weather,station=7 temperature=21.5 1767225600000000000</c>.</summary>
    Line,

    /// <summary>One value and no more: <c>21.5</c>, <c>true</c>, <c>open</c>.</summary>
    Value,
}

/// <summary>Decoders that need no event type: for a first look at what devices send, and for gateways whose devices are many and various.</summary>
public static class Measurements
{
    /// <summary>The limits where none are given: fewer than for an event type, since one payload may become many events.</summary>
    public static PayloadLimits DefaultLimits { get; } = new(MaxDepth: 16, MaxEvents: 10_000);

    /// <summary>
    /// Takes each number, text and Boolean of a payload as an event of its own. Members that are named like a time (<c>time</c>, <c>timestamp</c>, <c>ts</c>, ...) or a sensor
    /// (<c>sensor</c>, <c>device</c>, <c>id</c>, ...) hold for all values beside and below them; an object with a <c>value</c> may name it by <c>name</c> and <c>unit</c>. A payload that can't be read is a dead letter whole.
    /// </summary>
    /// <remarks>It allocates for each event. When you know what your devices send, an <c>[Event]</c> type is quicker, and refuses what is not of it.</remarks>
    /// <param name="format">The format; by default it is found out for each payload.</param>
    /// <param name="limits">How much one payload may hold; <see cref="DefaultLimits"/> where null.</param>
    public static Decoder<Measurement> Decode(MeasurementFormat format = MeasurementFormat.Auto, PayloadLimits? limits = null)
    {
        if (!Enum.IsDefined(format))
        {
            throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such format.");
        }

        return new MeasurementDecoder(format, PayloadLimits.Check(limits ?? DefaultLimits));
    }
}
