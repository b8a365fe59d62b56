using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands the members of JSON objects over to an event type, one object after the other.</summary>
internal ref struct JsonFieldReader(ReadOnlySpan<byte> bytes, FieldNames names, PayloadBuffer buffer, StringPool strings)
    : IPayloadReader
{
    private JsonScanner _json = new(bytes, buffer.MaxDepth);
    private int _expected;
    private int _field = -1;
    private bool _isFirst;
    private bool _isPending;
    private bool _isOpen;

    public readonly bool Ok => _json.Fault.Ok;

    internal readonly DecodeFault Fault => _json.Fault;

    /// <summary>Whether the payload is an array of objects; its bracket is taken then.</summary>
    internal bool TryBeginArray()
    {
        if (_json.Peek() != '[')
        {
            return false;
        }

        _json.Take();
        _json.Depth++;
        return true;
    }

    internal bool MoveNextElement(ref bool isFirst) => _json.MoveNext((byte)']', ref isFirst);

    internal void BeginObject()
    {
        if (_json.Peek() != '{')
        {
            NoObject();
            return;
        }

        if (_json.Depth >= _json.MaxDepth)
        {
            _json.Fault.Set(DeadLetterReason.TooDeep, "it is nested too deep", _json.Position);
        }

        _json.Take();
        _isFirst = true;
        _isOpen = true;
        _isPending = false;
        _expected = 0;
        _json.Depth++;
    }

    /// <summary>Takes what the event type left unread.</summary>
    internal void EndObject()
    {
        while (_isOpen && Next(out _))
        {
        }

        _json.Depth--;
    }

    /// <summary>Ends a line of NDJSON; whether another one follows.</summary>
    internal bool MoveNextLine() => _json.MoveNextLine();

    internal void End() => _json.TryEnd();

    internal void TooMany() => _json.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", _json.Position);

    public bool Next(out int field)
    {
        field = -1;
        if (!_json.Fault.Ok || (_isPending && !_json.TrySkipValue()))
        {
            return false;
        }

        _isPending = false;
        while (_json.MoveNext((byte)'}', ref _isFirst))
        {
            if (_json.Peek() == '"' && _json.TryTake(names.Quoted(_expected)))
            {
                field = _expected;
                if (!_json.TryTake((byte)':', "a colon is missing"))
                {
                    return false;
                }
            }
            else if (!TryFind(out field))
            {
                return false;
            }

            if (field >= 0)
            {
                _expected = field + 1 < names.Count ? field + 1 : 0;
                _field = field;
                _isPending = true;
                return true;
            }

            if (!_json.TrySkipValue())
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
        return JsonValues.Number(ref _json, Name);
    }

    public long Integer()
    {
        _isPending = false;
        return JsonValues.Integer(ref _json, Name);
    }

    public string Text()
    {
        _isPending = false;
        return JsonValues.Text(ref _json, buffer, strings, Name);
    }

    public long Time()
    {
        _isPending = false;
        return JsonValues.Time(ref _json, buffer, Name);
    }

    public bool Boolean()
    {
        _isPending = false;
        return JsonValues.Boolean(ref _json, Name);
    }

    public bool IsNull()
    {
        if (!_isPending || _json.Peek() != 'n')
        {
            return false;
        }

        _isPending = false;
        return _json.TryLiteral("null"u8);
    }

    public void Fail(DeadLetterReason reason, int field) => _json.Fault.SetField(reason, field, _json.Position, names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _json.Fault.Set(reason, what, -1, name);

    private readonly string Name => names.Name(_field);

    private bool TryFind(out int field)
    {
        field = -1;
        if (!_json.TryName(out var name) || !JsonValues.TryUnescape(ref _json, name, buffer, null, out var utf8))
        {
            return false;
        }

        field = names.Find(utf8);
        return true;
    }

    private void NoObject()
    {
        if (_json.Peek() < 0)
        {
            _json.Malformed("the payload is cut off");
        }
        else if (_json.TrySkipValue())
        {
            _json.Fault.Set(DeadLetterReason.WrongType, "an object is expected", _json.Position);
        }
    }
}
