using System.Text;

namespace IoT.Cep;

/// <summary>Gathers options and encodes them in the order of their numbers.</summary>
internal sealed class CoapOptionBuilder
{
    private readonly List<(int Number, ReadOnlyMemory<byte> Value)> _options = [];

    internal CoapOptionBuilder Add(int number, ReadOnlyMemory<byte> value)
    {
        // Behind those of the same number: the order among them is theirs.
        int at = _options.Count;
        while (at > 0 && _options[at - 1].Number > number)
        {
            at--;
        }

        _options.Insert(at, (number, value));
        return this;
    }

    internal CoapOptionBuilder Add(int number, uint value)
    {
        Span<byte> bytes = [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
        return Add(number, bytes.TrimStart((byte)0).ToArray());
    }

    internal CoapOptionBuilder Add(int number, string value) => Add(number, Encoding.UTF8.GetBytes(value));

    /// <summary>Adds all options of a message, or all but one.</summary>
    /// <param name="options">The options, well-formed.</param>
    /// <param name="except">A number to leave out.</param>
    internal CoapOptionBuilder AddAll(ReadOnlyMemory<byte> options, params ReadOnlySpan<int> except)
    {
        var reader = new CoapOptionReader(options.Span);
        while (reader.Next())
        {
            if (!except.Contains(reader.Number))
            {
                Add(reader.Number, options.Slice(reader.ValueStart, reader.Value.Length));
            }
        }

        return this;
    }

    internal byte[] ToArray()
    {
        int length = 0;
        int before = 0;
        foreach (var (number, value) in _options)
        {
            length += 1 + ExtensionLength(number - before) + ExtensionLength(value.Length) + value.Length;
            before = number;
        }

        byte[] bytes = new byte[length];
        int at = 0;
        before = 0;
        foreach (var (number, value) in _options)
        {
            at += WriteHeader(bytes.AsSpan(at), number - before, value.Length);
            value.Span.CopyTo(bytes.AsSpan(at));
            at += value.Length;
            before = number;
        }

        return bytes;
    }

    private static int WriteHeader(Span<byte> output, int delta, int length)
    {
        int at = 1;
        int first = Nibble(output, ref at, delta) << 4;
        output[0] = (byte)(first | Nibble(output, ref at, length));
        return at;
    }

    private static int Nibble(Span<byte> output, ref int at, int value)
    {
        switch (value)
        {
            case < 13:
                return value;
            case < 269:
                output[at++] = (byte)(value - 13);
                return 13;
            default:
                output[at++] = (byte)((value - 269) >> 8);
                output[at++] = (byte)(value - 269);
                return 14;
        }
    }

    private static int ExtensionLength(int value) => value < 13 ? 0 : value < 269 ? 1 : 2;
}
