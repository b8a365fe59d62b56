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

    private readonly ref readonly Payload _payload;
    private readonly long _receivedTicks;

    internal CsvRow(CsvValues values, in Payload payload, long receivedTicks)
    {
        _values = values;
        _payload = ref payload;
        _receivedTicks = receivedTicks;
    }

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

    /// <summary>
    /// What stands in a place of the topic: <c>row.Topic("sensor")</c> where the source was taken by <c>plant/{sensor}</c>. Where the topic has no such place it
    /// gives "", and the payload becomes a dead letter.
    /// </summary>
    /// <param name="place">The place's name.</param>
    public string Topic(string place)
    {
        if (MessageParts.Topic(in _payload, place, _values.Buffer, _values.Strings) is { } text)
        {
            return text;
        }

        _values.Fault.Set(DeadLetterReason.MissingField, MessageParts.NoSuchPlace, -1, place);
        return "";
    }

    /// <summary>A header that came beside the body (an MQTT user property, an HTTP header field); null where there is none.</summary>
    /// <param name="name">The header's name; the case of ASCII letters does not matter.</param>
    public readonly string? Header(string name) => _payload.Headers.Find(name);

    /// <summary>When the payload was received.</summary>
    public readonly DateTimeOffset Received => Ticks.ToTime(_receivedTicks);

    /// <summary>When its sender says that it sent it; null where it does not say.</summary>
    public readonly DateTimeOffset? Sent => _payload.SentTicks == 0 ? null : Ticks.ToTime(_payload.SentTicks);

    /// <summary>Who sent it, as the listener proved it; null where nobody did.</summary>
    public readonly string? Sender => _payload.Sender;

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
