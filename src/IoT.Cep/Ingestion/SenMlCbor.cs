using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>SenML in CBOR (RFC 8428, section 6).</summary>
/// <remarks>
/// A text of definite length is taken where it stands. Of anything else (<see cref="JsonText.IsEscaped"/>: bytes, chunks, numbers) the item's place is kept, and it is read again
/// by who asks for its text, which is rare.
/// </remarks>
internal ref struct SenMlCbor(ReadOnlySpan<byte> bytes, PayloadBuffer buffer) : ISenMlWire
{
    private const long Indefinite = -1;

    // From here on two neighbouring doubles of seconds are a microsecond apart or more, so that only the shortest digits say which decimal number was meant.
    private const double FirstCoarse = 4_294_967_296;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private CborScanner _cbor = new(bytes, buffer.MaxDepth);

    // RFC 8428, table 4: from 0 and from -1 on.
    private static ReadOnlySpan<SenMlLabel> Labels =>
    [
        SenMlLabel.Name, SenMlLabel.Unit, SenMlLabel.Value, SenMlLabel.Text, SenMlLabel.Boolean, SenMlLabel.Sum, SenMlLabel.Time, SenMlLabel.UpdateTime, SenMlLabel.Data,
    ];

    private static ReadOnlySpan<SenMlLabel> BaseLabels =>
    [
        SenMlLabel.BaseVersion, SenMlLabel.BaseName, SenMlLabel.BaseTime, SenMlLabel.BaseUnit, SenMlLabel.BaseValue, SenMlLabel.BaseSum,
    ];

    public readonly bool Ok => _cbor.Fault.Ok;

    public readonly DecodeFault Fault => _cbor.Fault;

    public readonly int Position => _cbor.Position;

    public void Fail(DeadLetterReason reason, string what, int position, string? name) => _cbor.Fault.Set(reason, what, position, name);

    public bool TryBegin(SenMlLevel level, out long state)
    {
        state = 0;
        int start = _cbor.Position;
        if (level == SenMlLevel.Wrapper || !_cbor.TryUntagged(out var head, out _))
        {
            return false;
        }

        bool isRecord = level == SenMlLevel.Record;
        if (head.Major != (isRecord ? CborMajor.Map : CborMajor.Array))
        {
            Fail(DeadLetterReason.WrongType, isRecord ? "a SenML record is a map" : "a SenML pack is an array", start, null);
            return false;
        }

        // Each item takes a byte: a count past the payload's end can't be reached.
        state = head.IsIndefinite ? Indefinite : (long)Math.Min(head.Argument, int.MaxValue);
        _cbor.Depth = isRecord ? 2 : 1;
        return true;
    }

    public bool MoveNext(SenMlLevel level, scoped ref long state)
    {
        if (!Ok)
        {
            return false;
        }

        if (state != Indefinite)
        {
            return --state >= 0;
        }

        if (_cbor.Peek() != 0xFF)
        {
            return true;
        }

        _cbor.Position++;
        return false;
    }

    public bool TryEnd()
    {
        if (!_cbor.IsEnd)
        {
            _cbor.Malformed("something stands behind the pack");
        }

        return Ok;
    }

    public SenMlLabel ReadLabel()
    {
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var label, out _))
        {
            return SenMlLabel.Unknown;
        }

        switch (label.Major)
        {
            case CborMajor.Unsigned:
                return label.Argument < (ulong)Labels.Length ? Labels[(int)label.Argument] : SenMlLabel.Unknown;
            case CborMajor.Negative:
                return label.Argument < (ulong)BaseLabels.Length ? BaseLabels[(int)label.Argument] : SenMlLabel.Unknown;
            case CborMajor.Text:
                if (_cbor.TryString(in label, buffer, out var name))
                {
                    SenMlLabels.CheckUnknown(ref this, name, start);
                }

                return SenMlLabel.Unknown;
            default:
                Fail(DeadLetterReason.WrongType, "a label is a number or a text", start, null);
                return SenMlLabel.Unknown;
        }
    }

    public bool TrySkipValue() => _cbor.TrySkip();

    public bool TryText(out JsonText text, string label) => TryString(CborMajor.Text, out text, label);

    public bool TryData(out JsonText text, string label) => TryString(CborMajor.Bytes, out text, label);

    public bool TryNumber(out double value, out JsonText text, string label)
    {
        int start = _cbor.Position;
        bool isRead = _cbor.TryNumber(out value, label);
        text = new JsonText(start, _cbor.Position - start, IsEscaped: true);
        return isRead;
    }

    public bool TryTicks(out long ticks, string label)
    {
        ticks = 0;
        int start = _cbor.Position;
        if (_cbor.TryFraction(out var fraction))
        {
            // Past this a time is nothing or too far away, and only a double has room for the digits.
            if (Math.Abs(fraction.Exponent) < 12)
            {
                return IsTime(Utf8Times.FromNumber(default, in fraction, 7, out ticks), start, label);
            }

            _cbor.Position = start;
        }

        if (!TryNumber(out double seconds, out var place, label))
        {
            return false;
        }

        // Behind a tag there may be digits of its own.
        bool isBinary = _bytes[start] is <= 0x3B or (>= 0xF9 and <= 0xFB);
        double whole = Math.Floor(seconds), micros = Math.Round((seconds - whole) * 1_000_000);
        if (isBinary && Math.Abs(seconds) < FirstCoarse && ((whole * 1_000_000) + micros) / 1_000_000 == seconds)
        {
            // The one decimal number of microseconds that this double is nearest to.
            ticks = ((long)whole * TimeSpan.TicksPerSecond) + ((long)micros * TimeSpan.TicksPerMicrosecond);
            return true;
        }

        if (!TryBytes(place, label, out var digits))
        {
            return false;
        }

        bool isRead = Utf8Numbers.Scan(digits, out var number) == digits.Length;
        return IsTime(isRead ? Utf8Times.FromNumber(digits, in number, 7, out ticks) : TimeResult.OutOfRange, start, label);
    }

    public bool Boolean(string label)
    {
        int start = _cbor.Position;
        bool isRead = _cbor.TryUntagged(out var head, out _);
        if (isRead && head is not { Major: CborMajor.Simple, Info: 20 or 21 })
        {
            Fail(DeadLetterReason.WrongType, "the value is neither true nor false", start, label);
        }

        return isRead && head is { Major: CborMajor.Simple, Info: 21 };
    }

    public bool TryBytes(JsonText text, string? name, out ReadOnlySpan<byte> utf8)
    {
        utf8 = _bytes.Slice(text.Start, text.Length);
        if (text.IsEscaped && !TryAgain(text, out utf8))
        {
            return false;
        }

        if (utf8.Length > buffer.Limits.MaxTextBytes)
        {
            Fail(DeadLetterReason.OutOfRange, "the text is longer than the limit", text.Start, name);
        }

        return Ok;
    }

    public bool TryInteger(JsonText text, out long value, out bool isWhole)
    {
        (value, isWhole) = (0, false);
        return TryBytes(text, null, out var digits) && Utf8Numbers.Scan(digits, out var number) == digits.Length
            && Utf8Numbers.TryToInteger(in number, out value, out isWhole);
    }

    private bool IsTime(TimeResult result, int start, string label)
    {
        if (result != TimeResult.Ok)
        {
            Fail(DeadLetterReason.OutOfRange, "the time is out of range", start, label);
        }

        return Ok;
    }

    private bool TryString(CborMajor kind, out JsonText text, string label)
    {
        text = default;
        int start = _cbor.Position;
        if (!_cbor.TryUntagged(out var head, out _))
        {
            return false;
        }

        if (head.Major != kind)
        {
            Fail(DeadLetterReason.WrongType, kind == CborMajor.Text ? "the value is not text" : "the value is not bytes", start, label);
            return false;
        }

        if (!_cbor.TryString(in head, buffer, out var content))
        {
            return false;
        }

        // What is empty has no length, in whatever way it is written.
        int length = content.Length;
        bool isPlain = kind == CborMajor.Text && !head.IsIndefinite;
        text = length == 0 ? default : isPlain ? new JsonText(_cbor.Position - length, length, false) : new JsonText(start, _cbor.Position - start, true);
        return true;
    }

    /// <summary>The text of an item that was read before.</summary>
    private readonly bool TryAgain(JsonText place, out ReadOnlySpan<byte> utf8)
    {
        var invariant = CultureInfo.InvariantCulture;
        var item = new CborScanner(_bytes.Slice(place.Start, place.Length), buffer.MaxDepth);
        utf8 = default;
        if (!item.TryUntagged(out var head, out _))
        {
            return false;
        }

        int length;
        switch (head.Major)
        {
            case CborMajor.Text:
                return item.TryString(in head, buffer, out utf8);
            case CborMajor.Bytes:
                if (!item.TryString(in head, buffer, out var content))
                {
                    return false;
                }

                utf8 = buffer.Base64(content);
                return true;
            case CborMajor.Unsigned or CborMajor.Negative:
                decimal whole = head.Major == CborMajor.Unsigned ? head.Argument : -1m - head.Argument;
                whole.TryFormat(buffer.Text(64), out length, default, invariant);
                utf8 = buffer.Text(64)[..length];
                return true;
        }

        // The digits of a decimal fraction are told as they are, without rounding.
        var room = buffer.Text(64);
        item.Position = 0;
        if (item.TryFraction(out var number))
        {
            room[0] = (byte)'-';
            number.Mantissa.TryFormat(room[1..], out length, default, invariant);
            room = number.IsNegative ? room : room[1..];
            length += number.IsNegative ? 1 : 0;
            room[length++] = (byte)'e';
            number.Exponent.TryFormat(room[length..], out int rest, default, invariant);
            utf8 = room[..(length + rest)];
            return true;
        }

        bool isRead = item.TryNumber(out double value, "");
        value.TryFormat(room, out length, "R", invariant);
        utf8 = room[..length];
        return isRead;
    }
}
