using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Hands the metrics of a node or a device over to an event type: who it is, the time, and each member that was told.</summary>
internal ref struct SparkplugFieldReader : IPayloadReader
{
    private readonly SparkplugSource _source;
    private readonly SparkplugKind _kind;
    private readonly SparkplugEntry[]? _members;
    private readonly long _ticks;
    private readonly SparkplugNames _names;
    private readonly StringPool _strings;
    private DecodeFault _fault;
    private ulong _rest;
    private int _field = -1;

    internal SparkplugFieldReader(SparkplugSource source, SparkplugKind kind, SparkplugEntry[]? members, ulong told, long ticks, SparkplugNames names, StringPool strings)
    {
        (_source, _kind, _members, _ticks, _names, _strings) = (source, kind, members, ticks, names, strings);
        _rest = told | names.Always | (source.Device is null ? 0 : SparkplugNames.Bit(names.Device));
    }

    public readonly bool Ok => _fault.Ok;

    internal readonly DecodeFault Fault => _fault;

    private readonly bool IsMetric => _members is not null && (SparkplugNames.Bit(_field) & (_names.Always | SparkplugNames.Bit(_names.Device))) == 0;

    public bool Next(out int field)
    {
        field = -1;
        if (!Ok || _rest == 0)
        {
            return false;
        }

        _field = field = System.Numerics.BitOperations.TrailingZeroCount(_rest);
        _rest &= _rest - 1;
        return true;
    }

    public double Number()
    {
        if (!Is(SparkplugValue.Number))
        {
            Wrong("the value is not a number");
            return 0;
        }

        return _members![_field].Number;
    }

    public long Integer()
    {
        if (!Is(SparkplugValue.Number))
        {
            Wrong("the value is not a whole number");
            return 0;
        }

        ref readonly var entry = ref _members![_field];
        if (!entry.IsReal)
        {
            // One of 64 bits without a sign that is past 2^63 is negative as a long.
            if (entry.Number >= 0 && entry.Whole < 0)
            {
                _fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", -1, _names.Names.Name(_field));
            }

            return entry.Whole;
        }

        // Whole numbers are exact in a double up to 2^53.
        if (Math.Abs(entry.Number) <= 1L << 53 && entry.Number == Math.Truncate(entry.Number))
        {
            return (long)entry.Number;
        }

        Wrong("the value is not a whole number");
        return 0;
    }

    public string Text()
    {
        if (!IsMetric)
        {
            return _field == _names.Group ? _source.Node.Group
                : _field == _names.Node ? _source.Node.Node
                : _field == _names.Device ? _source.Device ?? ""
                : _field == _names.Kind ? NameOf(_kind)
                : _source.Path;
        }

        ref readonly var entry = ref _members![_field];
        if (entry.Value == SparkplugValue.Number && !entry.IsReal && _names.Names.EnumName(_field, entry.Whole) is { } name)
        {
            return name;
        }

        if (entry.Value != SparkplugValue.Text)
        {
            Wrong("the value is not text");
        }

        return entry.Text;
    }

    public long Time()
    {
        if (!IsMetric)
        {
            return _ticks;
        }

        ref readonly var entry = ref _members![_field];
        long ticks = 0;
        var result = entry.Value switch
        {
            SparkplugValue.Number => BinaryTimes.FromNumber(entry.Number, out ticks),
            SparkplugValue.Text => Parse(entry.Text, out ticks),
            SparkplugValue.Time => TimeResult.Ok,
            _ => TimeResult.NotATime,
        };
        if (result != TimeResult.Ok)
        {
            Wrong("the value is not a time: give a DateTime, ISO 8601 or a number since 1970");
            return 0;
        }

        return entry.Value == SparkplugValue.Time ? entry.Whole : ticks;
    }

    public bool Boolean()
    {
        if (!Is(SparkplugValue.Boolean))
        {
            Wrong("the value is neither true nor false");
            return false;
        }

        return _members![_field].Whole != 0;
    }

    public readonly bool IsNull() => IsMetric && _members![_field].Value == SparkplugValue.None;

    public void Fail(DeadLetterReason reason, int field) => _fault.SetField(reason, field, -1, _names.Names.Schema);

    public void Fail(DeadLetterReason reason, string what, string name) => _fault.Set(reason, what, -1, name);

    private readonly bool Is(SparkplugValue kind) => IsMetric && _members![_field].Value == kind;

    private void Wrong(string what) => _fault.Set(DeadLetterReason.WrongType, what, -1, _names.Names.Name(_field));

    private static string NameOf(SparkplugKind kind) => kind switch
    {
        SparkplugKind.Birth => nameof(SparkplugKind.Birth),
        SparkplugKind.Death => nameof(SparkplugKind.Death),
        _ => nameof(SparkplugKind.Data),
    };

    private static TimeResult Parse(string text, out long ticks)
    {
        ticks = 0;
        Span<byte> utf8 = stackalloc byte[64];
        return text.Length <= utf8.Length && Ascii.FromUtf16(text, utf8, out int length) == System.Buffers.OperationStatus.Done
            ? Utf8Times.Parse(utf8[..length], out ticks)
            : TimeResult.NotATime;
    }
}
