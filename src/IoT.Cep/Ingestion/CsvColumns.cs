using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Which field of an event type each column is: from names that were given, or from each payload's first row.</summary>
internal sealed class CsvColumns
{
    private readonly FieldNames _names;
    private int[] _fields = [];
    private byte[] _header = [];
    private ulong _missing;

    internal CsvColumns(FieldNames names, IReadOnlyList<string>? columns)
    {
        _names = names;
        IsGiven = columns is not null;
        if (columns is null)
        {
            return;
        }

        _fields = [.. columns.Select(c => names.Find(Encoding.UTF8.GetBytes(c)))];
        ulong seen = 0;
        for (int i = 0; i < _fields.Length; i++)
        {
            if (_fields[i] >= 0 && (seen & (1UL << _fields[i])) != 0)
            {
                throw new ArgumentException($"The column '{columns[i]}' stands twice.", nameof(columns));
            }

            seen |= _fields[i] >= 0 ? 1UL << _fields[i] : 0;
        }
    }

    /// <summary>Whether the columns were given, so that payloads have no header.</summary>
    internal bool IsGiven { get; }

    internal FieldNames Names => _names;

    internal int[] Fields => _fields;

    /// <summary>Binds the columns to a payload's header; the same header as before costs one comparison.</summary>
    /// <param name="text">The payload.</param>
    /// <param name="cells">Reads rows.</param>
    /// <param name="buffer">Unescapes names.</param>
    /// <param name="given">A bit for each field that needs no column.</param>
    /// <param name="at">Where the rows begin.</param>
    /// <param name="fault">What is wrong with the header.</param>
    internal bool TryReadHeader(ReadOnlySpan<byte> text, CsvCells cells, PayloadBuffer buffer, ulong given, ref int at, ref DecodeFault fault)
    {
        if (_header.Length > 0 && text.StartsWith(_header))
        {
            at = _header.Length;
            return HasRequired(given, ref fault);
        }

        if (!cells.TryReadRow(text, ref at, ref fault))
        {
            fault.Set(DeadLetterReason.Malformed, "the header is missing", 0);
            return false;
        }

        _header = [];
        _fields = new int[cells.Count];
        ulong seen = 0;
        for (int i = 0; i < cells.Count; i++)
        {
            if (!cells.TryText(text, i, buffer, ref fault, null, out var name))
            {
                return false;
            }

            int field = _names.Find(name.Trim((byte)' '));
            if (field >= 0 && (seen & (1UL << field)) != 0)
            {
                fault.SetField(DeadLetterReason.DuplicateField, field, cells[i].Start, _names.Schema);
                return false;
            }

            _fields[i] = field;
            seen |= field >= 0 ? 1UL << field : 0;
        }

        _missing = _names.Schema.RequiredMask & ~seen;
        // Only a header with its line's end is kept: "a,b" must not be taken for the start of "a,bc".
        _header = at > 0 && text[at - 1] == '\n' ? text[..at].ToArray() : [];
        return HasRequired(given, ref fault);
    }

    private bool HasRequired(ulong given, ref DecodeFault fault)
    {
        ulong missing = _missing & ~given;
        if (missing != 0)
        {
            fault.SetField(DeadLetterReason.MissingField, System.Numerics.BitOperations.TrailingZeroCount(missing), 0, _names.Schema);
        }

        return missing == 0;
    }
}
