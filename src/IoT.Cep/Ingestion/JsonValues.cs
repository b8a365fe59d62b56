using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Takes the value at a scanner's place as the type that an event wants; otherwise sets the fault and gives the default.</summary>
internal static class JsonValues
{
    private const string NotATime = "the value is not a time: give ISO 8601 or a number since 1970";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double Number(ref JsonScanner json, string name)
    {
        double value = 0;
        if (!IsNumber(json.Peek()))
        {
            WrongType(ref json, "the value is not a number", name);
        }
        else if (json.TryNumber(out var number, out var text) && !Utf8Numbers.TryToDouble(text, in number, out value))
        {
            OutOfRange(ref json, name);
            value = 0;
        }

        return value;
    }

    internal static long Integer(ref JsonScanner json, string name)
    {
        long value = 0;
        if (!IsNumber(json.Peek()))
        {
            WrongType(ref json, "the value is not a whole number", name);
        }
        else if (json.TryNumber(out var number, out _)
            && !Utf8Numbers.TryToInteger(in number, out value, out bool isWhole))
        {
            if (isWhole)
            {
                OutOfRange(ref json, name);
            }
            else
            {
                json.Fault.Set(DeadLetterReason.WrongType, "the value is not a whole number", json.Position, name);
            }
        }

        return value;
    }

    internal static string Text(ref JsonScanner json, PayloadBuffer buffer, StringPool strings, string name)
    {
        if (json.Peek() != '"')
        {
            WrongType(ref json, "the value is not text", name);
            return "";
        }

        return json.TryString(out var text) && TryBytes(ref json, text, buffer, name, out var utf8) ? strings.Get(utf8) : "";
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long Time(ref JsonScanner json, PayloadBuffer buffer, string name)
    {
        long ticks = 0;
        TimeResult result;
        int next = json.Peek();
        if (next == '"')
        {
            // Some encoders write a zone's plus sign as an escape.
            if (!json.TryString(out var text) || !TryUnescape(ref json, text, buffer, name, out var utf8))
            {
                return 0;
            }

            result = Utf8Times.Parse(utf8, out ticks);
        }
        else if (IsNumber(next))
        {
            if (!json.TryNumber(out var number, out var text))
            {
                return 0;
            }

            result = Utf8Times.FromNumber(text, in number, out ticks);
        }
        else
        {
            WrongType(ref json, NotATime, name);
            return 0;
        }

        if (result == TimeResult.Ok)
        {
            return ticks;
        }

        json.Fault.Set(
            result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType,
            result == TimeResult.OutOfRange ? "the time is out of range" : NotATime,
            json.Position,
            name);
        return 0;
    }

    internal static bool Boolean(ref JsonScanner json, string name)
    {
        switch (json.Peek())
        {
            case 't':
                return json.TryLiteral("true"u8);
            case 'f':
                json.TryLiteral("false"u8);
                return false;
            default:
                WrongType(ref json, "the value is neither true nor false", name);
                return false;
        }
    }

    /// <summary>A string's text without escapes, in UTF-8, within the limit of texts.</summary>
    internal static bool TryBytes(
        scoped ref JsonScanner json, JsonText text, PayloadBuffer buffer, string? name, out ReadOnlySpan<byte> utf8)
    {
        if (!TryUnescape(ref json, text, buffer, name, out utf8))
        {
            return false;
        }

        if (utf8.Length > buffer.Limits.MaxTextBytes)
        {
            json.Fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", text.Start, name);
            return false;
        }

        return true;
    }

    /// <summary>A string's text without escapes, in UTF-8, however long: a name that is looked up and not kept.</summary>
    internal static bool TryUnescape(
        scoped ref JsonScanner json, JsonText text, PayloadBuffer buffer, string? name, out ReadOnlySpan<byte> utf8)
    {
        utf8 = json.Slice(text);
        if (!text.IsEscaped)
        {
            return true;
        }

        var room = buffer.Text(text.Length);
        int length = JsonEscapes.Unescape(utf8, room);
        utf8 = length < 0 ? default : room[..length];
        if (length < 0)
        {
            json.Fault.Set(DeadLetterReason.Malformed, "a string holds half of a surrogate pair", text.Start, name);
        }

        return length >= 0;
    }

    internal static bool IsNumber(int first) => (uint)(first - '0') <= 9 || first == '-';

    // What is no value at all is malformed rather than of the wrong type: the rest of the value is looked at for that.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WrongType(ref JsonScanner json, string what, string name)
    {
        int position = json.Position;
        if (json.TrySkipValue())
        {
            json.Fault.Set(DeadLetterReason.WrongType, what, position, name);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void OutOfRange(ref JsonScanner json, string name) =>
        json.Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", json.Position, name);
}
