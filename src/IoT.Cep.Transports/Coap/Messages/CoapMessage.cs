using System.Text;

namespace IoT.Cep;

/// <summary>A request or a response with memory of its own, apart from how it is carried.</summary>
/// <param name="code">Method or response code.</param>
/// <param name="options">The options, encoded and well-formed.</param>
/// <param name="payload">The payload.</param>
internal sealed class CoapMessage(CoapCode code, ReadOnlyMemory<byte> options = default, ReadOnlyMemory<byte> payload = default)
{
    private string? _path;

    internal CoapCode Code => code;

    internal ReadOnlyMemory<byte> Options => options;

    internal ReadOnlyMemory<byte> Payload => payload;

    internal CoapBlock? Block1 => UInt(CoapOptionNumber.Block1) is { } value ? CoapBlock.Read(value) : null;

    internal CoapBlock? Block2 => UInt(CoapOptionNumber.Block2) is { } value ? CoapBlock.Read(value) : null;

    internal uint? Observe => UInt(CoapOptionNumber.Observe);

    /// <summary>The content format; -1: not given.</summary>
    internal int ContentFormat => (int?)UInt(CoapOptionNumber.ContentFormat) ?? -1;

    /// <summary>The path's segments joined by slashes, without one at the front; a slash within a segment is written %2F.</summary>
    internal string Path => _path ??= Join(CoapOptionNumber.UriPath, '/');

    /// <summary>A response with text for people.</summary>
    /// <param name="code">The response code.</param>
    /// <param name="diagnostic">The text.</param>
    internal static CoapMessage Error(CoapCode code, string diagnostic = "") => new(code, default, Encoding.UTF8.GetBytes(diagnostic));

    /// <summary>A copy of what stands in a datagram.</summary>
    /// <param name="code">The code.</param>
    /// <param name="options">The options.</param>
    /// <param name="payload">The payload.</param>
    internal static CoapMessage Copy(CoapCode code, ReadOnlySpan<byte> options, ReadOnlySpan<byte> payload)
    {
        byte[] bytes = new byte[options.Length + payload.Length];
        options.CopyTo(bytes);
        payload.CopyTo(bytes.AsSpan(options.Length));
        return new CoapMessage(code, bytes.AsMemory(0, options.Length), bytes.AsMemory(options.Length));
    }

    /// <summary>The first option of a number, as a number of its own; null: there is none that may be honoured.</summary>
    /// <param name="number">The option.</param>
    internal uint? UInt(int number)
    {
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next() && reader.Number <= number)
        {
            if (reader.Number == number && CoapOptionNumber.IsHonoured(number, reader.Value.Length, isRepetition: false))
            {
                return reader.UInt();
            }
        }

        return null;
    }

    /// <summary>The first option of a number; null: there is none that may be honoured.</summary>
    /// <param name="number">The option.</param>
    internal ReadOnlyMemory<byte>? Opaque(int number)
    {
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next() && reader.Number <= number)
        {
            if (reader.Number == number && CoapOptionNumber.IsHonoured(number, reader.Value.Length, isRepetition: false))
            {
                return options.Slice(reader.ValueStart, reader.Value.Length);
            }
        }

        return null;
    }

    internal bool Has(int number) => Opaque(number) is not null;

    /// <summary>Whether one of the options of a number has this value.</summary>
    /// <param name="number">The option.</param>
    /// <param name="value">The value.</param>
    internal bool Has(int number, ReadOnlySpan<byte> value)
    {
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next())
        {
            if (reader.Number == number && reader.Value.SequenceEqual(value))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The options of a number as texts.</summary>
    /// <param name="number">The option.</param>
    internal List<string> Texts(int number)
    {
        List<string> texts = [];
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next())
        {
            if (reader.Number == number)
            {
                texts.Add(Encoding.UTF8.GetString(reader.Value));
            }
        }

        return texts;
    }

    /// <summary>The same message with other options.</summary>
    /// <param name="newOptions">The options.</param>
    internal CoapMessage With(CoapOptionBuilder newOptions) => new(code, newOptions.ToArray(), payload);

    /// <summary>The same message with one option more, in place of those of its number.</summary>
    /// <param name="number">The option.</param>
    /// <param name="value">Its value.</param>
    internal CoapMessage With(int number, uint value) => With(new CoapOptionBuilder().AddAll(options, number).Add(number, value));

    /// <summary>The same message with one option more, in place of those of its number.</summary>
    /// <param name="number">The option.</param>
    /// <param name="value">Its value.</param>
    internal CoapMessage With(int number, ReadOnlyMemory<byte> value) => With(new CoapOptionBuilder().AddAll(options, number).Add(number, value));

    private string Join(int number, char separator)
    {
        StringBuilder? joined = null;
        string first = "";
        int count = 0;
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next() && reader.Number <= number)
        {
            if (reader.Number != number)
            {
                continue;
            }

            // A segment may hold a slash (RFC 7252, 6.4): written as in a URI, so that it can't be taken for a border.
            string segment = Encoding.UTF8.GetString(reader.Value).Replace("/", "%2F", StringComparison.Ordinal);
            if (count++ == 0)
            {
                first = segment;
            }
            else
            {
                (joined ??= new StringBuilder(first)).Append(separator).Append(segment);
            }
        }

        return joined?.ToString() ?? first;
    }
}
