using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a row of CSV, with a header in front or without.</summary>
internal sealed class CsvEncoder<T> : Encoder<T>
    where T : IEvent<T>
{
    private readonly EncodedFields _fields = new(T.Schema);
    private readonly byte[] _header;
    private readonly byte _separator;
    private readonly SearchValues<char> _special;

    internal CsvEncoder(bool hasHeader, char separator)
    {
        _separator = (byte)separator;
        _special = SearchValues.Create([separator, '"', '\r', '\n']);
        var names = T.Schema.Fields.Where(f => f.Origin == FieldOrigin.Payload).Select(f => f.Name.AsSpan().ContainsAny(_special) ? Quote(f.Name) : f.Name);
        _header = hasHeader ? Encoding.UTF8.GetBytes(string.Join(separator, names) + "\r\n") : [];
    }

    public override string ContentType => "text/csv";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write(_header);
        var writer = new Writer(output, _fields, _special, _separator);
        T.WriteTo(ref writer, in value);
        output.Write("\r\n"u8);
    }

    private static string Quote(string text) => "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static void WriteQuoted(IBufferWriter<byte> output, ReadOnlySpan<char> text)
    {
        output.Write("\""u8);
        for (int mark = text.IndexOf('"'); mark >= 0; mark = text.IndexOf('"'))
        {
            Encoding.UTF8.GetBytes(text[..(mark + 1)], output);
            output.Write("\""u8);
            text = text[(mark + 1)..];
        }

        Encoding.UTF8.GetBytes(text, output);
        output.Write("\""u8);
    }

    private struct Writer(IBufferWriter<byte> output, EncodedFields fields, SearchValues<char> special, byte separator) : IFieldWriter
    {
        private bool _hasCells;

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
            }
        }

        public void Text(int field, string value)
        {
            if (Begin(field))
            {
                // An empty cell without quotes is null; spaces at an end are kept by quotes in any reader.
                bool isPlain = value.Length > 0 && !value.AsSpan().ContainsAny(special) && value[0] is not (' ' or '\uFEFF') && value[^1] != ' ';
                if (isPlain)
                {
                    Encoding.UTF8.GetBytes(value, output);
                }
                else
                {
                    WriteQuoted(output, value);
                }
            }
        }

        public void Time(int field, long ticks)
        {
            if (Begin(field))
            {
                Utf8Output.Time(output, ticks);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (Begin(field))
            {
                output.Write(value ? "true"u8 : "false"u8);
            }
        }

        public void Null(int field) => Begin(field);

        private bool Begin(int field)
        {
            if (!fields.IsInBody(field))
            {
                return false;
            }

            if (_hasCells)
            {
                output.GetSpan(1)[0] = separator;
                output.Advance(1);
            }

            _hasCells = true;
            return true;
        }
    }
}
