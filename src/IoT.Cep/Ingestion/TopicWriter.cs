using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Fills a template's places from an event's fields: the topics of a sink.</summary>
internal sealed class TopicWriter<T>
    where T : IEvent<T>
{
    private readonly string[] _levels;

    // For each level, the field that stands there, or -1.
    private readonly int[] _fields;
    private readonly bool[] _isRest;

    internal TopicWriter(TopicTemplate template)
    {
        _levels = template.ToString().Split('/');
        _fields = new int[_levels.Length];
        _isRest = new bool[_levels.Length];
        for (int i = 0; i < _levels.Length; i++)
        {
            string level = _levels[i];
            if (level is "+" or "#")
            {
                throw new ArgumentException($"'{template}' can't be published to: give each place a name of a field of {T.Schema.TypeName}.");
            }

            bool isPlace = level is ['{', .., '}'];
            _isRest[i] = isPlace && level[1] == '*';
            _fields[i] = isPlace ? FieldNames.OfPlace(T.Schema, level[1..^1].TrimStart('*')) : -1;
            if (isPlace && _fields[i] < 0)
            {
                throw new ArgumentException($"{T.Schema.TypeName} has no field for the place '{level}' of '{template}'.");
            }
        }
    }

    internal string Fill(T value)
    {
        var writer = new Writer(new string?[T.Schema.Fields.Count]);
        T.WriteTo(ref writer, in value);
        var topic = new StringBuilder();
        for (int i = 0; i < _levels.Length; i++)
        {
            topic.Append(i > 0 ? "/" : "").Append(_fields[i] < 0 ? _levels[i] : Level(writer.Values[_fields[i]], i));
        }

        return topic.ToString();
    }

    // What a value brings of its own levels would stand in the place of others.
    private string Level(string? value, int level)
    {
        bool fits = !string.IsNullOrEmpty(value) && !value.AsSpan().ContainsAny('+', '#') && (_isRest[level] || !value.Contains('/', StringComparison.Ordinal)) && !value.Any(char.IsControl);
        return fits ? value! : throw new FormatException($"{_levels[level]}: '{SafeText.Escape(value ?? "", 64)}' can't be a level of a topic.");
    }

    private readonly struct Writer(string?[] values) : IFieldWriter
    {
        internal string?[] Values => values;

        public void Number(int field, double value) => values[field] = value.ToString("R", CultureInfo.InvariantCulture);

        public void Integer(int field, long value) => values[field] = value.ToString(CultureInfo.InvariantCulture);

        public void Text(int field, string value) => values[field] = value;

        public void Time(int field, long ticks)
        {
            Span<byte> text = stackalloc byte[32];
            values[field] = Encoding.ASCII.GetString(text[..Utf8Output.Time(text, ticks)]);
        }

        public void Boolean(int field, bool value) => values[field] = value ? "true" : "false";

        public void Null(int field)
        {
        }
    }
}
