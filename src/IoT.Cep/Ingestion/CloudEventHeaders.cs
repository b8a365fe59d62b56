using System.Collections;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// An envelope's attributes as headers <c>ce-...</c>, in front of those that the message has itself. Their texts are kept as bytes, and become strings only where somebody asks: an
/// event's identity is another each time.
/// </summary>
internal sealed class CloudEventHeaders : IReadOnlyList<KeyValuePair<string, string>>
{
    private const string Prefix = "ce-";

    private readonly List<(int Name, int NameLength, int Value, int ValueLength)> _attributes = [];
    private PayloadHeaders _outer;
    private string? _outerPrefix;
    private byte[] _bytes = new byte[256];
    private int _length;

    public int Count => _attributes.Count + _outer.Count;

    internal StringPool? Strings { get; set; }

    public KeyValuePair<string, string> this[int index]
    {
        get
        {
            if (index < _attributes.Count)
            {
                var (name, nameLength, value, valueLength) = _attributes[index];
                return new(Prefix + Encoding.UTF8.GetString(_bytes, name, nameLength), Encoding.UTF8.GetString(_bytes, value, valueLength));
            }

            return _outer[index - _attributes.Count];
        }
    }

    /// <summary>Begins a message.</summary>
    /// <param name="outer">The headers that it has itself.</param>
    /// <param name="prefix">What stands in front of attributes' names among them; null where they hold none.</param>
    internal void Begin(PayloadHeaders outer, string? prefix)
    {
        _outer = outer;
        _outerPrefix = prefix;
        _attributes.Clear();
        _length = 0;
    }

    /// <summary>Keeps a name's bytes, which may stand in a buffer that the value's need next.</summary>
    internal int Store(ReadOnlySpan<byte> bytes)
    {
        if (_bytes.Length - _length < bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + bytes.Length));
        }

        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
        return _length - bytes.Length;
    }

    internal void Add(int name, int nameLength, ReadOnlySpan<byte> value) => _attributes.Add((name, nameLength, Store(value), value.Length));

    /// <summary>An attribute's value; empty where there is none.</summary>
    internal ReadOnlySpan<byte> Value(ReadOnlySpan<byte> attribute)
    {
        foreach (var (name, nameLength, value, valueLength) in _attributes)
        {
            if (_bytes.AsSpan(name, nameLength).SequenceEqual(attribute))
            {
                return _bytes.AsSpan(value, valueLength);
            }
        }

        return default;
    }

    internal string? Find(string name)
    {
        if (name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            var attribute = name.AsSpan(Prefix.Length);
            foreach (var (start, length, value, valueLength) in _attributes)
            {
                if (Ascii.EqualsIgnoreCase(_bytes.AsSpan(start, length), attribute))
                {
                    return Strings!.Get(_bytes.AsSpan(value, valueLength));
                }
            }

            if (_outerPrefix is { } prefix)
            {
                for (int i = 0; i < _outer.Count; i++)
                {
                    var (key, text) = _outer[i];
                    if (key.Length == prefix.Length + attribute.Length && key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) && key.AsSpan(prefix.Length).Equals(attribute, StringComparison.OrdinalIgnoreCase))
                    {
                        return text;
                    }
                }
            }
        }

        return _outer.Find(name);
    }

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
