using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands one event of a SenML pack over to an event type: the base name, the time, then each record by its name.</summary>
internal ref struct SenMlFieldReader<TWire>(
    TWire wire, ReadOnlySpan<SenMlEntry> entries, FieldNames names, StringPool strings) : IPayloadReader
    where TWire : struct, ISenMlWire, allows ref struct
{
    internal TWire Wire = wire;
    private readonly ReadOnlySpan<SenMlEntry> _entries = entries;
    private SenMlEntries.Group _group;
    private Step _step;
    private int _entry;

    private enum Step : byte
    {
        Begin,
        Key,
        Time,
        Records,
    }

    public bool Ok => Wire.Ok;

    internal DecodeFault Fault => Wire.Fault;

    internal void Begin(in SenMlEntries.Group group)
    {
        _group = group;
        _entry = -1;
        _step = Step.Begin;
    }

    public bool Next(out int field)
    {
        field = -1;
        if (!Ok)
        {
            return false;
        }

        if (_step == Step.Begin)
        {
            _step = Step.Key;
            field = names.Schema.KeyIndex;
            if (field >= 0 && _group.Key.Length > 0)
            {
                return true;
            }
        }

        if (_step == Step.Key)
        {
            _step = Step.Time;
            field = names.Schema.TimeIndex;
            if (field >= 0)
            {
                return true;
            }
        }

        _entry = _step == Step.Time ? _group.First : _entries[_entry].Next;
        _step = Step.Records;
        field = _entry < 0 ? -1 : _entries[_entry].Field;
        return _entry >= 0;
    }

    public double Number()
    {
        if (!Is(SenMlValueKind.Number, "the value is not a number"))
        {
            return 0;
        }

        ref readonly var entry = ref _entries[_entry];
        return entry.Unit.Length > 0 && names.Schema.Fields[entry.Field].Unit is { } unit ? Converted(in entry, unit) : entry.Number;
    }

    public long Integer()
    {
        if (!Is(SenMlValueKind.Number, "the value is not a number"))
        {
            return 0;
        }

        ref readonly var entry = ref _entries[_entry];
        if (entry.Text.Length > 0)
        {
            if (Wire.TryInteger(entry.Text, out long value, out bool isWhole))
            {
                return value;
            }

            Fail(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, entry.Field);
            return 0;
        }

        // With a base value the number was added up as a double, whose whole numbers are exact to 2^53.
        if (Math.Abs(entry.Number) > 1L << 53 || entry.Number != Math.Truncate(entry.Number))
        {
            Fail(DeadLetterReason.WrongType, entry.Field);
            return 0;
        }

        return (long)entry.Number;
    }

    public string Text()
    {
        if (_step == Step.Key)
        {
            return _group.Key;
        }

        bool isText = _step == Step.Records && _entries[_entry].Kind is SenMlValueKind.Text or SenMlValueKind.Data;
        if (!isText)
        {
            WrongType("the value is not text");
        }

        return isText && Wire.TryBytes(_entries[_entry].Text, null, out var utf8) ? strings.Get(utf8) : "";
    }

    public long Time()
    {
        if (_step == Step.Time)
        {
            return _group.Ticks;
        }

        if (_step != Step.Records)
        {
            WrongType("the value is not a time");
            return 0;
        }

        ref readonly var entry = ref _entries[_entry];
        if (!Wire.TryBytes(entry.Text, null, out var utf8))
        {
            return 0;
        }

        long ticks = 0;
        var result = entry.Kind is SenMlValueKind.Number or SenMlValueKind.Text ? Utf8Times.ParseAny(utf8, out ticks) : TimeResult.NotATime;
        if (result != TimeResult.Ok)
        {
            Fail(result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, entry.Field);
        }

        return result == TimeResult.Ok ? ticks : 0;
    }

    public bool Boolean() => Is(SenMlValueKind.Boolean, "the value is neither true nor false") && _entries[_entry].Number != 0;

    public readonly bool IsNull() => false;

    public void Fail(DeadLetterReason reason, int field) =>
        Fail(reason, DecodeFault.What(reason), (uint)field < (uint)names.Count ? names.Name(field) : "");

    public void Fail(DeadLetterReason reason, string what, string name) => Wire.Fail(reason, what, -1, name);

    private double Converted(in SenMlEntry entry, string unit)
    {
        if (!Wire.TryBytes(entry.Unit, null, out var given))
        {
            return 0;
        }

        if (SenMlUnits.TryConvert(given, unit, entry.Number, out double value))
        {
            return value;
        }

        Wire.Fail(DeadLetterReason.WrongType, $"the unit '{SafeText.Escape(given, 32)}' is not '{unit}' and can't be converted", -1, names.Name(entry.Field));
        return 0;
    }

    private bool Is(SenMlValueKind kind, string what)
    {
        bool matches = _step == Step.Records && _entries[_entry].Kind == kind;
        if (!matches)
        {
            WrongType(what);
        }

        return matches;
    }

    private void WrongType(string what)
    {
        int field = _step switch
        {
            Step.Key => names.Schema.KeyIndex,
            Step.Time => names.Schema.TimeIndex,
            _ => _entries[_entry].Field,
        };
        Wire.Fail(DeadLetterReason.WrongType, what, -1, names.Name(field));
    }
}
