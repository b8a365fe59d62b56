using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Decoders and encoders of Protocol Buffers' wire format, for messages of which each scalar field is a member with its number (<see cref="FieldAttribute.Number"/>).</summary>
/// <remarks>
/// <c>double</c>, <c>float</c> and whole numbers of every kind are told apart by the wire and by the member's type; <see cref="FieldAttribute.Form"/> says where whole numbers are
/// <c>sint</c> or <c>fixed</c>. A time is a <c>google.protobuf.Timestamp</c>, or a number since 1970. A field that isn't there has its default (0, "", false), as the format has
/// it, or is null where the member may be; a time that isn't there is missing. A field that stands twice is refused, since no sender means that. Fields that the type doesn't have
/// are passed over. Groups, which nobody sends since 2008, are refused. A payload is decoded whole or becomes a dead letter whole.
/// </remarks>
public static class Protobuf
{
    /// <summary>Decodes messages into an event type by the numbers of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="repeated">The number of the field that repeats the event's message, where a payload holds several; 0 where a payload is the message.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    /// <exception cref="ArgumentException">A member has no number, or none that Protobuf has, or another's.</exception>
    public static Decoder<T> Decode<T>(int repeated = 0, PayloadLimits? limits = null)
        where T : IEvent<T>
    {
        ArgumentOutOfRangeException.ThrowIfNegative(repeated);
        return new EventDecoder<T>(repeated, PayloadLimits.Check(limits));
    }

    /// <summary>Writes an event as a message. Defaults are written too, so that a reader can tell them from what isn't there; a null is left out.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <exception cref="ArgumentException">A member has no number, or none that Protobuf has, or another's.</exception>
    public static Encoder<T> Encode<T>()
        where T : IEvent<T> => new ProtobufEncoder<T>();

    private sealed class EventDecoder<T>(int repeated, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly ProtobufNames _names = new(T.Schema);
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            DecodeFault fault = default;
            if (repeated == 0)
            {
                ReadOne(bytes, 0, output, ref fault);
            }
            else
            {
                ReadAll(bytes, output, ref fault);
            }

            if (!fault.Ok)
            {
                fault.Reject(output);
            }
        }

        private void ReadAll(ReadOnlySpan<byte> bytes, EventBuffer<T> output, ref DecodeFault fault)
        {
            var scanner = new ProtobufScanner(bytes);
            while (!scanner.IsEnd && scanner.TryTag(out int number, out var wire))
            {
                if (number != repeated || wire != WireType.Bytes)
                {
                    scanner.TrySkip(wire);
                    continue;
                }

                if (!scanner.TryBytes(out var message))
                {
                    break;
                }

                if (output.MessageCount >= limits.MaxEvents)
                {
                    scanner.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", scanner.Position);
                    break;
                }

                if (!ReadOne(message, scanner.Position - message.Length, output, ref fault))
                {
                    return;
                }
            }

            fault = scanner.Fault;
        }

        private bool ReadOne(ReadOnlySpan<byte> message, int start, EventBuffer<T> output, ref DecodeFault fault)
        {
            var reader = new ProtobufFieldReader(message, start, _names, limits, output.Strings);
            if (BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) && reader.Ok)
            {
                output.Add(in value);
                return true;
            }

            reader.Fail(DeadLetterReason.Malformed, -1);
            fault = reader.Fault;
            return false;
        }
    }
}

/// <summary>The numbers of an event type's fields in Protobuf.</summary>
internal sealed class ProtobufNames
{
    private const int LastNumber = (1 << 29) - 1;

    private readonly int[] _numbers;
    private readonly int[] _small = new int[64];
    private readonly WholeNumberForm[] _forms;
    private readonly bool[] _enums;

    internal ProtobufNames(EventSchema schema)
    {
        Names = new FieldNames(schema);
        _forms = [.. schema.Fields.Select(f => f.Form)];
        _enums = [.. schema.Fields.Select(f => f.EnumNames.Count > 0)];
        for (int i = 0; i < schema.Fields.Count; i++)
        {
            // What equals its default is not sent. A time has none, nor has what comes from beside the body.
            Defaults |= schema.Fields[i] is { IsRequired: true, Origin: FieldOrigin.Payload, Kind: not FieldKind.Time } ? 1UL << i : 0;
        }

        _numbers = new int[schema.Fields.Count];
        Array.Fill(_small, -1);
        for (int i = 0; i < _numbers.Length; i++)
        {
            var field = schema.Fields[i];
            if (field.Origin != FieldOrigin.Payload)
            {
                continue;
            }

            // The format keeps 19,000 to 19,999 to itself.
            int number = field.Number ?? 0;
            if (number is < 1 or > LastNumber or (>= 19_000 and <= 19_999))
            {
                throw new ArgumentException($"{schema.TypeName}.{field.Member} needs a number of Protobuf: write [Field(Number = 3)].");
            }

            if (Array.IndexOf(_numbers, number, 0, i) >= 0)
            {
                throw new ArgumentException($"Two members of {schema.TypeName} have the number {number}.");
            }

            _numbers[i] = number;
            if (number < _small.Length)
            {
                _small[number] = i;
            }
        }
    }

    internal FieldNames Names { get; }

    /// <summary>A bit for each field that has its default where it isn't there.</summary>
    internal ulong Defaults { get; }

    internal WholeNumberForm FormOf(int field) => _forms[field];

    internal bool IsEnum(int field) => _enums[field];

    internal int NumberOf(int field) => _numbers[field];

    internal int Find(int number) => (uint)number < (uint)_small.Length ? _small[number] : Array.IndexOf(_numbers, number);
}
