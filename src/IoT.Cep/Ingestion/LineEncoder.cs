using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a line of InfluxDB's line protocol.</summary>
internal sealed class LineEncoder<T>(string measurement, long nanoseconds) : Encoder<T>
    where T : IEvent<T>
{
    private readonly EncodedFields _fields = new(T.Schema);
    private readonly int _measurement = FieldNames.OfPlace(T.Schema, "measurement");

    public override string ContentType => "text/plain; charset=utf-8";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var head = new Head(_measurement, T.Schema);
        T.WriteTo(ref head, in value);
        Name(output, head.Measurement ?? measurement, isTag: false);
        if (head.Key is { } key)
        {
            output.Write(","u8);
            Name(output, _fields.Name(T.Schema.KeyIndex), isTag: true);
            output.Write("="u8);
            Name(output, key, isTag: true);
        }

        var writer = new Writer(output, _fields, _measurement);
        T.WriteTo(ref writer, in value);
        if (!writer.HasFields)
        {
            throw new FormatException("The line protocol has no line without a field.");
        }

        if (head.Ticks is { } ticks)
        {
            output.Write(" "u8);
            Utf8Output.Integer(output, Units(ticks));
        }

        output.Write("\n"u8);
    }

    // Timestamps have 64 bits: in nanoseconds the years 1677 to 2262.
    private long Units(long ticks)
    {
        var units = nanoseconds > 100 ? Math.DivRem(ticks, nanoseconds / 100).Quotient : (Int128)ticks * 100 / nanoseconds;
        return units >= long.MinValue && units <= long.MaxValue ? (long)units : throw _fields.Problem(T.Schema.TimeIndex, "the time is out of the timestamp's range");
    }

    // Names and tags' values can't be empty, nor hold a line's end, nor end in a backslash, which would escape what follows.
    private static void Name(IBufferWriter<byte> output, string text, bool isTag)
    {
        if (text.Length == 0 || text.Contains('\n', StringComparison.Ordinal) || text[^1] == '\\' || (!isTag && text[0] == '#'))
        {
            throw new FormatException($"'{SafeText.Escape(text, 64)}' can't be a name or a tag of the line protocol.");
        }

        var rest = text.AsSpan();
        for (int stop = IndexOfSpecial(rest, isTag); stop >= 0; stop = IndexOfSpecial(rest, isTag))
        {
            Encoding.UTF8.GetBytes(rest[..stop], output);
            output.Write("\\"u8);
            Encoding.UTF8.GetBytes(rest.Slice(stop, 1), output);
            rest = rest[(stop + 1)..];
        }

        Encoding.UTF8.GetBytes(rest, output);
    }

    private static int IndexOfSpecial(ReadOnlySpan<char> text, bool isTag) => isTag ? text.IndexOfAny(',', ' ', '=') : text.IndexOfAny(',', ' ');

    private struct Head(int measurement, EventSchema schema) : IFieldWriter
    {
        internal string? Measurement { get; private set; }

        internal string? Key { get; private set; }

        internal long? Ticks { get; private set; }

        public void Text(int field, string value)
        {
            Measurement = field == measurement ? value : Measurement;
            Key = field == schema.KeyIndex && field != measurement && schema.Fields[field].Origin == FieldOrigin.Payload ? value : Key;
        }

        public void Time(int field, long ticks) => Ticks = field == schema.TimeIndex && schema.Fields[field].Origin == FieldOrigin.Payload ? ticks : Ticks;

        public readonly void Number(int field, double value)
        {
        }

        public readonly void Integer(int field, long value)
        {
        }

        public readonly void Boolean(int field, bool value)
        {
        }

        public readonly void Null(int field)
        {
        }
    }

    private struct Writer(IBufferWriter<byte> output, EncodedFields fields, int measurement) : IFieldWriter
    {
        internal bool HasFields { get; private set; }

        public void Number(int field, double value)
        {
            if (Begin(field))
            {
                Utf8Output.Number(output, fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (Begin(field))
            {
                Utf8Output.Integer(output, value);
                output.Write("i"u8);
            }
        }

        public void Text(int field, string value)
        {
            if (!Begin(field))
            {
                return;
            }

            output.Write("\""u8);
            var rest = value.AsSpan();
            for (int stop = rest.IndexOfAny('"', '\\'); stop >= 0; stop = rest.IndexOfAny('"', '\\'))
            {
                Encoding.UTF8.GetBytes(rest[..stop], output);
                output.Write(rest[stop] == '"' ? "\\\""u8 : "\\\\"u8);
                rest = rest[(stop + 1)..];
            }

            Encoding.UTF8.GetBytes(rest, output);
            output.Write("\""u8);
        }

        public void Time(int field, long ticks)
        {
            if (Begin(field))
            {
                output.Write("\""u8);
                Utf8Output.Time(output, ticks);
                output.Write("\""u8);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (Begin(field))
            {
                output.Write(value ? "true"u8 : "false"u8);
            }
        }

        public readonly void Null(int field)
        {
        }

        private bool Begin(int field)
        {
            if (!fields.IsInBody(field) || field == measurement || field == fields.Schema.KeyIndex || field == fields.Schema.TimeIndex)
            {
                return false;
            }

            output.Write(HasFields ? ","u8 : " "u8);
            HasFields = true;
            Name(output, fields.Name(field), isTag: true);
            output.Write("="u8);
            return true;
        }
    }
}
