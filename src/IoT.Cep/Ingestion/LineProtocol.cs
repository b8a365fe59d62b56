using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What a line protocol's timestamp counts.</summary>
public enum TimePrecision
{
    /// <summary>Nanoseconds since 1970-01-01 UTC; what an event can't hold of them (below 100 ns) is cut off.</summary>
    Nanoseconds,

    /// <summary>Microseconds since 1970-01-01 UTC.</summary>
    Microseconds,

    /// <summary>Milliseconds since 1970-01-01 UTC.</summary>
    Milliseconds,

    /// <summary>Seconds since 1970-01-01 UTC.</summary>
    Seconds,
}

/// <summary>Decoders and encoders of InfluxDB's line protocol: <c>weather,location=us-midwest temperature=82 1465839830100400200</c>. A line is an event.</summary>
/// <remarks>
/// Tags and fields bind by their names; the measurement is a field of the name <c>measurement</c>, and the timestamp goes to the <see cref="EventTimeAttribute"/> member. Tags are text,
/// which is also read as a number, a time or a Boolean where the member is one. Whole numbers may have their <c>i</c> or <c>u</c>, or be floats without a fraction. Empty lines and lines that
/// begin with <c>#</c> are passed over. A payload is decoded whole or becomes a dead letter whole.
/// </remarks>
public static class LineProtocol
{
    /// <summary>Decodes into an event type by the names of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="precision">What a timestamp counts.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(TimePrecision precision = TimePrecision.Nanoseconds, PayloadLimits? limits = null)
        where T : IEvent<T> => new EventDecoder<T>(NanosecondsOf(precision), PayloadLimits.Check(limits ?? PayloadLimits.Default));

    /// <summary>Writes an event as a line, with its end: the key as a tag, the time as the timestamp, the other members as fields; a null is left out.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="measurement">The measurement; null takes the event type's name. A member of the name <c>measurement</c> goes before both.</param>
    /// <param name="precision">What a timestamp counts. What is finer is cut off.</param>
    public static Encoder<T> Encode<T>(string? measurement = null, TimePrecision precision = TimePrecision.Nanoseconds)
        where T : IEvent<T> => new LineEncoder<T>(measurement ?? T.Schema.TypeName, NanosecondsOf(precision));

    private static long NanosecondsOf(TimePrecision precision) => precision switch
    {
        TimePrecision.Nanoseconds => 1,
        TimePrecision.Microseconds => 1_000,
        TimePrecision.Milliseconds => 1_000_000,
        TimePrecision.Seconds => 1_000_000_000,
        _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "There is no such precision."),
    };

    private sealed class EventDecoder<T>(long nanoseconds, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly LineNames _names = new(new FieldNames(T.Schema));
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            var reader = new LineFieldReader(bytes, nanoseconds, _names, _buffer, output.Strings);
            while (reader.TryBeginLine())
            {
                bool isRead = BoundReading.TryRead(ref reader, _binding, output.Strings, out T value);
                reader.EndLine();
                if (!isRead)
                {
                    reader.Fail(DeadLetterReason.Malformed, -1);
                }
                else if (output.MessageCount >= limits.MaxEvents)
                {
                    reader.TooMany();
                }

                if (!reader.Ok)
                {
                    break;
                }

                output.Add(in value);
            }

            if (!reader.Ok)
            {
                reader.Fault.Reject(output);
            }
        }
    }
}
