using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What kind of value a SenML record has.</summary>
public enum SenMlValueKind : byte
{
    /// <summary>None; the record has only a sum.</summary>
    None,

    /// <summary>A number (<c>v</c>).</summary>
    Number,

    /// <summary>Text (<c>vs</c>).</summary>
    Text,

    /// <summary>True or false (<c>vb</c>).</summary>
    Boolean,

    /// <summary>Bytes (<c>vd</c>), in base64 with the alphabet for URLs.</summary>
    Data,
}

/// <summary>How closely a payload must follow RFC 8428.</summary>
public enum SenMlMode
{
    /// <summary>RFC 8428, section 4: an array of records.</summary>
    Strict,

    /// <summary>
    /// Also what devices sent before the RFC: an object <c>{"e":[...],"bt":...,"bn":...}</c> whose times (<c>bt</c>, <c>t</c>) are in
    /// milliseconds, numbers in quotes, text under <c>sv</c>, and the sensor's name in a record named <c>source</c> where there is no <c>bn</c>.
    /// Names may hold any character.
    /// </summary>
    Lenient,
}

/// <summary>One SenML record with its base values applied (RFC 8428, section 4.6). Valid only during the call.</summary>
public readonly ref struct SenMlRecord
{
    private readonly ref readonly Payload _payload;
    private readonly SenMlParts _parts;

    internal SenMlRecord(string name, string unit, string text, in SenMlEntry entry, in Payload payload, SenMlParts parts)
    {
        _payload = ref payload;
        _parts = parts;
        Name = name;
        Unit = unit;
        Text = text;
        Ticks = entry.Ticks;
        Kind = entry.Kind;
        Value = entry.Kind == SenMlValueKind.Number ? entry.Number : double.NaN;
        Boolean = entry.Kind == SenMlValueKind.Boolean && entry.Number != 0;
        Sum = entry.HasSum ? entry.Sum : null;
        UpdateTime = entry.UpdateTicks < 0 ? null : TimeSpan.FromTicks(entry.UpdateTicks);
    }

    /// <summary>
    /// What stands in a place of the topic: <c>r.Topic("sensor")</c> where the source was taken by <c>plant/{sensor}</c>. Where the topic has no such place it
    /// gives "", and the payload becomes a dead letter.
    /// </summary>
    /// <param name="place">The place's name.</param>
    public string Topic(string place) => _parts.Topic(in _payload, place);

    /// <summary>A header that came beside the body (an MQTT user property, an HTTP header field); null where there is none.</summary>
    /// <param name="name">The header's name; the case of ASCII letters does not matter.</param>
    public string? Header(string name) => _payload.Headers.Find(name);

    /// <summary>When the payload was received.</summary>
    public DateTimeOffset Received => Extensibility.Ticks.ToTime(_parts.ReceivedTicks);

    /// <summary>When its sender says that it sent it; null where it does not say.</summary>
    public DateTimeOffset? Sent => _payload.SentTicks == 0 ? null : Extensibility.Ticks.ToTime(_payload.SentTicks);

    /// <summary>Who sent it, as the listener proved it; null where nobody did.</summary>
    public string? Sender => _payload.Sender;

    /// <summary>The base name followed by the record's own name, out of the bounded pool of strings.</summary>
    public string Name { get; }

    /// <summary>The time. A relative one was added to the time at which the payload was received.</summary>
    public DateTimeOffset Time => Extensibility.Ticks.ToTime(Ticks);

    /// <summary>The time: 100 ns ticks since 1970-01-01 UTC.</summary>
    public long Ticks { get; }

    /// <summary>What kind of value the record has.</summary>
    public SenMlValueKind Kind { get; }

    /// <summary>The number, with the base value added; NaN where the record has none.</summary>
    public double Value { get; }

    /// <summary>The text, or the base64 of bytes; "" where the record has none.</summary>
    public string Text { get; }

    /// <summary>The Boolean value; false where the record has none.</summary>
    public bool Boolean { get; }

    /// <summary>The sum over time (<c>s</c>), with the base sum added; null where the record has none.</summary>
    public double? Sum { get; }

    /// <summary>The unit, or the base unit; "" where there is neither.</summary>
    public string Unit { get; }

    /// <summary>The longest time until the next record of this name (<c>ut</c>); null where it isn't told.</summary>
    public TimeSpan? UpdateTime { get; }
}

/// <summary>What a message brings beside its body, for the records of one decoder.</summary>
internal sealed class SenMlParts(PayloadLimits limits)
{
    private readonly PayloadBuffer _buffer = new(limits);
    private StringPool? _strings;

    /// <summary>A place that was asked for and that the topic doesn't have.</summary>
    internal string? Missing { get; private set; }

    internal long ReceivedTicks { get; private set; }

    internal void Begin(StringPool strings, long receivedTicks)
    {
        _strings = strings;
        ReceivedTicks = receivedTicks;
        Missing = null;
    }

    internal string Topic(in Payload payload, string place)
    {
        string? text = MessageParts.Topic(in payload, place, _buffer, _strings!);
        Missing ??= text is null ? place : null;
        return text ?? "";
    }
}

/// <summary>One record of a pack as it stands in the payload, with its base values applied.</summary>
internal struct SenMlEntry
{
    internal JsonText BaseName;
    internal JsonText Name;
    internal JsonText Unit;

    // The number's digits, the text or the base64.
    internal JsonText Text;
    internal SenMlValueKind Kind;
    internal bool HasSum;
    internal double Number;
    internal double Sum;
    internal long Ticks;
    internal long UpdateTicks;

    // Where the record becomes a field of an event: which, and the next record of the same event.
    internal int Field;
    internal int Next;

    internal readonly bool IsBaseOnly => Kind == SenMlValueKind.None && !HasSum;
}
