using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Takes the value of one label of a SenML record, or sets the fault with the label's name.</summary>
internal static class SenMlValues
{
    // RFC 8428, section 4.5.1.
    private static readonly SearchValues<byte> _nameBytes = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_"u8);

    private static readonly SearchValues<byte> _base64Bytes = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="u8);

    internal static bool TryName(ref JsonScanner json, PayloadBuffer buffer, SenMlMode mode, out JsonText name, string label)
    {
        if (!TryText(ref json, out name, label) || !JsonValues.TryBytes(ref json, name, buffer, label, out var text))
        {
            return false;
        }

        if (mode == SenMlMode.Strict && text.ContainsAnyExcept(_nameBytes))
        {
            json.Fault.Set(DeadLetterReason.Malformed, "a name holds a character that SenML doesn't allow", name.Start, label);
        }

        return json.Fault.Ok;
    }

    internal static bool TryText(ref JsonScanner json, out JsonText text, string label)
    {
        if (json.Peek() == '"')
        {
            return json.TryString(out text);
        }

        text = default;
        if (json.TrySkipValue())
        {
            json.Fault.Set(DeadLetterReason.WrongType, "the value is not text", json.Position, label);
        }

        return false;
    }

    internal static bool TryData(ref JsonScanner json, out JsonText text)
    {
        if (TryText(ref json, out text, "vd") && json.Slice(text).ContainsAnyExcept(_base64Bytes))
        {
            json.Fault.Set(DeadLetterReason.Malformed, "the value is not base64", text.Start, "vd");
        }

        return json.Fault.Ok;
    }

    internal static bool TryNumber(ref JsonScanner json, SenMlMode mode, out double value, out JsonText text, string label)
    {
        bool isQuoted = json.Peek() == '"';
        int start = json.Position;
        if (isQuoted && mode == SenMlMode.Lenient)
        {
            value = 0;
            if (json.TryString(out text) && !Utf8Numbers.TryParse(json.Slice(text), out value))
            {
                json.Fault.Set(DeadLetterReason.WrongType, "the text is not a number", start, label);
            }

            return json.Fault.Ok;
        }

        value = JsonValues.Number(ref json, label);
        text = new JsonText(start, json.Position - start, false);
        return json.Fault.Ok;
    }

    // Seconds; milliseconds within the wrapper from before the RFC.
    internal static bool TryTicks(ref JsonScanner json, SenMlMode mode, out long ticks, bool isWrapped, string label)
    {
        ticks = 0;
        DecimalNumber number;
        ReadOnlySpan<byte> text;
        if (JsonValues.IsNumber(json.Peek()))
        {
            if (!json.TryNumber(out number, out text))
            {
                return false;
            }
        }
        else
        {
            if (!TryNumber(ref json, mode, out _, out var place, label))
            {
                return false;
            }

            text = json.Slice(place);
            if (Utf8Numbers.Scan(text, out number) != text.Length)
            {
                json.Fault.Set(DeadLetterReason.WrongType, "the text is not a number", place.Start, label);
                return false;
            }
        }

        if (Utf8Times.FromNumber(text, in number, isWrapped ? 4 : 7, out ticks) != TimeResult.Ok)
        {
            json.Fault.Set(DeadLetterReason.OutOfRange, "the time is out of range", json.Position, label);
        }

        return json.Fault.Ok;
    }
}
