using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads one event out of a row of CSV by hand: <c>(ref row) =&gt; new Reading(row.Time(0), "machine", row.Number(1), 0)</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="row">The row's cells.</param>
public delegate T FromCsv<T>(ref CsvRow row);

/// <summary>Decoders and encoders of CSV (RFC 4180) in UTF-8, with or without a byte order mark. A row is an event; empty lines are passed over.</summary>
/// <remarks>
/// Lines end in CRLF or LF. A cell in quotation marks may hold separators, line ends and doubled quotation marks. Times are ISO 8601 with T or a
/// space between date and time, UTC where they name no zone, or numbers since 1970-01-01 UTC: seconds below 10^11, milliseconds from there on. An
/// empty cell is null. A payload is decoded whole or becomes a dead letter whole, so a large file is best read line by line
/// (<see cref="Lines.FromFile{T}"/>).
/// </remarks>
public static class Csv
{
    /// <summary>Decodes into an event type by the names of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="columns">The columns' names, for payloads without a header; null takes each payload's first row as its header. Other columns than the type's are passed over.</param>
    /// <param name="separator">What stands between cells: a comma, a semicolon, a tab.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    /// <exception cref="ArgumentException">A column stands twice.</exception>
    public static Decoder<T> Decode<T>(IReadOnlyList<string>? columns = null, char separator = ',', PayloadLimits? limits = null)
        where T : IEvent<T> => new EventDecoder<T>(columns, separator, PayloadLimits.Check(limits ?? PayloadLimits.Default));

    /// <summary>Decodes into any type by hand.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Reads one event. What it throws is the source's error, unless a cell had failed before.</param>
    /// <param name="hasHeader">Whether each payload's first row is passed over.</param>
    /// <param name="separator">What stands between cells: a comma, a semicolon, a tab.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(
        FromCsv<T> read, bool hasHeader = false, char separator = ',', PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return new HandDecoder<T>(read, hasHeader, separator, PayloadLimits.Check(limits));
    }

    /// <summary>Writes an event as a row that <see cref="Decode{T}(IReadOnlyList{string}?, char, PayloadLimits?)"/> reads back.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="hasHeader">Whether each payload has the columns' names in front.</param>
    /// <param name="separator">What stands between cells: a comma, a semicolon, a tab.</param>
    public static Encoder<T> Encode<T>(bool hasHeader = true, char separator = ',')
        where T : IEvent<T>
    {
        CsvCells.ThrowIfUnfit(separator);
        return new CsvEncoder<T>(hasHeader, separator);
    }

    private static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> text) => text.StartsWith("\uFEFF"u8) ? text[3..] : text;

    private sealed class EventDecoder<T>(IReadOnlyList<string>? columns, char separator, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly CsvColumns _columns = new(new FieldNames(T.Schema), columns);
        private readonly CsvCells _cells = new(separator);
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var text) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            text = WithoutMark(text);
            int at = 0;
            DecodeFault fault = default;
            if (!_columns.IsGiven && !_columns.TryReadHeader(text, _cells, _buffer, _binding.Given, ref at, ref fault))
            {
                fault.Reject(output);
                return;
            }

            var reader = new CsvFieldReader(new CsvValues(text, _cells, _buffer, output.Strings), _columns.Names, _columns.Fields);
            while (reader.TryReadRow(ref at))
            {
                if (!BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) || !reader.Ok)
                {
                    reader.Fail(DeadLetterReason.Malformed, -1);
                    break;
                }

                if (output.MessageCount >= limits.MaxEvents)
                {
                    reader.TooMany(at);
                    break;
                }

                output.Add(in value);
            }

            if (!reader.Ok)
            {
                reader.Fault.Reject(output);
            }
        }
    }

    private sealed class HandDecoder<T>(FromCsv<T> read, bool hasHeader, char separator, PayloadLimits limits) : Decoder<T>
    {
        private readonly CsvCells _cells = new(separator);
        private readonly PayloadBuffer _buffer = new(limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var text))
            {
                return;
            }

            int at = 0;
            var row = new CsvRow(new CsvValues(WithoutMark(text), _cells, _buffer, output.Strings), in payload, output.ReceivedTicks);
            bool isHeader = hasHeader;
            while (row.TryReadRow(ref at) && (isHeader || TryAdd(ref row, at, output)))
            {
                isHeader = false;
            }

            if (!row.Ok)
            {
                row.Fault.Reject(output);
            }
        }

        private bool TryAdd(ref CsvRow row, int at, EventBuffer<T> output)
        {
            T value;
            try
            {
                value = read(ref row);
            }
#pragma warning disable CA1031 // The caller's code may throw anything; the filter takes only what a broken cell caused.
            catch (Exception) when (!row.Ok)
#pragma warning restore CA1031
            {
                return false;
            }

            if (output.MessageCount >= limits.MaxEvents)
            {
                row.TooMany(at);
            }

            if (!row.Ok)
            {
                return false;
            }

            output.Add(in value);
            return true;
        }
    }
}
