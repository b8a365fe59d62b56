using System.Buffers;
using System.Text;
using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Decoders and encoders of payloads that are one value and no more: <c>21.5</c>, <c>true</c>, <c>open</c>. The sensor comes from the topic
/// (<c>plant/{sensor}</c>), the time from its arrival (<see cref="ReceivedTimeAttribute"/>).
/// </summary>
/// <remarks>
/// Numbers may have white space around them, a plus sign and leading zeros; NaN and infinities are refused. Times are as in JSON. Booleans are <c>true</c> and <c>false</c>, <c>on</c>
/// and <c>off</c>, <c>1</c> and <c>0</c>, in any case. An empty payload is null.
/// </remarks>
public static class PlainValue
{
    /// <summary>Decodes one value into one member of an event type.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="field">The member's name in a payload; null takes the only one that is neither the key nor a time nor from beside the body.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    /// <exception cref="ArgumentException">There is no such member, or more than one.</exception>
    public static Decoder<T> Decode<T>(string? field = null, PayloadLimits? limits = null)
        where T : IEvent<T> => new ValueDecoder<T>(FieldOf(T.Schema, field), PayloadLimits.Check(limits));

    /// <summary>Writes one member of an event, and nothing else of it.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="field">The member's name in a payload; null takes the only one that is neither the key nor a time nor from beside the body.</param>
    /// <exception cref="ArgumentException">There is no such member, or more than one.</exception>
    public static Encoder<T> Encode<T>(string? field = null)
        where T : IEvent<T> => new ValueEncoder<T>(FieldOf(T.Schema, field));

    private static int FieldOf(EventSchema schema, string? field)
    {
        int[] found = [.. Enumerable.Range(0, schema.Fields.Count).Where(i => field is null
            ? schema.Fields[i] is { IsKey: false, IsTime: false, Origin: FieldOrigin.Payload }
            : schema.Fields[i].Name == field)];
        return found.Length == 1 ? found[0] : throw new ArgumentException(
            field is null ? $"{schema.TypeName} has {found.Length} members that could be the value: name one." : $"{schema.TypeName} has no field '{field}'.", nameof(field));
    }

    private sealed class ValueDecoder<T>(int field, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            var reader = new Reader(bytes, field, T.Schema, limits, output.Strings);
            if (BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) && reader.Ok)
            {
                output.Add(in value);
                return;
            }

            reader.Fail(DeadLetterReason.Malformed, -1);
            reader.Fault.Reject(output);
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> bytes, int field, EventSchema schema, PayloadLimits limits, StringPool strings) : IPayloadReader
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private DecodeFault _fault;
        private bool _isTaken;

        public readonly bool Ok => _fault.Ok;

        internal readonly DecodeFault Fault => _fault;

        private readonly ReadOnlySpan<byte> Trimmed => _bytes.Trim(" \t\r\n"u8);

        public bool Next(out int next)
        {
            next = _isTaken || !Ok ? -1 : field;
            _isTaken = true;
            return next >= 0;
        }

        public double Number()
        {
            var text = Trimmed;
            if (!Utf8Numbers.TryParse(text, out double value))
            {
                bool isNumber = text.Length > 0 && Utf8Numbers.Scan(text, out _) == text.Length;
                Wrong(isNumber ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is not a number");
            }

            return value;
        }

        public long Integer()
        {
            var text = Trimmed;
            if (text.Length == 0 || Utf8Numbers.Scan(text, out var number) != text.Length)
            {
                Wrong(DeadLetterReason.WrongType, "the value is not a whole number");
                return 0;
            }

            if (!Utf8Numbers.TryToInteger(in number, out long value, out bool isWhole))
            {
                Wrong(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is not a whole number");
            }

            return value;
        }

        public string Text()
        {
            if (_bytes.Length > limits.MaxTextBytes)
            {
                Wrong(DeadLetterReason.OutOfRange, "");
            }
            else if (!Utf8.IsValid(_bytes))
            {
                _fault.Set(DeadLetterReason.Malformed, "the text is not UTF-8", -1, schema.Fields[field].Name);
            }

            return Ok ? strings.Get(_bytes) : "";
        }

        public long Time()
        {
            var result = Utf8Times.ParseAny(Trimmed, out long ticks);
            if (result != TimeResult.Ok)
            {
                Wrong(result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is not a time: give ISO 8601 or a number since 1970");
            }

            return result == TimeResult.Ok ? ticks : 0;
        }

        public bool Boolean()
        {
            var text = Trimmed;
            bool isTrue = text.SequenceEqual("1"u8) || Ascii.EqualsIgnoreCase(text, "true"u8) || Ascii.EqualsIgnoreCase(text, "on"u8);
            if (!isTrue && !text.SequenceEqual("0"u8) && !Ascii.EqualsIgnoreCase(text, "false"u8) && !Ascii.EqualsIgnoreCase(text, "off"u8))
            {
                Wrong(DeadLetterReason.WrongType, "the value is neither true nor false");
            }

            return isTrue;
        }

        public readonly bool IsNull() => _bytes.IsEmpty && schema.Fields[field].Kind != FieldKind.Text;

        public void Fail(DeadLetterReason reason, int index) => _fault.SetField(reason, index, -1, schema);

        public void Fail(DeadLetterReason reason, string what, string name) => _fault.Set(reason, what, -1, name);

        private void Wrong(DeadLetterReason reason, string what) =>
            _fault.Set(reason, reason == DeadLetterReason.OutOfRange ? "the value is out of range" : what, 0, schema.Fields[field].Name);
    }

    private sealed class ValueEncoder<T>(int field) : Encoder<T>
        where T : IEvent<T>
    {
        private readonly EncodedFields _fields = new(T.Schema);

        public override string ContentType => "text/plain";

        public override void Encode(in T value, IBufferWriter<byte> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            var writer = new Writer(output, field, _fields);
            T.WriteTo(ref writer, in value);
        }
    }

    private readonly struct Writer(IBufferWriter<byte> output, int only, EncodedFields fields) : IFieldWriter
    {
        public void Number(int field, double value)
        {
            if (field == only)
            {
                Utf8Output.Number(output, fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (field == only)
            {
                Utf8Output.Integer(output, value);
            }
        }

        public void Text(int field, string value)
        {
            if (field == only)
            {
                Encoding.UTF8.GetBytes(value, output);
            }
        }

        public void Time(int field, long ticks)
        {
            if (field == only)
            {
                Utf8Output.Time(output, ticks);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (field == only)
            {
                output.Write(value ? "true"u8 : "false"u8);
            }
        }

        public void Null(int field)
        {
        }
    }
}
