using System.Buffers;

namespace IoT.Cep;

/// <summary>The names of an event type's fields as lines have them, and in which order they came last: devices send the same fields in the same order each time.</summary>
internal sealed class LineNames
{
    /// <summary>What ends a measurement or a tag's value, but for its escapes.</summary>
    internal static readonly SearchValues<byte> Ends = SearchValues.Create(", \\\n"u8);

    /// <summary>What ends a key, but for its escapes.</summary>
    internal static readonly SearchValues<byte> KeyEnds = SearchValues.Create("=, \\\n"u8);

    // A name that must be escaped is never found by its bytes: this one is not UTF-8.
    private static readonly byte[] _never = [0xFF];

    private readonly byte[][] _assigned;

    // By the field before, and at the start of a line by -1.
    private readonly int[] _next;

    internal LineNames(FieldNames names)
    {
        Names = names;
        Measurement = names.Find("measurement"u8);
        _assigned = new byte[names.Count + 1][];
        for (int i = 0; i < names.Count; i++)
        {
            byte[] name = [.. names.Schema.Fields[i].Utf8Name.Span, (byte)'='];
            _assigned[i] = name.Length == 1 || name.AsSpan(..^1).ContainsAny(KeyEnds) ? _never : name;
        }

        _assigned[^1] = _never;
        _next = new int[names.Count + 1];
        Array.Fill(_next, names.Count);
    }

    internal FieldNames Names { get; }

    /// <summary>The field that is the measurement, or -1.</summary>
    internal int Measurement { get; }

    /// <summary>The field that came last behind this one; its name with the sign behind it is <see cref="Assigned"/>.</summary>
    internal int After(int field) => _next[field + 1];

    internal ReadOnlySpan<byte> Assigned(int field) => _assigned[field];

    internal void Remember(int before, int field) => _next[before + 1] = field;
}
