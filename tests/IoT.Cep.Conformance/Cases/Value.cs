using IoT.Cep.Extensibility;

namespace IoT.Cep.Conformance;

/// <summary>What a field has, or an expression gives: nothing, a number, a truth or a text.</summary>
internal readonly record struct Value
{
    private readonly ValueKind _kind;

    private Value(ValueKind kind, double number, string? text) => (_kind, Number, Text) = (kind, number, text);

    internal static Value Null => default;

    internal bool IsNull => _kind == ValueKind.Null;

    internal double Number { get; }

    internal string? Text { get; }

    internal static Value Of(double number) => new(ValueKind.Number, number, null);

    internal static Value Of(bool truth) => new(ValueKind.Truth, truth ? 1 : 0, null);

    internal static Value Of(string text) => new(ValueKind.Text, 0, text);

    internal bool IsTrue => _kind == ValueKind.Text ? Text!.Length > 0 : Number != 0;

    internal bool Is(Value other) => (_kind == ValueKind.Text) == (other._kind == ValueKind.Text) && Number == other.Number && Text == other.Text;

    /// <summary>Numbers by size, texts by their characters' codes.</summary>
    internal int CompareTo(Value other) => (_kind == ValueKind.Text, other._kind == ValueKind.Text) switch
    {
        (false, false) => Number.CompareTo(other.Number),
        (true, true) => string.CompareOrdinal(Text, other.Text),
        _ => throw new InvalidOperationException($"{this} and {other} have no order."),
    };

    public override string ToString() => _kind switch
    {
        ValueKind.Null => "null",
        ValueKind.Text => $"'{Text}'",
        ValueKind.Truth => Number != 0 ? "true" : "false",
        _ => Number.ToString("R", System.Globalization.CultureInfo.InvariantCulture),
    };

    internal void Save(StateWriter writer)
    {
        writer.Int32((int)_kind);
        writer.Double(Number);
        writer.Text(Text);
    }

    internal static Value Load(StateReader reader) => new((ValueKind)reader.Int32(), reader.Double(), reader.Text());
}

internal enum ValueKind
{
    Null,
    Number,
    Truth,
    Text,
}
