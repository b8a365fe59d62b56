using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The records of one payload and the events that they make up. Memory grows to the largest payload so far, within the limits.</summary>
internal sealed class SenMlEntries
{
    // Kept between payloads; what a larger one needed is given back with the next payload.
    private const int KeptEntries = 4096;

    private Dictionary<(string Base, long Ticks), int> _known = [];
    private SenMlEntry[] _entries = new SenMlEntry[16];
    private Group[] _groups = new Group[4];
    private int _count;
    private int _groupCount;

    internal int Count => _count;

    internal Span<SenMlEntry> Span => _entries.AsSpan(0, _count);

    internal ReadOnlySpan<Group> Groups => _groups.AsSpan(0, _groupCount);

    internal void Clear()
    {
        _count = 0;
        _groupCount = 0;
        _known.Clear();
        if (_entries.Length > KeptEntries)
        {
            _entries = new SenMlEntry[16];
        }

        if (_groups.Length > KeptEntries)
        {
            _groups = new Group[4];
            _known = [];
        }
    }

    internal ref SenMlEntry Add()
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _count * 2);
        }

        return ref _entries[_count++];
    }

    internal void TakeBack() => _count--;

    /// <summary>
    /// Puts records of the same base name and time together, wherever they stand in the pack, in the order of each event's first record.
    /// Records that the event type doesn't have are passed over.
    /// </summary>
    internal bool TryGroup<TWire>(ref TWire wire, FieldNames names, SenMlMode mode, StringPool strings)
        where TWire : struct, ISenMlWire, allows ref struct
    {
        int current = -1, expected = 0;
        for (int i = 0; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (!wire.TryBytes(entry.Name, null, out var name))
            {
                return false;
            }

            int field = Find(names, name, ref expected);
            if (field < 0 && mode == SenMlMode.Lenient && entry.BaseName.Length == 0 && name.SequenceEqual("source"u8))
            {
                field = names.Schema.KeyIndex;
            }

            if (field < 0)
            {
                continue;
            }

            if (current < 0 || _groups[current].Ticks != entry.Ticks || _groups[current].BaseName != entry.BaseName)
            {
                if (!wire.TryBytes(entry.BaseName, null, out var baseName))
                {
                    return false;
                }

                current = FindGroup(strings.Get(Trim(baseName)), in entry);
            }

            entry.Field = field;
            entry.Next = -1;
            Append(ref _groups[current], i);
        }

        return true;
    }

    private static int Find(FieldNames names, ReadOnlySpan<byte> name, ref int expected)
    {
        int field = expected < names.Count && names.Is(expected, name) ? expected : names.Find(name);
        expected = field < 0 ? expected : field + 1;
        return field;
    }

    // Base names end in a separator so that the record's own name can follow it; the device's name has none.
    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> name) => name is [.. var rest, (byte)':' or (byte)'/'] ? rest : name;

    private int FindGroup(string baseName, in SenMlEntry entry)
    {
        // Most packs are one event: the first one is entered only when a second one comes.
        if (_groupCount == 1)
        {
            _known.TryAdd((_groups[0].Key, _groups[0].Ticks), 0);
        }

        if (_groupCount > 0)
        {
            ref int known = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(
                _known, (baseName, entry.Ticks), out bool exists);
            if (exists)
            {
                return known;
            }

            known = _groupCount;
        }

        if (_groupCount == _groups.Length)
        {
            Array.Resize(ref _groups, _groupCount * 2);
        }

        _groups[_groupCount] = new Group
        {
            Key = baseName,
            BaseName = entry.BaseName,
            Ticks = entry.Ticks,
            First = -1,
        };
        return _groupCount++;
    }

    private void Append(ref Group group, int entry)
    {
        if (group.First < 0)
        {
            group.First = entry;
        }
        else
        {
            _entries[group.Last].Next = entry;
        }

        group.Last = entry;
    }

    /// <summary>The records that make up one event.</summary>
    internal struct Group
    {
        internal string Key;
        internal JsonText BaseName;
        internal long Ticks;
        internal int First;
        internal int Last;
    }
}
