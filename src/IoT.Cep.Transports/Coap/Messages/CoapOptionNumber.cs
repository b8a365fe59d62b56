namespace IoT.Cep;

/// <summary>The options' numbers.</summary>
internal static class CoapOptionNumber
{
    internal const int IfMatch = 1;
    internal const int UriHost = 3;
    internal const int ETag = 4;
    internal const int IfNoneMatch = 5;
    internal const int Observe = 6;
    internal const int UriPort = 7;
    internal const int LocationPath = 8;
    internal const int UriPath = 11;
    internal const int ContentFormat = 12;
    internal const int MaxAge = 14;
    internal const int UriQuery = 15;
    internal const int HopLimit = 16;
    internal const int Accept = 17;
    internal const int LocationQuery = 20;
    internal const int Block2 = 23;
    internal const int Block1 = 27;
    internal const int Size2 = 28;
    internal const int ProxyUri = 35;
    internal const int ProxyScheme = 39;
    internal const int Size1 = 60;
    internal const int Echo = 252;
    internal const int NoResponse = 258;
    internal const int RequestTag = 292;

    /// <summary>Whether a receiver that does not know the option must refuse the message (RFC 7252, 5.4.6).</summary>
    /// <param name="number">The option.</param>
    internal static bool IsCritical(int number) => (number & 1) == 1;

    /// <summary>Whether the option has no part in what makes two requests the same.</summary>
    /// <param name="number">The option.</param>
    internal static bool IsNoCacheKey(int number) => (number & 0x1E) == 0x1C;

    /// <summary>The first critical option of a message that can't be honoured: unknown, of a wrong length, or given too often; 0: none.</summary>
    /// <param name="options">The options, well-formed.</param>
    internal static int FirstRefused(ReadOnlySpan<byte> options)
    {
        var reader = new CoapOptionReader(options);
        int before = -1;
        while (reader.Next())
        {
            int number = reader.Number;
            if (IsCritical(number) && !IsHonoured(number, reader.Value.Length, isRepetition: number == before))
            {
                return number;
            }

            before = number;
        }

        return 0;
    }

    /// <summary>Whether an option is known, has a length that it may have, and stands only as often as it may. One that is not counts as unknown (5.4.3, 5.4.5).</summary>
    /// <param name="number">The option.</param>
    /// <param name="length">Its value's length.</param>
    /// <param name="isRepetition">Whether the option before has the same number.</param>
    internal static bool IsHonoured(int number, int length, bool isRepetition)
    {
        var (least, most, repeatable) = Rule(number);
        return length >= least && length <= most && (repeatable || !isRepetition);
    }

    private static (int Least, int Most, bool IsRepeatable) Rule(int number) => number switch
    {
        IfMatch => (0, 8, true),
        UriHost => (1, 255, false),
        ETag => (1, 8, true),
        IfNoneMatch => (0, 0, false),
        Observe => (0, 3, false),
        UriPort => (0, 2, false),
        LocationPath or UriPath or UriQuery or LocationQuery => (0, 255, true),
        ContentFormat or Accept => (0, 2, false),
        MaxAge or Size1 or Size2 => (0, 4, false),
        HopLimit => (1, 1, false),
        Block1 or Block2 => (0, 3, false),
        ProxyUri => (1, 1034, false),
        ProxyScheme => (1, 255, false),
        Echo => (1, 40, false),
        NoResponse => (0, 1, false),
        RequestTag => (0, 8, true),
        _ => (1, 0, false),
    };
}
