using System.Buffers;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>SenML in JSON (RFC 8428, section 5), and as it was written before the RFC.</summary>
internal ref struct SenMlJson(ReadOnlySpan<byte> bytes, PayloadBuffer buffer, SenMlMode mode) : ISenMlWire
{
    private static readonly SearchValues<byte> _base64Bytes = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="u8);

    private JsonScanner _json = new(bytes, buffer.MaxDepth);
    private bool _isWrapped;

    public readonly bool Ok => _json.Fault.Ok;

    public readonly DecodeFault Fault => _json.Fault;

    public readonly int Position => _json.Position;

    public void Fail(DeadLetterReason reason, string what, int position, string? name) => _json.Fault.Set(reason, what, position, name);

    public bool TryBegin(SenMlLevel level, out long state)
    {
        // Whether nothing came yet, as the scanner wants to know.
        state = 1;
        if (_json.Peek() == (level == SenMlLevel.Pack ? '[' : '{'))
        {
            _json.Take();
            _isWrapped |= level == SenMlLevel.Wrapper;
            _json.Depth = level == SenMlLevel.Record ? (_isWrapped ? 3 : 2) : _json.Depth;
            return true;
        }

        int start = _json.Position;
        if (level != SenMlLevel.Wrapper && _json.TrySkipValue())
        {
            Fail(DeadLetterReason.WrongType, level == SenMlLevel.Pack ? "a SenML pack is an array" : "a SenML record is an object", start, _isWrapped ? "e" : null);
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MoveNext(SenMlLevel level, scoped ref long state)
    {
        bool isFirst = state != 0;
        bool moves = _json.MoveNext(level == SenMlLevel.Pack ? (byte)']' : (byte)'}', ref isFirst);
        state = isFirst ? 1 : 0;
        _json.Depth = level == SenMlLevel.Wrapper ? 1 : _json.Depth;
        return moves;
    }

    public bool TryEnd() => _json.TryEnd();

    public SenMlLabel ReadLabel()
    {
        var label = _json.Peek() == '"' ? SenMlLabels.TakeShort(ref _json) : SenMlLabel.Unknown;
        return label == SenMlLabel.Unknown ? ReadLongLabel() : label;
    }

    public bool TrySkipValue() => _json.TrySkipValue();

    public bool TryText(out JsonText text, string label)
    {
        if (_json.Peek() == '"')
        {
            return _json.TryString(out text);
        }

        text = default;
        if (_json.TrySkipValue())
        {
            Fail(DeadLetterReason.WrongType, "the value is not text", _json.Position, label);
        }

        return false;
    }

    public bool TryData(out JsonText text, string label)
    {
        if (TryText(out text, label) && _json.Slice(text).ContainsAnyExcept(_base64Bytes))
        {
            Fail(DeadLetterReason.Malformed, "the value is not base64", text.Start, label);
        }

        return Ok;
    }

    public bool TryNumber(out double value, out JsonText text, string label)
    {
        bool isQuoted = _json.Peek() == '"';
        int start = _json.Position;
        if (isQuoted && mode == SenMlMode.Lenient)
        {
            value = 0;
            if (_json.TryString(out text) && !Utf8Numbers.TryParse(_json.Slice(text), out value))
            {
                Fail(DeadLetterReason.WrongType, "the text is not a number", start, label);
            }

            return Ok;
        }

        value = JsonValues.Number(ref _json, label);
        text = new JsonText(start, _json.Position - start, false);
        return Ok;
    }

    public bool TryTicks(out long ticks, string label)
    {
        ticks = 0;
        DecimalNumber number;
        ReadOnlySpan<byte> text;
        if (JsonValues.IsNumber(_json.Peek()))
        {
            if (!_json.TryNumber(out number, out text))
            {
                return false;
            }
        }
        else
        {
            if (!TryNumber(out _, out var place, label))
            {
                return false;
            }

            text = _json.Slice(place);
            if (Utf8Numbers.Scan(text, out number) != text.Length)
            {
                Fail(DeadLetterReason.WrongType, "the text is not a number", place.Start, label);
                return false;
            }
        }

        if (Utf8Times.FromNumber(text, in number, _isWrapped ? 4 : 7, out ticks) != TimeResult.Ok)
        {
            Fail(DeadLetterReason.OutOfRange, "the time is out of range", _json.Position, label);
        }

        return Ok;
    }

    public bool Boolean(string label) => JsonValues.Boolean(ref _json, label);

    public bool TryBytes(JsonText text, string? name, out ReadOnlySpan<byte> utf8) => JsonValues.TryBytes(ref _json, text, buffer, name, out utf8);

    public readonly bool TryInteger(JsonText text, out long value, out bool isWhole)
    {
        value = 0;
        isWhole = false;
        var digits = _json.Slice(text);
        return Utf8Numbers.Scan(digits, out var number) == digits.Length && Utf8Numbers.TryToInteger(in number, out value, out isWhole);
    }

    private SenMlLabel ReadLongLabel()
    {
        if (!_json.TryName(out var name) || !JsonValues.TryUnescape(ref _json, name, buffer, null, out var text))
        {
            return SenMlLabel.Unknown;
        }

        var label = SenMlLabels.Find(text);
        if (label == SenMlLabel.Unknown && mode == SenMlMode.Strict)
        {
            SenMlLabels.CheckUnknown(ref this, text, name.Start);
        }

        return label;
    }
}
