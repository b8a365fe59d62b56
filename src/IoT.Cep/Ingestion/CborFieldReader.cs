using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands the pairs of CBOR maps over to an event type, one map after the other.</summary>
internal ref struct CborFieldReader(ReadOnlySpan<byte> bytes, CborNames names, PayloadBuffer buffer, StringPool strings) : IPayloadReader
{
    private const string NotATime = "the value is not a time: give ISO 8601 or a number since 1970";
    private const long Indefinite = -1;

    private CborScanner _cbor = new(bytes, buffer.MaxDepth);
    private long _rest;
    private int _expected;
    private int _field = -1;
    private bool _isPending;
    private bool _isOpen;

    public readonly bool Ok => _cbor.Fault.Ok;

    internal readonly DecodeFault Fault => _cbor.Fault;

    internal readonly bool IsEnd => _cbor.IsEnd;

    /// <summary>Whether an array of maps begins here; its head is taken then.</summary>
    internal bool TryBeginArray(out long rest)
    {
        rest = 0;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return false;
        }

        if (head.Major != CborMajor.Array)
        {
            _cbor.Position = start;
            return false;
        }

        rest = RestOf(in head);
        _cbor.Depth++;
        return true;
    }

    internal bool MoveNextElement(ref long rest)
    {
        if (!Ok || TryTakeEnd(ref rest))
        {
            _cbor.Depth -= Ok ? 1 : 0;
            return false;
        }

        return true;
    }

    internal void BeginMap()
    {
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return;
        }

        if (head.Major != CborMajor.Map)
        {
            _cbor.Position = start;
            if (_cbor.TrySkip())
            {
                _cbor.Fault.Set(DeadLetterReason.WrongType, "a map is expected", start);
            }

            return;
        }

        if (_cbor.Depth >= _cbor.MaxDepth)
        {
            _cbor.Fault.Set(DeadLetterReason.TooDeep, "it is nested too deep", start);
        }

        _cbor.Depth++;
        _rest = RestOf(in head);
        _isPending = false;
        _isOpen = true;
        _expected = 0;
    }

    /// <summary>Takes what the event type left unread.</summary>
    internal void EndMap()
    {
        while (_isOpen && Next(out _))
        {
        }

        _cbor.Depth--;
    }

    internal void TooMany() => _cbor.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", _cbor.Position);

    public bool Next(out int field)
    {
        field = -1;
        if (!Ok || (_isPending && !_cbor.TrySkip()))
        {
            return false;
        }

        _isPending = false;
        while (!TryTakeEnd(ref _rest))
        {
            if (_cbor.TryTake(names.Key(_expected)))
            {
                field = _expected;
            }
            else if (!TryFind(out field))
            {
                return false;
            }

            if (field >= 0)
            {
                _expected = field + 1 < names.Names.Count ? field + 1 : 0;
                _field = field;
                _isPending = true;
                return true;
            }

            if (!_cbor.TrySkip())
            {
                return false;
            }
        }

        _isOpen = false;
        return false;
    }

    public double Number()
    {
        _isPending = false;
        _cbor.TryNumber(out double value, Name);
        return value;
    }

    public long Integer()
    {
        _isPending = false;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return 0;
        }

        if (head.Major <= CborMajor.Negative)
        {
            if (head.Argument > long.MaxValue)
            {
                _cbor.Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", start, Name);
                return 0;
            }

            return head.Major == CborMajor.Unsigned ? (long)head.Argument : -1 - (long)head.Argument;
        }

        // Whole numbers are exact in a double up to 2^53.
        double real = head is { Major: CborMajor.Simple, Info: >= 25 and <= 27 } ? CborScanner.Real(in head) : double.NaN;
        if (Math.Abs(real) <= 1L << 53 && real == Math.Truncate(real))
        {
            return (long)real;
        }

        _cbor.Fault.Set(DeadLetterReason.WrongType, "the value is not a whole number", start, Name);
        return 0;
    }

    public string Text()
    {
        _isPending = false;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return "";
        }

        if (head.Major <= CborMajor.Negative && head.Argument <= long.MaxValue)
        {
            long value = head.Major == CborMajor.Unsigned ? (long)head.Argument : -1 - (long)head.Argument;
            if (names.Names.EnumName(_field, value) is { } name)
            {
                return name;
            }
        }

        if (head.Major != CborMajor.Text)
        {
            _cbor.Fault.Set(DeadLetterReason.WrongType, "the value is not text", start, Name);
            return "";
        }

        if (!_cbor.TryString(in head, buffer, out var text))
        {
            return "";
        }

        if (text.Length > buffer.Limits.MaxTextBytes)
        {
            _cbor.Fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", start, Name);
            return "";
        }

        return strings.Get(text);
    }

    public long Time()
    {
        _isPending = false;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out ulong tag))
        {
            return 0;
        }

        long ticks = 0;
        TimeResult result;
        if (head.Major == CborMajor.Text)
        {
            if (!_cbor.TryString(in head, buffer, out var text))
            {
                return 0;
            }

            result = Utf8Times.Parse(text, out ticks);
        }
        else if (head.Major <= CborMajor.Negative)
        {
            // Tag 1 is seconds, however many.
            double number = head.Major == CborMajor.Unsigned ? head.Argument : -1.0 - head.Argument;
            result = tag == 1 ? BinaryTimes.FromSeconds(number, out ticks) : BinaryTimes.FromNumber(number, out ticks);
        }
        else if (head is { Major: CborMajor.Simple, Info: >= 25 and <= 27 })
        {
            result = tag == 1 ? BinaryTimes.FromSeconds(CborScanner.Real(in head), out ticks) : BinaryTimes.FromNumber(CborScanner.Real(in head), out ticks);
        }
        else
        {
            result = TimeResult.NotATime;
        }

        if (result == TimeResult.Ok)
        {
            return ticks;
        }

        bool isOut = result == TimeResult.OutOfRange;
        _cbor.Fault.Set(isOut ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, isOut ? "the time is out of range" : NotATime, start, Name);
        return 0;
    }

    public bool Boolean()
    {
        _isPending = false;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return false;
        }

        if (head is not { Major: CborMajor.Simple, Info: 20 or 21 })
        {
            _cbor.Fault.Set(DeadLetterReason.WrongType, "the value is neither true nor false", start, Name);
        }

        return head is { Major: CborMajor.Simple, Info: 21 };
    }

    public bool IsNull()
    {
        // Null and undefined.
        if (!_isPending || _cbor.Peek() is not (0xF6 or 0xF7))
        {
            return false;
        }

        _isPending = false;
        _cbor.Position++;
        return true;
    }

    public void Fail(DeadLetterReason reason, int field) => _cbor.Fault.SetField(reason, field, _cbor.Position, names.Names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _cbor.Fault.Set(reason, what, -1, name);

    private readonly string Name => names.Names.Name(_field);

    private static long RestOf(in CborHead head) => head.IsIndefinite ? Indefinite : (long)Math.Min(head.Argument, int.MaxValue);

    /// <summary>Whether no further pair or element follows; otherwise one is counted off.</summary>
    private bool TryTakeEnd(ref long rest)
    {
        if (rest == Indefinite)
        {
            if (_cbor.Peek() != 0xFF)
            {
                return false;
            }

            _cbor.Position++;
            return true;
        }

        return --rest < 0;
    }

    private bool TryFind(out int field)
    {
        field = -1;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return false;
        }

        switch (head.Major)
        {
            case CborMajor.Text:
                if (!_cbor.TryString(in head, buffer, out var name))
                {
                    return false;
                }

                field = names.Names.Find(name);
                return true;
            case CborMajor.Unsigned or CborMajor.Negative:
                field = head.Argument > int.MaxValue ? -1 : names.Find(head.Major == CborMajor.Unsigned ? (int)head.Argument : -1 - (int)head.Argument);
                return true;
            default:
                _cbor.Position = start;
                return _cbor.TrySkip();
        }
    }
}
