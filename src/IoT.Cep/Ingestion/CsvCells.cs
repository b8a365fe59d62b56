using System.Buffers;
using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Splits CSV into rows and cells by RFC 4180; lines end in CRLF or LF. Used again for each row.</summary>
internal sealed class CsvCells
{
    // More columns than any table of measurements has; without a bound a line of separators would fill memory.
    private const int MaxColumns = 1024;

    private readonly SearchValues<byte> _stops;
    private readonly byte _separator;
    private Cell[] _cells = new Cell[16];

    internal CsvCells(char separator)
    {
        ThrowIfUnfit(separator);

        _separator = (byte)separator;
        _stops = SearchValues.Create([_separator, (byte)'\r', (byte)'\n', (byte)'"']);
    }

    internal static void ThrowIfUnfit(char separator)
    {
        if (separator is < ' ' and not '\t' or '"' or > '~')
        {
            throw new ArgumentOutOfRangeException(
                nameof(separator), separator, "The separator must be a tab or a printable ASCII character other than the quotation mark.");
        }
    }

    internal int Count { get; private set; }

    internal ref readonly Cell this[int index] => ref _cells[index];

    /// <summary>Reads the next row that isn't empty; false at the end and on failure.</summary>
    internal bool TryReadRow(ReadOnlySpan<byte> text, ref int at, ref DecodeFault fault)
    {
        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n')
        {
            at++;
        }

        Count = 0;
        if (at == text.Length)
        {
            return false;
        }

        while (true)
        {
            if (Count == MaxColumns)
            {
                fault.Set(DeadLetterReason.TooLarge, "a row has more than 1,024 cells", at);
                return false;
            }

            var cell = at < text.Length && text[at] == '"' ? ReadQuoted(text, ref at, ref fault) : ReadPlain(text, ref at, ref fault);
            if (!fault.Ok)
            {
                return false;
            }

            Add(cell);
            if (at == text.Length || text[at] != _separator)
            {
                at = at < text.Length && text[at] == '\r' ? at + 1 : at;
                at = at < text.Length && text[at] == '\n' ? at + 1 : at;
                return true;
            }

            at++;
        }
    }

    /// <summary>A cell's text without quotes; false where it isn't UTF-8 or longer than the limit.</summary>
    internal bool TryText(
        ReadOnlySpan<byte> text, int index, PayloadBuffer buffer, ref DecodeFault fault, string? name, out ReadOnlySpan<byte> utf8)
    {
        utf8 = Bytes(text, index, buffer);
        if (utf8.Length > buffer.Limits.MaxTextBytes)
        {
            fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", _cells[index].Start, name);
            return false;
        }

        if (!Utf8.IsValid(utf8))
        {
            fault.Set(DeadLetterReason.Malformed, "the text is not UTF-8", _cells[index].Start, name);
            return false;
        }

        return true;
    }

    /// <summary>A cell without quotes, as it stands.</summary>
    internal ReadOnlySpan<byte> Bytes(ReadOnlySpan<byte> text, int index, PayloadBuffer buffer)
    {
        ref readonly var cell = ref _cells[index];
        var raw = text.Slice(cell.Start, cell.Length);
        if (!cell.HasQuotes)
        {
            return raw;
        }

        var room = buffer.Text(raw.Length);
        int written = 0;
        while (true)
        {
            int quote = raw.IndexOf((byte)'"');
            if (quote < 0)
            {
                raw.CopyTo(room[written..]);
                return room[..(written + raw.Length)];
            }

            raw[..(quote + 1)].CopyTo(room[written..]);
            written += quote + 1;
            raw = raw[(quote + 2)..];
        }
    }

    private Cell ReadPlain(ReadOnlySpan<byte> text, ref int at, ref DecodeFault fault)
    {
        int start = at;
        int length = text[at..].IndexOfAny(_stops);
        at = length < 0 ? text.Length : at + length;
        if (at < text.Length && text[at] == '"')
        {
            fault.Set(DeadLetterReason.Malformed, "a quotation mark stands within a cell that is not quoted", at);
        }
        else if (at < text.Length && text[at] == '\r' && (at + 1 == text.Length || text[at + 1] != '\n'))
        {
            fault.Set(DeadLetterReason.Malformed, "a carriage return stands alone", at);
        }

        return new Cell(start, at - start, IsQuoted: false, HasQuotes: false);
    }

    private Cell ReadQuoted(ReadOnlySpan<byte> text, ref int at, ref DecodeFault fault)
    {
        int start = ++at;
        bool hasQuotes = false;
        while (true)
        {
            int quote = text[at..].IndexOf((byte)'"');
            if (quote < 0)
            {
                fault.Set(DeadLetterReason.Malformed, "a quoted cell has no end", start);
                return default;
            }

            at += quote + 1;
            if (at == text.Length || text[at] != '"')
            {
                break;
            }

            hasQuotes = true;
            at++;
        }

        bool isEnd = at == text.Length || text[at] == _separator || text[at] == '\n'
            || (text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n');
        if (!isEnd)
        {
            fault.Set(DeadLetterReason.Malformed, "something follows a quoted cell", at);
        }

        return new Cell(start, at - 1 - start, IsQuoted: true, hasQuotes);
    }

    private void Add(Cell cell)
    {
        if (Count == _cells.Length)
        {
            Array.Resize(ref _cells, Count * 2);
        }

        _cells[Count++] = cell;
    }

    /// <summary>Where a cell stands, without its quotes; <paramref name="HasQuotes"/> where some are doubled within.</summary>
    internal readonly record struct Cell(int Start, int Length, bool IsQuoted, bool HasQuotes);
}
