using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The first thing that was wrong with a payload. Setting it costs no allocation; the text is made once, when the
/// payload is rejected.
/// </summary>
internal struct DecodeFault
{
    private DeadLetterReason _reason;
    private string? _what;
    private string? _name;
    private int _position;

    internal readonly bool Ok => _what is null;

    internal void Set(DeadLetterReason reason, string what, int position, string? name = null)
    {
        if (_what is null)
        {
            _reason = reason;
            _what = what;
            _position = position;
            _name = name;
        }
    }

    /// <summary>What the generated reader reports: it knows the field, not the place.</summary>
    internal void SetField(DeadLetterReason reason, int field, int position, EventSchema schema) => Set(
        reason, What(reason), position, (uint)field < (uint)schema.Fields.Count ? schema.Fields[field].Name : null);

    /// <summary>Names the field of a failure that was found without one.</summary>
    internal void Name(string name) => _name = string.IsNullOrEmpty(_name) ? name : _name;

    internal readonly void Reject<T>(EventBuffer<T> output)
    {
        string place = _position < 0 ? "" : $" (at byte {_position})";
        output.Reject(_reason, string.IsNullOrEmpty(_name) ? $"{_what}{place}." : $"{SafeText.Escape(_name, 64)}: {_what}{place}.");
    }

    internal static string What(DeadLetterReason reason) => reason switch
    {
        DeadLetterReason.MissingField => "the field is missing",
        DeadLetterReason.DuplicateField => "the field stands twice",
        DeadLetterReason.WrongType => "the value has the wrong type",
        DeadLetterReason.OutOfRange => "the value is out of range",
        DeadLetterReason.TooDeep => "it is nested too deep",
        DeadLetterReason.TooLarge => "it is too large",
        _ => "it is malformed",
    };
}
