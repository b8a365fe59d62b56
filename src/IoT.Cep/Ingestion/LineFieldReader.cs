using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands a line of InfluxDB's line protocol over to an event type: the measurement, the tags, the fields, the timestamp.</summary>
internal ref partial struct LineFieldReader : IPayloadReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly long _nanoseconds;
    private readonly LineNames _line;
    private readonly FieldNames _names;
    private readonly PayloadBuffer _buffer;
    private readonly StringPool _strings;
    private DecodeFault _fault;
    private Step _step = Step.Done;
    private Kind _kind;
    private bool _isPending;
    private bool _isEscaped;
    private int _at;
    private int _before;
    private int _field = -1;

    // The current value as it stands in the payload, without a string's quotes.
    private int _start;
    private int _length;

    // The line's timestamp.
    private DecimalNumber _stamp;

    internal LineFieldReader(ReadOnlySpan<byte> bytes, long nanoseconds, LineNames names, PayloadBuffer buffer, StringPool strings)
    {
        _bytes = bytes;
        _nanoseconds = nanoseconds;
        _line = names;
        _names = names.Names;
        _buffer = buffer;
        _strings = strings;
        if (!Utf8.IsValid(bytes))
        {
            _fault.Set(DeadLetterReason.Malformed, "the payload is not UTF-8", -1);
        }
    }

    private enum Step : byte
    {
        Measurement,
        Tags,
        Fields,
        Time,
        Done,
    }

    private enum Kind : byte
    {
        Measurement,
        Tag,
        String,
        Bare,
        Time,
    }

    public readonly bool Ok => _fault.Ok;

    internal readonly DecodeFault Fault => _fault;

    private readonly string Name => _names.Name(_field);

    private readonly ReadOnlySpan<byte> Raw => _bytes.Slice(_start, _length);

    /// <summary>Moves to the next line that has an event.</summary>
    internal bool TryBeginLine()
    {
        while (Ok && _at < _bytes.Length)
        {
            if (_bytes[_at] is (byte)'\n' or (byte)'\r' or (byte)' ' or (byte)'\t')
            {
                _at++;
            }
            else if (_bytes[_at] == '#')
            {
                int end = _bytes[_at..].IndexOf((byte)'\n');
                _at = end < 0 ? _bytes.Length : _at + end;
            }
            else
            {
                _step = Step.Measurement;
                _before = -1;
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes what the event type left unread.</summary>
    internal void EndLine()
    {
        while (_step != Step.Done && Next(out _))
        {
        }
    }

    internal void TooMany() => _fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", _at);

    public bool Next(out int field)
    {
        field = -1;
        if (_isPending)
        {
            TakePending();
        }

        while (Ok && _step != Step.Done)
        {
            field = _step switch
            {
                Step.Measurement => TakeMeasurement(),
                Step.Tags => TakePair(isTag: true),
                Step.Fields => TakePair(isTag: false),
                _ => TakeTime(),
            };
            if (!Ok)
            {
                break;
            }

            if (field >= 0)
            {
                _field = field;
                return true;
            }
        }

        field = -1;
        return false;
    }

    public double Number()
    {
        if (_isPending && TryTakeNumber(out var number))
        {
            if (!Utf8Numbers.TryToDouble(Raw, in number, out double read))
            {
                Wrong(true, "the value is not a number");
            }

            return read;
        }

        TakePending();
        var text = _kind == Kind.String ? default : Unescaped();
        if (_kind == Kind.Bare && text is [.., (byte)'i' or (byte)'u'])
        {
            text = text[..^1];
        }

        if (!Utf8Numbers.TryParse(text, out double value))
        {
            bool isNumber = text.Length > 0 && Utf8Numbers.Scan(text, out _) == text.Length;
            Wrong(isNumber, "the value is not a number");
        }

        return value;
    }

    public long Integer()
    {
        TakePending();
        var text = _kind == Kind.String ? default : Unescaped();
        if (_kind == Kind.Bare && text is [.., (byte)'i' or (byte)'u'])
        {
            text = text[..^1];
        }

        if (text.Length == 0 || Utf8Numbers.Scan(text, out var number) != text.Length)
        {
            Wrong(false, "the value is not a whole number");
            return 0;
        }

        if (!Utf8Numbers.TryToInteger(in number, out long value, out bool isWhole))
        {
            Wrong(isWhole, "the value is not a whole number");
        }

        return value;
    }

    public string Text()
    {
        TakePending();
        if (_kind is Kind.Bare or Kind.Time)
        {
            if (_kind == Kind.Bare && Raw is [.., (byte)'i'] && System.Buffers.Text.Utf8Parser.TryParse(Raw, out long value, out int used) && used == _length - 1
                && _names.EnumName(_field, value) is { } name)
            {
                return name;
            }

            Wrong(false, "the value is not text");
            return "";
        }

        var text = Unescaped();
        if (text.Length > _buffer.Limits.MaxTextBytes)
        {
            _fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", _start, Name);
            return "";
        }

        return _strings.Get(text);
    }

    public long Time()
    {
        TakePending();
        long ticks = 0;
        TimeResult result;
        if (_kind == Kind.Time)
        {
            long units = 0;
            bool isWhole = Utf8Numbers.TryToInteger(in _stamp, out units, out _);
            result = isWhole ? BinaryTimes.FromUnits(units, _nanoseconds, out ticks) : TimeResult.NotATime;
        }
        else
        {
            var text = Unescaped();
            result = Utf8Times.ParseAny(_kind == Kind.Bare && text is [.., (byte)'i' or (byte)'u'] ? text[..^1] : text, out ticks);
        }

        if (result != TimeResult.Ok)
        {
            Wrong(result == TimeResult.OutOfRange, "the value is not a time");
        }

        return result == TimeResult.Ok ? ticks : 0;
    }

    public bool Boolean()
    {
        TakePending();
        var text = _kind == Kind.String ? default : Unescaped();
        bool isTrue = text is [(byte)'t' or (byte)'T'] || text.SequenceEqual("true"u8) || text.SequenceEqual("True"u8) || text.SequenceEqual("TRUE"u8);
        bool isFalse = text is [(byte)'f' or (byte)'F'] || text.SequenceEqual("false"u8) || text.SequenceEqual("False"u8) || text.SequenceEqual("FALSE"u8);
        if (!isTrue && !isFalse)
        {
            Wrong(false, "the value is neither true nor false");
        }

        return isTrue;
    }

    public readonly bool IsNull() => false;

    public void Fail(DeadLetterReason reason, int field) => _fault.SetField(reason, field, _at, _names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _fault.Set(reason, what, -1, name);

    private readonly ReadOnlySpan<byte> Unescaped()
    {
        var raw = Raw;
        if (!_isEscaped)
        {
            return raw;
        }

        var room = _buffer.Text(raw.Length);
        int length = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            bool isEscape = raw[i] == '\\' && i + 1 < raw.Length && (_kind == Kind.String
                ? raw[i + 1] is (byte)'"' or (byte)'\\'
                : raw[i + 1] is (byte)',' or (byte)' ' || (raw[i + 1] == '=' && _kind == Kind.Tag));
            room[length++] = raw[isEscape ? ++i : i];
        }

        return room[..length];
    }

    private void Malformed(string what) => _fault.Set(DeadLetterReason.Malformed, what, _at);

    private void Wrong(bool isOutOfRange, string what) => _fault.Set(
        isOutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, isOutOfRange ? "the value is out of range" : what, _start, Name);
}
