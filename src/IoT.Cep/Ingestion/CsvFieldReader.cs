using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands the cells of rows over to an event type by the names of their columns.</summary>
internal ref struct CsvFieldReader(CsvValues values, FieldNames names, int[] fields) : IPayloadReader
{
    private CsvValues _values = values;
    private int _cell = -1;

    public readonly bool Ok => _values.Fault.Ok;

    internal readonly DecodeFault Fault => _values.Fault;

    internal bool TryReadRow(ref int at)
    {
        _cell = -1;
        int start = at;
        if (!_values.TryReadRow(ref at))
        {
            return false;
        }

        if (_values.Cells.Count != fields.Length)
        {
            _values.Fault.Set(
                DeadLetterReason.Malformed,
                _values.Cells.Count > fields.Length ? "a row has more cells than there are columns" : "a row has fewer cells than there are columns",
                start);
            return false;
        }

        return true;
    }

    public bool Next(out int field)
    {
        field = -1;
        while (Ok && ++_cell < fields.Length)
        {
            if (fields[_cell] >= 0)
            {
                field = fields[_cell];
                return true;
            }
        }

        return false;
    }

    public double Number() => _values.Number(_cell, Name);

    public long Integer() => _values.Integer(_cell, Name);

    public string Text() => _values.Text(_cell, Name);

    public long Time() => _values.Time(_cell, Name);

    public bool Boolean() => _values.Boolean(_cell, Name);

    public readonly bool IsNull() => _values.IsEmpty(_cell);

    public void Fail(DeadLetterReason reason, int field) =>
        _values.Fault.SetField(reason, field, _cell >= 0 && _cell < fields.Length ? _values.Position(_cell) : -1, names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _values.Fault.Set(reason, what, -1, name);

    internal void TooMany(int at) => _values.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", at);

    private readonly string Name => names.Name(fields[_cell]);
}
