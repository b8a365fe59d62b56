using System.Buffers.Text;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands the fields of a form over to an event type.</summary>
internal ref struct FormFieldReader(ReadOnlySpan<byte> form, FieldNames names, PayloadBuffer buffer, StringPool strings) : IPayloadReader
{
    private readonly ReadOnlySpan<byte> _form = form;
    private ReadOnlySpan<byte> _value;
    private int _at;
    private int _field = -1;

    internal DecodeFault Fault;

    public readonly bool Ok => Fault.Ok;

    private readonly string Name => names.Name(_field);

    public bool Next(out int field)
    {
        field = -1;
        while (Ok && _at < _form.Length)
        {
            var pair = _form[_at..];
            int end = pair.IndexOf((byte)'&');
            pair = end < 0 ? pair : pair[..end];
            int start = _at;
            _at += pair.Length + 1;
            int equals = pair.IndexOf((byte)'=');
            if (!pair.IsEmpty && TryDecode(equals < 0 ? pair : pair[..equals], start, out var name) && (field = names.Find(name)) >= 0
                && TryDecode(equals < 0 ? default : pair[(equals + 1)..], start, out _value))
            {
                _field = field;
                return true;
            }
        }

        return false;
    }

    public double Number()
    {
        if (Utf8Numbers.TryParse(_value, out double value))
        {
            return value;
        }

        bool isNumber = Utf8Numbers.Scan(_value, out _) == _value.Length && _value.Length > 0;
        Set(isNumber ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, isNumber ? "the value is out of range" : "the value is not a number");
        return 0;
    }

    public long Integer()
    {
        if (_value.Length == 0 || Utf8Numbers.Scan(_value, out var number) != _value.Length)
        {
            Set(DeadLetterReason.WrongType, "the value is not a whole number");
            return 0;
        }

        if (!Utf8Numbers.TryToInteger(in number, out long value, out bool isWhole))
        {
            Set(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, isWhole ? "the value is out of range" : "the value is not a whole number");
        }

        return value;
    }

    public string Text()
    {
        if (_value.Length > buffer.Limits.MaxTextBytes)
        {
            Set(DeadLetterReason.OutOfRange, "the text is longer than the limit");
            return "";
        }

        return strings.Get(_value);
    }

    public long Time()
    {
        var result = Utf8Times.ParseAny(_value, out long ticks);
        if (result != TimeResult.Ok)
        {
            Set(result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType,
                "the value is not a time: give ISO 8601 or a number since 1970");
        }

        return ticks;
    }

    public bool Boolean()
    {
        bool isTrue = _value.SequenceEqual("1"u8) || Ascii.EqualsIgnoreCase(_value, "true"u8);
        if (!isTrue && !_value.SequenceEqual("0"u8) && !Ascii.EqualsIgnoreCase(_value, "false"u8))
        {
            Set(DeadLetterReason.WrongType, "the value is neither true nor false");
        }

        return isTrue;
    }

    public readonly bool IsNull() => _value.IsEmpty;

    public void Fail(DeadLetterReason reason, int field) => Fault.SetField(reason, field, -1, names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => Fault.Set(reason, what, -1, name);

    private void Set(DeadLetterReason reason, string what) => Fault.Set(reason, what, -1, Name);

    /// <summary>Takes percent signs and plus signs for what they stand for; what has neither stays where it is.</summary>
    private bool TryDecode(ReadOnlySpan<byte> encoded, int position, out ReadOnlySpan<byte> plain)
    {
        plain = encoded;
        if (encoded.IndexOfAny((byte)'%', (byte)'+') >= 0)
        {
            var text = buffer.Text(encoded.Length);
            int length = 0;
            for (int i = 0; i < encoded.Length; i++)
            {
                byte c = encoded[i] == '+' ? (byte)' ' : encoded[i];
                if (c == '%')
                {
                    if (i + 2 >= encoded.Length || !Utf8Parser.TryParse(encoded.Slice(i + 1, 2), out c, out int used, 'x') || used != 2)
                    {
                        Fault.Set(DeadLetterReason.Malformed, "a percent sign is not followed by two hexadecimal digits", position);
                        return false;
                    }

                    i += 2;
                }

                text[length++] = c;
            }

            plain = text[..length];
        }

        if (!System.Text.Unicode.Utf8.IsValid(plain))
        {
            Fault.Set(DeadLetterReason.Malformed, "the text is not UTF-8", position);
            return false;
        }

        return true;
    }
}
