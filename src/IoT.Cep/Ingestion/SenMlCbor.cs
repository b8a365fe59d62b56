using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Turns SenML in CBOR (RFC 8428, section 6) into the same pack in JSON, in a buffer that is used again: so that both forms go through one reader and every rule of resolving
/// names, times and values holds for both.
/// </summary>
internal sealed class SenMlCbor(PayloadLimits limits)
{
    // RFC 8428, table 4, from -6 on.
    private static readonly string[] _labels = ["bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"];

    private readonly PayloadBuffer _buffer = new(limits);
    private readonly ArrayBufferWriter<byte> _json = new();

    /// <summary>The pack in JSON; false where the payload is no SenML in CBOR, and then the fault says why.</summary>
    internal bool TryConvert(ReadOnlySpan<byte> payload, scoped ref DecodeFault fault, out ReadOnlySpan<byte> json)
    {
        _json.ResetWrittenCount();
        var cbor = new CborScanner(payload, limits.MaxDepth);
        ReadPack(ref cbor);
        if (cbor.Fault.Ok && !cbor.IsEnd)
        {
            cbor.Malformed("something stands behind the pack");
        }

        fault = cbor.Fault;
        json = _json.WrittenSpan;
        return fault.Ok;
    }

    private void ReadPack(ref CborScanner cbor)
    {
        if (!cbor.TryUntagged(out var pack, out _))
        {
            return;
        }

        if (pack.Major != CborMajor.Array)
        {
            cbor.Fault.Set(DeadLetterReason.WrongType, "a SenML pack is an array", 0);
            return;
        }

        Write("["u8);
        int records = 0;
        for (ulong rest = pack.Argument; Follows(ref cbor, in pack, ref rest); records++)
        {
            if (records == limits.MaxEvents)
            {
                cbor.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more records than the limit", cbor.Position);
                return;
            }

            Write(records > 0 ? ",{"u8 : "{"u8);
            ReadRecord(ref cbor);
            Write("}"u8);
        }

        Write("]"u8);
    }

    private void ReadRecord(ref CborScanner cbor)
    {
        int start = cbor.Position;
        if (!cbor.TryUntagged(out var record, out _))
        {
            return;
        }

        if (record.Major != CborMajor.Map)
        {
            cbor.Fault.Set(DeadLetterReason.WrongType, "a SenML record is a map", start);
            return;
        }

        cbor.Depth = 2;
        bool isFirst = true;
        for (ulong rest = record.Argument; Follows(ref cbor, in record, ref rest);)
        {
            ReadPair(ref cbor, ref isFirst);
        }
    }

    private void ReadPair(ref CborScanner cbor, ref bool isFirst)
    {
        int start = cbor.Position;
        if (!cbor.TryUntagged(out var label, out _))
        {
            return;
        }

        if (label.Major == CborMajor.Text)
        {
            if (!cbor.TryString(in label, _buffer, out var name))
            {
                return;
            }

            // What must be understood (section 4.4) is left to the reader, which refuses it; other labels are passed over.
            if (name is [.., (byte)'_'])
            {
                Separate(ref isFirst);
                WriteText(name);
                Write(":0"u8);
            }

            cbor.TrySkip();
            return;
        }

        if (label.Major > CborMajor.Negative)
        {
            cbor.Fault.Set(DeadLetterReason.WrongType, "a label is a number or a text", start);
            return;
        }

        // -1 - argument, by its index from -6 on; numbers are unique to their labels up to 8.
        long number = label.Argument > 1000 ? 1000 : label.Major == CborMajor.Unsigned ? (long)label.Argument : -1 - (long)label.Argument;
        if (number is < -6 or > 8)
        {
            cbor.TrySkip();
            return;
        }

        string text = _labels[number + 6];
        Separate(ref isFirst);
        Write("\""u8);
        foreach (char c in text)
        {
            WriteByte((byte)c);
        }

        Write("\":"u8);
        ReadValue(ref cbor, text);
    }

    private void ReadValue(ref CborScanner cbor, string label)
    {
        int start = cbor.Position;
        if (!cbor.TryUntagged(out var head, out _))
        {
            return;
        }

        switch (head.Major)
        {
            case CborMajor.Unsigned:
                WriteNumber(head.Argument);
                break;
            case CborMajor.Negative:
                WriteNumber(-1m - head.Argument);
                break;
            case CborMajor.Text:
                if (cbor.TryString(in head, _buffer, out var text))
                {
                    WriteText(text);
                }

                break;
            case CborMajor.Bytes:
                if (cbor.TryString(in head, _buffer, out var bytes))
                {
                    var target = _json.GetSpan(Base64Url.GetEncodedLength(bytes.Length) + 2);
                    target[0] = (byte)'"';
                    int length = Base64Url.EncodeToUtf8(bytes, target[1..]);
                    target[length + 1] = (byte)'"';
                    _json.Advance(length + 2);
                }

                break;
            case CborMajor.Simple when head.Info is 20 or 21:
                Write(head.Info == 21 ? "true"u8 : "false"u8);
                break;
            default:
                // A float or a decimal fraction; what is no number says so with the label's name. The digits of a fraction are kept as they are.
                cbor.Position = start;
                if (cbor.TryFraction(out decimal digits, out long power))
                {
                    WriteNumber(digits);
                    Write("e"u8);
                    Utf8Output.Integer(_json, power);
                    break;
                }

                if (cbor.TryNumber(out double value, label))
                {
                    Utf8Output.Number(_json, value);
                }

                break;
        }
    }

    private static bool Follows(ref CborScanner cbor, in CborHead container, ref ulong rest)
    {
        if (!cbor.Fault.Ok)
        {
            return false;
        }

        if (!container.IsIndefinite)
        {
            return rest-- > 0;
        }

        if (cbor.Peek() != 0xFF)
        {
            return true;
        }

        cbor.Position++;
        return false;
    }

    private void Separate(ref bool isFirst)
    {
        if (!isFirst)
        {
            Write(","u8);
        }

        isFirst = false;
    }

    private void WriteNumber(decimal value)
    {
        value.TryFormat(_json.GetSpan(32), out int written, default, CultureInfo.InvariantCulture);
        _json.Advance(written);
    }

    private void WriteText(ReadOnlySpan<byte> text)
    {
        Write("\""u8);
        for (int stop = IndexOfSpecial(text); stop >= 0; stop = IndexOfSpecial(text))
        {
            Write(text[..stop]);
            byte special = text[stop];
            if (special < 0x20)
            {
                Write("\\u00"u8);
                WriteByte(Hex(special >> 4));
                WriteByte(Hex(special & 15));
            }
            else
            {
                WriteByte((byte)'\\');
                WriteByte(special);
            }

            text = text[(stop + 1)..];
        }

        Write(text);
        Write("\""u8);
    }

    private static int IndexOfSpecial(ReadOnlySpan<byte> text)
    {
        int mark = text.IndexOfAny((byte)'"', (byte)'\\');
        int control = text.IndexOfAnyInRange((byte)0, (byte)0x1F);
        return mark < 0 ? control : control < 0 ? mark : Math.Min(mark, control);
    }

    private static byte Hex(int digit) => (byte)(digit < 10 ? '0' + digit : 'a' + digit - 10);

    private void Write(ReadOnlySpan<byte> bytes) => _json.Write(bytes);

    private void WriteByte(byte value)
    {
        _json.GetSpan(1)[0] = value;
        _json.Advance(1);
    }
}
