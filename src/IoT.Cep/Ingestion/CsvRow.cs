using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The cells of one row of CSV, for reading an event by hand; columns are counted from 0. Where a cell is missing or has
/// another type, the method gives a default value and the whole payload becomes a dead letter that names the column.
/// </summary>
/// <remarks>Valid only during the call.</remarks>
public ref struct CsvRow
{
    private CsvValues _values;

    internal CsvRow(CsvValues values) => _values = values;

    /// <summary>How many cells the row has.</summary>
    public readonly int Count => _values.Cells.Count;

    /// <summary>Whether nothing failed so far.</summary>
    public readonly bool Ok => _values.Fault.Ok;

    internal readonly DecodeFault Fault => _values.Fault;

    /// <summary>Whether the cell is missing, or empty and not in quotes.</summary>
    /// <param name="column">The column, from 0.</param>
    public readonly bool IsEmpty(int column) => (uint)column >= (uint)Count || _values.IsEmpty(column);

    /// <summary>A cell as a number. NaN and infinities are not numbers.</summary>
    /// <param name="column">The column, from 0.</param>
    public double Number(int column) => Has(column) ? Named(_values.Number(column, ""), column) : 0;

    /// <summary>A cell as a whole number of 64 bits.</summary>
    /// <param name="column">The column, from 0.</param>
    public long Integer(int column) => Has(column) ? Named(_values.Integer(column, ""), column) : 0;

    /// <summary>A cell as text, out of the bounded pool of strings; an empty cell gives "".</summary>
    /// <param name="column">The column, from 0.</param>
    public string Text(int column) => Has(column) ? Named(_values.Text(column, ""), column) : "";

    /// <summary>A cell as a time: ISO 8601 with T or a space (UTC where it has no zone), or seconds below 10^11 or else milliseconds since 1970.</summary>
    /// <param name="column">The column, from 0.</param>
    public DateTimeOffset Time(int column) => Has(column) ? Ticks.ToTime(Named(_values.Time(column, ""), column)) : default;

    /// <summary>A cell as true or false: <c>true</c>, <c>false</c>, <c>1</c> or <c>0</c>, in any case.</summary>
    /// <param name="column">The column, from 0.</param>
    public bool Boolean(int column) => Has(column) && Named(_values.Boolean(column, ""), column);

    internal bool TryReadRow(ref int at) => _values.TryReadRow(ref at);

    internal void TooMany(int at) => _values.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", at);

    private bool Has(int column)
    {
        if (!Ok)
        {
            return false;
        }

        if ((uint)column < (uint)Count)
        {
            return true;
        }

        _values.Fault.Set(DeadLetterReason.MissingField, "the row has no such cell", -1, Name(column));
        return false;
    }

    // The column's name is made only where the cell failed.
    private TValue Named<TValue>(TValue value, int column)
    {
        if (!Ok)
        {
            _values.Fault.Name(Name(column));
        }

        return value;
    }

    private static string Name(int column) => string.Create(CultureInfo.InvariantCulture, $"column {column}");
}
