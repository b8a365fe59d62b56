using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads one event out of a JSON object by hand: <c>(ref f) =&gt; new Reading(f.Time("ts"u8), f.Text("id"u8), f.Number("t"u8))</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="fields">The object's members.</param>
public delegate T FromJson<T>(ref JsonFields fields);

/// <summary>Decoders and encoders of JSON (RFC 8259). A payload is one object, which is one event, or an array of objects.</summary>
/// <remarks>
/// A payload is decoded whole or becomes a dead letter whole. Nothing is allocated for an event once its texts have been seen. Members
/// that the event type doesn't have are passed over; a member that it has and that stands twice is refused, as are text that
/// isn't UTF-8, NaN and infinities. Numbers must be numbers and not text. Times are ISO 8601 text (without a zone they are UTC), or numbers since
/// 1970-01-01 UTC: seconds where they are below 10^11, milliseconds from there on.
/// </remarks>
public static class Json
{
    /// <summary>Decodes into an event type by the names of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(PayloadLimits? limits = null)
        where T : IEvent<T> => new EventDecoder<T>(isLines: false, PayloadLimits.Check(limits));

    /// <summary>
    /// Decodes into any type by hand. Where a member is missing or of the wrong type, the reading method gives a default
    /// value and the payload is rejected with the member's name when <paramref name="read"/> returns.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Reads one event. What it throws is the source's error, unless a member had failed before.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(FromJson<T> read, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return new HandDecoder<T>(read, isLines: false, PayloadLimits.Check(limits));
    }

    /// <summary>Writes an event as a JSON object that <see cref="Decode{T}(PayloadLimits?)"/> reads back; nothing is allocated for it.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    public static Encoder<T> Encode<T>()
        where T : IEvent<T> => new JsonEncoder<T>();

    /// <summary>Writes any type as JSON by generated code: <c>Json.Encode(MyJsonContext.Default.Alert)</c>.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="type">How it is written.</param>
    public static Encoder<T> Encode<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return new JsonTypeEncoder<T>(type);
    }

    internal static Decoder<T> DecodeLines<T>(PayloadLimits? limits)
        where T : IEvent<T> => new EventDecoder<T>(isLines: true, PayloadLimits.Check(limits));

    internal static Decoder<T> DecodeLines<T>(FromJson<T> read, PayloadLimits? limits) => new HandDecoder<T>(read, isLines: true, PayloadLimits.Check(limits));

    private sealed class EventDecoder<T>(bool isLines, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly FieldNames _names = new(T.Schema);
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            var reader = new JsonFieldReader(bytes, _names, _buffer, output.Strings);
            if (isLines)
            {
                while (ReadOne(ref reader, output) && reader.MoveNextLine())
                {
                }
            }
            else if (reader.TryBeginArray())
            {
                bool isFirst = true;
                while (reader.MoveNextElement(ref isFirst) && ReadOne(ref reader, output))
                {
                }
            }
            else
            {
                ReadOne(ref reader, output);
            }

            if (reader.Ok)
            {
                reader.End();
            }

            if (!reader.Ok)
            {
                reader.Fault.Reject(output);
            }
        }

        private bool ReadOne(ref JsonFieldReader reader, EventBuffer<T> output)
        {
            reader.BeginObject();
            if (!reader.Ok)
            {
                return false;
            }

            bool isRead = BoundReading.TryRead(ref reader, _binding, output.Strings, out T value);
            reader.EndObject();
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
                return false;
            }

            output.Add(in value);
            return true;
        }
    }

    private sealed class HandDecoder<T>(FromJson<T> read, bool isLines, PayloadLimits limits) : Decoder<T>
    {
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly JsonMembers _members = new();

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes))
            {
                return;
            }

            var fields = new JsonFields(bytes, in payload, _members, _buffer, output.Strings, output.ReceivedTicks);
            if (isLines)
            {
                while (ReadOne(ref fields, output) && fields.MoveNextLine())
                {
                }
            }
            else if (fields.TryBeginArray())
            {
                bool isFirst = true;
                while (fields.MoveNextElement(ref isFirst) && ReadOne(ref fields, output))
                {
                }
            }
            else
            {
                ReadOne(ref fields, output);
            }

            if (!fields.TryEnd())
            {
                fields.Fault.Reject(output);
            }
        }

        private bool ReadOne(ref JsonFields fields, EventBuffer<T> output)
        {
            if (!fields.TryReadObject())
            {
                return false;
            }

            T value;
            try
            {
                value = read(ref fields);
            }
#pragma warning disable CA1031 // The caller's code may throw anything; the filter takes only what a broken member caused.
            catch (Exception) when (!fields.Ok)
#pragma warning restore CA1031
            {
                // The caller's code tripped over the default that a broken member gave; the member is what was wrong.
                return false;
            }

            if (output.MessageCount >= limits.MaxEvents)
            {
                fields.TooMany();
            }

            if (!fields.Ok)
            {
                return false;
            }

            fields.LeaveObject();
            output.Add(in value);
            return true;
        }
    }
}
