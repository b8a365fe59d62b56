using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where the members of one JSON object stand in a payload, for reading them in any order. Used again for each object.</summary>
internal sealed class JsonMembers
{
    // A thousand members are no event; without a bound an object of empty names would make look-ups slow.
    private const int MaxMembers = 1024;

    private Member[] _members = new Member[16];
    private int _count;

    /// <summary>The place behind the object that was read last.</summary>
    internal int End { get; private set; }

    internal int Count => _count;

    internal Member this[int index] => _members[index];

    /// <summary>Takes the object at the scanner's place and checks that it is well-formed.</summary>
    internal bool TryRead(ref JsonScanner json)
    {
        _count = 0;
        End = 0;
        if (json.Peek() != '{')
        {
            if (json.TrySkipValue())
            {
                json.Fault.Set(DeadLetterReason.WrongType, "an object is expected", json.Position);
            }

            return false;
        }

        if (json.Depth >= json.MaxDepth)
        {
            json.Fault.Set(DeadLetterReason.TooDeep, "it is nested too deep", json.Position);
            return false;
        }

        json.Take();
        json.Depth++;
        bool isFirst = true;
        while (json.MoveNext((byte)'}', ref isFirst))
        {
            if (!json.TryName(out var name) || !TryAdd(ref json, name) || !json.TrySkipValue())
            {
                return false;
            }
        }

        json.Depth--;
        End = json.Position;
        return json.Fault.Ok;
    }

    /// <summary>The index of a member, or -1; the expected one is tried first.</summary>
    internal int Find(ref JsonScanner json, ReadOnlySpan<byte> name, int expected, PayloadBuffer buffer)
    {
        if (expected < _count && Is(ref json, expected, name, buffer))
        {
            return expected;
        }

        for (int i = 0; i < _count; i++)
        {
            if (Is(ref json, i, name, buffer))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Whether another member than this one has the name.</summary>
    internal bool HasAnother(ref JsonScanner json, ReadOnlySpan<byte> name, int found, PayloadBuffer buffer)
    {
        for (int i = 0; i < _count; i++)
        {
            if (i != found && Is(ref json, i, name, buffer))
            {
                return true;
            }
        }

        return false;
    }

    private bool Is(ref JsonScanner json, int index, ReadOnlySpan<byte> name, PayloadBuffer buffer)
    {
        var text = _members[index].Name;
        if (!text.IsEscaped)
        {
            return text.Length == name.Length && json.Slice(text).SequenceEqual(name);
        }

        var room = buffer.Text(text.Length);
        int length = JsonEscapes.Unescape(json.Slice(text), room);
        return length >= 0 && name.SequenceEqual(room[..length]);
    }

    private bool TryAdd(ref JsonScanner json, JsonText name)
    {
        if (_count == MaxMembers)
        {
            json.Fault.Set(DeadLetterReason.TooLarge, "an object has more than 1,024 members", name.Start);
            return false;
        }

        if (_count == _members.Length)
        {
            Array.Resize(ref _members, _count * 2);
        }

        _members[_count++] = new Member(name, json.Position);
        return true;
    }

    internal readonly record struct Member(JsonText Name, int Value);
}
