using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands a message's fields over to an event type by their numbers, and at its end those that aren't there with their defaults.</summary>
internal ref struct ProtobufFieldReader(ReadOnlySpan<byte> message, int start, ProtobufNames names, PayloadLimits limits, StringPool strings) : IPayloadReader
{
    private ProtobufScanner _wire = new(message, start);
    private WireType _type;
    private ulong _missing;
    private int _field = -1;
    private bool _isPending;
    private bool _isDefault;
    private ulong _seen;

    public readonly bool Ok => _wire.Fault.Ok;

    internal readonly DecodeFault Fault => _wire.Fault;

    private readonly EventSchema Schema => names.Names.Schema;

    private readonly string Name => names.Names.Name(_field);

    public bool Next(out int field)
    {
        field = -1;
        if (_isDefault)
        {
            return NextDefault(out field);
        }

        if (!Ok || (_isPending && !_wire.TrySkip(_type)))
        {
            return false;
        }

        _isPending = false;
        while (!_wire.IsEnd)
        {
            if (!_wire.TryTag(out int number, out _type))
            {
                return false;
            }

            field = names.Find(number);
            if (field >= 0)
            {
                _field = field;
                _seen |= 1UL << field;
                _isPending = true;
                return true;
            }

            if (!_wire.TrySkip(_type))
            {
                return false;
            }
        }

        _isDefault = true;
        _missing = names.Defaults & ~_seen;
        return _missing != 0 && NextDefault(out field);
    }

    public double Number()
    {
        _isPending = false;
        if (_isDefault)
        {
            return 0;
        }

        double value = 0;
        switch (_type)
        {
            case WireType.Fixed64 when names.FormOf(_field) != WholeNumberForm.Fixed:
                value = _wire.TryFixed64(out ulong bits) ? BitConverter.UInt64BitsToDouble(bits) : 0;
                break;
            case WireType.Fixed32 when names.FormOf(_field) != WholeNumberForm.Fixed:
                value = _wire.TryFixed32(out uint single) ? BitConverter.UInt32BitsToSingle(single) : 0;
                break;
            case WireType.Varint or WireType.Fixed64 or WireType.Fixed32:
                value = Whole();
                break;
            default:
                Wrong("the value is not a number");
                break;
        }

        if (!double.IsFinite(value))
        {
            OutOfRange();
            return 0;
        }

        return value;
    }

    public long Integer()
    {
        _isPending = false;
        if (_isDefault)
        {
            return 0;
        }

        if (_type is WireType.Varint or WireType.Fixed64 or WireType.Fixed32)
        {
            return Whole();
        }

        Wrong("the value is not a whole number");
        return 0;
    }

    public string Text()
    {
        _isPending = false;
        bool isEnum = names.IsEnum(_field);
        if (isEnum && (_isDefault || _type == WireType.Varint))
        {
            // A value of 32 bits that is negative stands as one of 64 bits.
            long value = _isDefault ? 0 : Whole();
            if (Ok && names.Names.EnumName(_field, value) is { } name)
            {
                return name;
            }

            OutOfRange();
            return "";
        }

        if (_isDefault)
        {
            return "";
        }

        if (_type != WireType.Bytes)
        {
            Wrong("the value is not text");
            return "";
        }

        if (!_wire.TryBytes(out var text))
        {
            return "";
        }

        if (text.Length > limits.MaxTextBytes)
        {
            _wire.Fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", _wire.Position, Name);
            return "";
        }

        if (!Utf8.IsValid(text))
        {
            _wire.Fault.Set(DeadLetterReason.Malformed, "a text is not UTF-8", _wire.Position, Name);
            return "";
        }

        return strings.Get(text);
    }

    public long Time()
    {
        _isPending = false;
        long ticks = 0;
        TimeResult result;
        switch (_type)
        {
            case WireType.Bytes when !_isDefault:
                if (!_wire.TryBytes(out var message))
                {
                    return 0;
                }

                result = ReadTimestamp(message, out ticks);
                break;
            case WireType.Varint or WireType.Fixed64 or WireType.Fixed32 when !_isDefault:
                result = BinaryTimes.FromNumber(Number(), out ticks);
                break;
            default:
                result = TimeResult.NotATime;
                break;
        }

        if (result != TimeResult.Ok)
        {
            if (result == TimeResult.OutOfRange)
            {
                OutOfRange();
            }
            else
            {
                Wrong("the value is not a time: give a google.protobuf.Timestamp or a number since 1970");
            }
        }

        return result == TimeResult.Ok ? ticks : 0;
    }

    public bool Boolean()
    {
        _isPending = false;
        if (_isDefault)
        {
            return false;
        }

        if (_type != WireType.Varint)
        {
            Wrong("the value is neither true nor false");
            return false;
        }

        return _wire.TryVarint(out ulong value) && value != 0;
    }

    public readonly bool IsNull() => false;

    public void Fail(DeadLetterReason reason, int field) => _wire.Fault.SetField(reason, field, _wire.Position, Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _wire.Fault.Set(reason, what, -1, name);

    private bool NextDefault(out int field)
    {
        field = -1;
        if (_missing == 0)
        {
            return false;
        }

        _field = field = System.Numerics.BitOperations.TrailingZeroCount(_missing);
        _missing &= _missing - 1;
        return true;
    }

    private long Whole()
    {
        var form = names.FormOf(_field);
        switch (_type)
        {
            case WireType.Varint:
                if (!_wire.TryVarint(out ulong value))
                {
                    return 0;
                }

                return form == WholeNumberForm.ZigZag ? (long)(value >> 1) ^ -(long)(value & 1) : (long)value;
            case WireType.Fixed64:
                return _wire.TryFixed64(out ulong wide) ? (long)wide : 0;
            default:
                return _wire.TryFixed32(out uint narrow) ? (int)narrow : 0;
        }
    }

    private TimeResult ReadTimestamp(ReadOnlySpan<byte> message, out long ticks)
    {
        const long MaxNanoseconds = 999_999_999;
        ticks = 0;
        long seconds = 0, nanoseconds = 0;
        var wire = new ProtobufScanner(message, _wire.Position - message.Length);
        while (!wire.IsEnd && wire.TryTag(out int number, out var type))
        {
            if (number > 2 || type != WireType.Varint)
            {
                wire.TrySkip(type);
            }
            else if (wire.TryVarint(out ulong value))
            {
                (seconds, nanoseconds) = number == 1 ? ((long)value, nanoseconds) : (seconds, (long)value);
            }
        }

        if (!wire.Fault.Ok)
        {
            _wire.Fault = wire.Fault;
            return TimeResult.Ok;
        }

        var result = BinaryTimes.FromUnits(seconds, 1_000_000_000, out ticks);
        ticks += nanoseconds / 100;
        return result != TimeResult.Ok || nanoseconds is < 0 or > MaxNanoseconds || ticks > Ticks.Max ? TimeResult.OutOfRange : TimeResult.Ok;
    }

    private void Wrong(string what) => _wire.Fault.Set(DeadLetterReason.WrongType, what, _wire.Position, Name);

    private void OutOfRange() => _wire.Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", _wire.Position, Name);
}
