using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The keys of an event type's fields in CBOR: the names, and the numbers of those that have one.</summary>
internal sealed class CborNames
{
    private readonly byte[][] _keys;
    private readonly int[] _numbers;

    internal CborNames(EventSchema schema, bool byNumber)
    {
        Names = new FieldNames(schema);
        _numbers = [.. schema.Fields.Select(f => f.Number ?? FieldAttribute.NoNumber)];
        _keys = [.. schema.Fields.Select(f => Encode(f, byNumber))];
    }

    internal FieldNames Names { get; }

    /// <summary>A key as devices write it: what is compared with a payload's bytes first.</summary>
    internal ReadOnlySpan<byte> Key(int field) => _keys[field];

    internal int Find(int number) => number == FieldAttribute.NoNumber ? -1 : Array.IndexOf(_numbers, number);

    private static byte[] Encode(EventField field, bool byNumber)
    {
        var output = new ArrayBufferWriter<byte>();
        if (byNumber && field.Number is { } number)
        {
            CborOutput.Integer(output, number);
        }
        else
        {
            CborOutput.Head(output, CborMajor.Text, (ulong)field.Utf8Name.Length);
            output.Write(field.Utf8Name.Span);
        }

        return output.WrittenSpan.ToArray();
    }
}
