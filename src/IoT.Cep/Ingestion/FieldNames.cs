using System.Runtime.InteropServices;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The payload's names of an event type's fields. Devices send the same fields in the same order each time, so readers
/// first compare with the field after the last one; only where that fails is the name looked up here.
/// </summary>
internal sealed class FieldNames
{
    private readonly byte[][] _names;
    private readonly byte[][] _quoted;
    private readonly ulong[] _keys;
    private readonly string[] _texts;
    private readonly KeyValuePair<long, string>[][] _enums;

    internal FieldNames(EventSchema schema)
    {
        Schema = schema;
        _texts = [.. schema.Fields.Select(f => f.Name)];
        _names = [.. schema.Fields.Select(f => f.Utf8Name.ToArray())];
        _keys = [.. _names.Select(n => Key(n))];
        _enums = [.. schema.Fields.Select(f => f.EnumNames.ToArray())];
        _quoted = [.. _names.Select(Quote)];
    }

    internal EventSchema Schema { get; }

    internal int Count => _names.Length;

    /// <summary>The name in JSON's quotes, to be compared with the bytes of a payload as they are; never matches where JSON must escape it.</summary>
    internal ReadOnlySpan<byte> Quoted(int field) => _quoted[field];

    internal string Name(int field) => _texts[field];

    /// <summary>The name of an enum's value, where formats send the value; null where the field is no enum or the value has no name.</summary>
    internal string? EnumName(int field, long value)
    {
        foreach (var (known, name) in _enums[field])
        {
            if (known == value)
            {
                return name;
            }
        }

        return null;
    }

    internal bool Is(int field, ReadOnlySpan<byte> name) => _names[field].AsSpan().SequenceEqual(name);

    /// <summary>The field of this name, or -1.</summary>
    internal int Find(ReadOnlySpan<byte> name)
    {
        ulong key = Key(name);
        var keys = _keys.AsSpan();
        for (int from = 0; from < keys.Length;)
        {
            int found = keys[from..].IndexOf(key);
            if (found < 0)
            {
                return -1;
            }

            found += from;
            if (_names[found].AsSpan().SequenceEqual(name))
            {
                return found;
            }

            from = found + 1;
        }

        return -1;
    }

    /// <summary>The field that a topic's place is: the one of that payload name, else of that member name; -1 where there is none.</summary>
    internal static int OfPlace(EventSchema schema, string place)
    {
        for (int i = 0; i < schema.Fields.Count; i++)
        {
            if (schema.Fields[i].Name == place)
            {
                return i;
            }
        }

        for (int i = 0; i < schema.Fields.Count; i++)
        {
            string member = schema.Fields[i].Member;
            if (member == place || JsonNamingPolicy.CamelCase.ConvertName(member) == place)
            {
                return i;
            }
        }

        return -1;
    }

    // The length, the first and the last bytes tell most names of one type apart, at the cost of one comparison of 64 bits.
    private static ulong Key(ReadOnlySpan<byte> name) => name.Length switch
    {
        >= 8 => MemoryMarshal.Read<ulong>(name) ^ ((ulong)name.Length << 56) ^ name[^1],
        >= 4 => MemoryMarshal.Read<uint>(name) | ((ulong)MemoryMarshal.Read<uint>(name[^4..]) << 32),
        >= 1 => name[0] | ((ulong)name[name.Length / 2] << 8) | ((ulong)name[^1] << 16) | ((ulong)name.Length << 56),
        _ => 0,
    };

    private static byte[] Quote(byte[] name) => name.Any(b => b is < 0x20 or (byte)'"' or (byte)'\\')
        ? [0]
        : [(byte)'"', .. name, (byte)'"'];
}
