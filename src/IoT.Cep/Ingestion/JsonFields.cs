using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The members of one JSON object, for reading an event by hand. Each method takes a member's name in UTF-8
/// (<c>"temperature"u8</c>). Where a member is missing, stands twice or has another type, the method gives a default value and
/// the whole payload becomes a dead letter that names the member.
/// </summary>
/// <remarks>Valid only during the call. A look-up costs a comparison where members are asked for in the payload's order.</remarks>
public ref struct JsonFields
{
    private readonly JsonMembers _members;
    private readonly PayloadBuffer _buffer;
    private readonly StringPool _strings;
    private readonly ref readonly Payload _payload;
    private readonly long _receivedTicks;
    private JsonScanner _json;
    private int _expected;

    internal JsonFields(ReadOnlySpan<byte> bytes, in Payload payload, JsonMembers members, PayloadBuffer buffer, StringPool strings, long receivedTicks)
    {
        _payload = ref payload;
        _receivedTicks = receivedTicks;
        _json = new JsonScanner(bytes, buffer.MaxDepth);
        _members = members;
        _buffer = buffer;
        _strings = strings;
    }

    /// <summary>Whether nothing failed so far.</summary>
    public readonly bool Ok => _json.Fault.Ok;

    internal readonly DecodeFault Fault => _json.Fault;

    /// <summary>A member as a number.</summary>
    /// <param name="name">The member's name.</param>
    public double Number(ReadOnlySpan<byte> name) => Seek(name) ? Named(JsonValues.Number(ref _json, ""), name) : 0;

    /// <summary>A member as a number, or another number where it is missing or null.</summary>
    /// <param name="name">The member's name.</param>
    /// <param name="otherwise">What a missing member gives.</param>
    public double Number(ReadOnlySpan<byte> name, double otherwise) => Has(name) ? Number(name) : otherwise;

    /// <summary>A member as a whole number of 64 bits.</summary>
    /// <param name="name">The member's name.</param>
    public long Integer(ReadOnlySpan<byte> name) => Seek(name) ? Named(JsonValues.Integer(ref _json, ""), name) : 0;

    /// <summary>A member as text, out of the bounded pool of strings.</summary>
    /// <param name="name">The member's name.</param>
    public string Text(ReadOnlySpan<byte> name) => Seek(name) ? Named(JsonValues.Text(ref _json, _buffer, _strings, ""), name) : "";

    /// <summary>A member as text, or another text where it is missing or null.</summary>
    /// <param name="name">The member's name.</param>
    /// <param name="otherwise">What a missing member gives.</param>
    public string? Text(ReadOnlySpan<byte> name, string? otherwise) => Has(name) ? Text(name) : otherwise;

    /// <summary>A member as a time: ISO 8601, or seconds below 10^11 or else milliseconds since 1970-01-01 UTC.</summary>
    /// <param name="name">The member's name.</param>
    public DateTimeOffset Time(ReadOnlySpan<byte> name) =>
        Seek(name) ? Ticks.ToTime(Named(JsonValues.Time(ref _json, _buffer, ""), name)) : default;

    /// <summary>A member as true or false.</summary>
    /// <param name="name">The member's name.</param>
    public bool Boolean(ReadOnlySpan<byte> name) => Seek(name) && Named(JsonValues.Boolean(ref _json, ""), name);

    /// <summary>
    /// What stands in a place of the topic: <c>f.Topic("sensor")</c> where the source was taken by <c>plant/{sensor}</c>. Where the topic has no such place it
    /// gives "", and the payload becomes a dead letter.
    /// </summary>
    /// <param name="place">The place's name.</param>
    public string Topic(string place)
    {
        if (MessageParts.Topic(in _payload, place, _buffer, _strings) is { } text)
        {
            return text;
        }

        _json.Fault.Set(DeadLetterReason.MissingField, MessageParts.NoSuchPlace, -1, place);
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

    /// <summary>Whether the member is there and not null.</summary>
    /// <param name="name">The member's name.</param>
    public bool Has(ReadOnlySpan<byte> name)
    {
        int found = _members.Find(ref _json, name, _expected, _buffer);
        if (found < 0)
        {
            return false;
        }

        _json.Position = _members[found].Value;
        return _json.Peek() != 'n';
    }

    internal bool TryBeginArray()
    {
        if (_json.Peek() != '[')
        {
            return false;
        }

        _json.Take();
        _json.Depth++;
        return true;
    }

    internal bool MoveNextElement(ref bool isFirst) => _json.MoveNext((byte)']', ref isFirst);

    internal bool TryReadObject()
    {
        _expected = 0;
        return _members.TryRead(ref _json);
    }

    /// <summary>Reading by hand moves about within the object; what follows stands behind it.</summary>
    internal void LeaveObject() => _json.Position = _members.End;

    internal bool MoveNextLine() => _json.MoveNextLine();

    internal bool TryEnd() => _json.Fault.Ok && _json.TryEnd();

    internal void TooMany() => _json.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", _json.Position);

    private bool Seek(ReadOnlySpan<byte> name)
    {
        if (!_json.Fault.Ok)
        {
            return false;
        }

        int found = _members.Find(ref _json, name, _expected, _buffer);
        if (found < 0)
        {
            _json.Fault.Set(DeadLetterReason.MissingField, DecodeFault.What(DeadLetterReason.MissingField), -1, Show(name));
            return false;
        }

        if (_members.HasAnother(ref _json, name, found, _buffer))
        {
            _json.Fault.Set(DeadLetterReason.DuplicateField, DecodeFault.What(DeadLetterReason.DuplicateField), -1, Show(name));
            return false;
        }

        _expected = found + 1;
        _json.Position = _members[found].Value;
        return true;
    }

    // The name's string is made only where the value failed.
    private TValue Named<TValue>(TValue value, ReadOnlySpan<byte> name)
    {
        if (!_json.Fault.Ok)
        {
            _json.Fault.Name(Show(name));
        }

        return value;
    }

    private static string Show(ReadOnlySpan<byte> name) => SafeText.Escape(name, 64);
}
