using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Decoders and encoders of CBOR (RFC 8949). A payload is one map, which is one event, an array of maps, or a sequence of those (RFC 8742).</summary>
/// <remarks>
/// Keys are the members' names, or their numbers (<see cref="FieldAttribute.Number"/>) as small devices write them. Lengths may be definite or not. Tags are passed over but
/// for times: tag 0 is ISO 8601, tag 1 is seconds since 1970-01-01 UTC, to the microsecond; without a tag numbers are seconds below 10^11 and milliseconds from there on. A decimal
/// fraction (tag 4) is a number; bignums (tags 2 and 3) are not. NaN and infinities are refused, as in every format. Undefined is null. An enum is its name or its value.
/// A payload is decoded whole or becomes a dead letter whole.
/// </remarks>
public static class Cbor
{
    /// <summary>Decodes into an event type by the names or the numbers of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(PayloadLimits? limits = null)
        where T : IEvent<T> => new EventDecoder<T>(PayloadLimits.Check(limits));

    /// <summary>Writes an event as a map of definite length, each item in its shortest form.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="byNumber">Whether members that have a number (<see cref="FieldAttribute.Number"/>) have it for a key, and not their name.</param>
    public static Encoder<T> Encode<T>(bool byNumber = false)
        where T : IEvent<T> => new EventEncoder<T>(byNumber);

    private sealed class EventDecoder<T>(PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        // Devices that have numbers for keys have them for all: what is compared first is the number where there is one for each.
        private readonly CborNames _names = new(T.Schema, byNumber: T.Schema.Fields.All(f => f.Number is not null || f.Origin != FieldOrigin.Payload));
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            var reader = new CborFieldReader(bytes, _names, _buffer, output.Strings);
            do
            {
                if (!reader.TryBeginArray(out long rest))
                {
                    ReadOne(ref reader, output);
                    continue;
                }

                while (reader.MoveNextElement(ref rest) && ReadOne(ref reader, output))
                {
                }
            }
            while (reader.Ok && !reader.IsEnd);

            if (!reader.Ok)
            {
                reader.Fault.Reject(output);
            }
        }

        private bool ReadOne(ref CborFieldReader reader, EventBuffer<T> output)
        {
            if (reader.Ok)
            {
                reader.BeginMap();
            }

            if (!reader.Ok)
            {
                return false;
            }

            bool isRead = BoundReading.TryRead(ref reader, _binding, output.Strings, out T value);
            reader.EndMap();
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

    private sealed class EventEncoder<T>(bool byNumber) : Encoder<T>
        where T : IEvent<T>
    {
        private readonly EncodedFields _fields = new(T.Schema);
        private readonly CborNames _names = new(T.Schema, byNumber);
        private readonly int _count = T.Schema.Fields.Count(f => f.Origin == FieldOrigin.Payload);

        public override string ContentType => "application/cbor";

        public override void Encode(in T value, IBufferWriter<byte> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            CborOutput.Head(output, CborMajor.Map, (ulong)_count);
            var writer = new Writer(output, _names, _fields);
            T.WriteTo(ref writer, in value);
        }
    }

    private readonly struct Writer(IBufferWriter<byte> output, CborNames names, EncodedFields fields) : IFieldWriter
    {
        public void Number(int field, double value)
        {
            if (TryKey(field))
            {
                CborOutput.Number(output, fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (TryKey(field))
            {
                CborOutput.Integer(output, value);
            }
        }

        public void Text(int field, string value)
        {
            if (TryKey(field))
            {
                CborOutput.Text(output, value);
            }
        }

        public void Time(int field, long ticks)
        {
            if (TryKey(field))
            {
                CborOutput.Time(output, ticks);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (TryKey(field))
            {
                CborOutput.Simple(output, value ? (byte)21 : (byte)20);
            }
        }

        public void Null(int field)
        {
            if (TryKey(field))
            {
                CborOutput.Simple(output, 22);
            }
        }

        private bool TryKey(int field)
        {
            if (!fields.IsInBody(field))
            {
                return false;
            }

            output.Write(names.Key(field));
            return true;
        }
    }
}
