using System.Text;

namespace IoT.Cep;

/// <summary>Undoes JSON's escapes.</summary>
internal static class JsonEscapes
{
    /// <summary>
    /// Writes the text that an escaped string stands for, which is never longer. Gives its length, or -1 for half of a
    /// surrogate pair, which no UTF-8 can hold.
    /// </summary>
    internal static int Unescape(ReadOnlySpan<byte> escaped, Span<byte> output)
    {
        int written = 0;
        while (!escaped.IsEmpty)
        {
            int plain = escaped.IndexOf((byte)'\\');
            plain = plain < 0 ? escaped.Length : plain;
            escaped[..plain].CopyTo(output[written..]);
            written += plain;
            escaped = escaped[plain..];
            if (escaped.IsEmpty)
            {
                break;
            }

            if (escaped[1] != 'u')
            {
                output[written++] = Simple(escaped[1]);
                escaped = escaped[2..];
                continue;
            }

            int used = TryRune(escaped, out var rune);
            if (used == 0)
            {
                return -1;
            }

            written += rune.EncodeToUtf8(output[written..]);
            escaped = escaped[used..];
        }

        return written;
    }

    /// <summary>Four hexadecimal digits as a number, or -1.</summary>
    internal static int Hex(ReadOnlySpan<byte> digits)
    {
        int value = 0;
        foreach (byte digit in digits[..4])
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return -1;
            }

            value = (value << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }

        return value;
    }

    private static int TryRune(ReadOnlySpan<byte> escaped, out Rune rune)
    {
        char first = (char)Hex(escaped[2..]);
        if (Rune.TryCreate(first, out rune))
        {
            return 6;
        }

        bool isPair = escaped.Length >= 12 && escaped[6] == '\\' && escaped[7] == 'u'
            && Rune.TryCreate(first, (char)Hex(escaped[8..]), out rune);
        return isPair ? 12 : 0;
    }

    private static byte Simple(byte kind) => kind switch
    {
        (byte)'b' => (byte)'\b',
        (byte)'f' => (byte)'\f',
        (byte)'n' => (byte)'\n',
        (byte)'r' => (byte)'\r',
        (byte)'t' => (byte)'\t',
        _ => kind,
    };
}
