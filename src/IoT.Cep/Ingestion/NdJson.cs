using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Decoders and encoders of NDJSON: one JSON object a line, each an event. Empty lines are passed over; all else is as <see cref="Json"/> has it.</summary>
public static class NdJson
{
    /// <summary>Decodes into an event type by the names of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(PayloadLimits? limits = null)
        where T : IEvent<T> => Json.DecodeLines<T>(limits);

    /// <summary>Decodes into any type by hand, as <see cref="Json.Decode{T}(FromJson{T}, PayloadLimits?)"/> does.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Reads one event. What it throws is the source's error, unless a member had failed before.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(FromJson<T> read, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return Json.DecodeLines(read, limits);
    }

    /// <summary>Writes an event as a line, with its end.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    public static Encoder<T> Encode<T>()
        where T : IEvent<T> => new LineEncoder<T>();

    private sealed class LineEncoder<T> : Encoder<T>
        where T : IEvent<T>
    {
        private readonly JsonEncoder<T> _json = new();

        public override string ContentType => "application/x-ndjson";

        public override void Encode(in T value, IBufferWriter<byte> output)
        {
            _json.Encode(in value, output);
            output.Write("\n"u8);
        }
    }
}
