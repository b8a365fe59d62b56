using System.Buffers;

namespace IoT.Cep.Extensibility;

/// <summary>Turns events into payloads: what a sink that sends takes. One instance serves one sink; it is called by one thread at a time.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public abstract class Encoder<T>
{
    /// <summary>The payloads' media type: <c>application/json</c>.</summary>
    public abstract string ContentType { get; }

    /// <summary>
    /// Writes one event as one payload. An event that the format can't hold (NaN in JSON) throws <see cref="FormatException"/>, which sinks make a dead letter; what was
    /// written of it by then is to be thrown away.
    /// </summary>
    /// <param name="value">The event.</param>
    /// <param name="output">Where to write.</param>
    public abstract void Encode(in T value, IBufferWriter<byte> output);

    /// <summary>Whether a payload is nothing without what stands beside it (<see cref="WriteHeaders"/>): a sink that can't send headers refuses such an encoder. False by default.</summary>
    public virtual bool HasHeaders => false;

    /// <summary>Adds what goes beside an event's payload: MQTT's user properties, HTTP's header fields. Nothing by default. Throws as <see cref="Encode"/> does.</summary>
    /// <param name="value">The event.</param>
    /// <param name="headers">Where to add names and values.</param>
    public virtual void WriteHeaders(in T value, ICollection<KeyValuePair<string, string>> headers)
    {
    }
}
