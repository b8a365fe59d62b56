using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How metrics become events.</summary>
internal abstract class SparkplugMapping<T>
{
    /// <summary>Begins a message; false where it is refused for what stands beside it.</summary>
    internal abstract bool TryBegin(in Payload payload, EventBuffer<T> output);

    /// <summary>Adds what a birth or data told, names and values resolved.</summary>
    internal abstract void Tell(SparkplugSource source, SparkplugKind kind, Span<SparkplugEntry> entries, long ticks, EventBuffer<T> output);

    /// <summary>Adds that a node or a device is gone, with all of its metrics.</summary>
    internal abstract void Gone(SparkplugSource source, IReadOnlyCollection<string> metrics, EventBuffer<T> output);
}

/// <summary>Each metric is an event.</summary>
internal sealed class SparkplugMetrics<T>(Func<SparkplugMetric, T> read, PayloadLimits limits) : SparkplugMapping<T>
{
    internal override bool TryBegin(in Payload payload, EventBuffer<T> output) => true;

    internal override void Tell(SparkplugSource source, SparkplugKind kind, Span<SparkplugEntry> entries, long ticks, EventBuffer<T> output)
    {
        foreach (ref var entry in entries)
        {
            output.Add(read(new SparkplugMetric(source, kind, in entry, entry.Name, entry.Text, entry.Ticks == 0 ? ticks : entry.Ticks)));
        }
    }

    internal override void Gone(SparkplugSource source, IReadOnlyCollection<string> metrics, EventBuffer<T> output)
    {
        foreach (string name in metrics)
        {
            if (output.MessageCount >= limits.MaxEvents)
            {
                output.Reject(DeadLetterReason.TooLarge, "The node has more metrics than a payload may hold events.");
                return;
            }

            SparkplugEntry entry = new() { Number = double.NaN, Name = name, Text = "" };
            output.Add(read(new SparkplugMetric(source, SparkplugKind.Death, in entry, name, "", output.ReceivedTicks)));
        }
    }
}

/// <summary>
/// The metrics of a message are the members of one event. A node sends what changed: what a message doesn't tell is as it was told last since the birth, which is kept with the
/// node. What was recorded earlier and comes late is an event for each time, and changes nothing of that.
/// </summary>
internal sealed class SparkplugMembers<T>(PayloadLimits limits) : SparkplugMapping<T>
    where T : IEvent<T>
{
    private readonly SparkplugNames _names = new(T.Schema);
    private readonly MetadataBinding _binding = new(T.Schema, limits);
    private SparkplugEntry[] _late = [];

    internal override bool TryBegin(in Payload payload, EventBuffer<T> output) => _binding.TryBegin(in payload, output);

    internal override void Tell(SparkplugSource source, SparkplugKind kind, Span<SparkplugEntry> entries, long ticks, EventBuffer<T> output)
    {
        bool hasCurrent = false;
        int late = 0;
        foreach (ref readonly var entry in entries)
        {
            int field = _names.Find(entry.Name);
            if (field < 0)
            {
                continue;
            }

            if (entry.IsHistorical && kind == SparkplugKind.Data)
            {
                late++;
                continue;
            }

            source.Members ??= new SparkplugEntry[_names.Count];
            source.Members[field] = entry;
            source.Told |= 1UL << field;
            hasCurrent = true;
        }

        bool isTaken = late == 0 || TryTellLate(source, entries, ticks, output);
        if (isTaken && hasCurrent)
        {
            TryAdd(source, kind, source.Members, source.Told, ticks, output);
        }
    }

    internal override void Gone(SparkplugSource source, IReadOnlyCollection<string> metrics, EventBuffer<T> output)
    {
        // Who has no place for it hears nothing more of the source, and that is what absence looks for.
        if (_names.Kind < 0 || source.Told == 0)
        {
            return;
        }

        TryAdd(source, SparkplugKind.Death, source.Members, source.Told & T.Schema.RequiredMask, output.ReceivedTicks, output);
    }

    private bool TryTellLate(SparkplugSource source, Span<SparkplugEntry> entries, long ticks, EventBuffer<T> output)
    {
        if (_late.Length == 0)
        {
            _late = new SparkplugEntry[_names.Count];
        }

        ulong told = 0;
        long time = 0;
        foreach (ref readonly var entry in entries)
        {
            int field = entry.IsHistorical ? _names.Find(entry.Name) : -1;
            if (field < 0)
            {
                continue;
            }

            long of = entry.Ticks == 0 ? ticks : entry.Ticks;
            if (told != 0 && (of != time || (told & (1UL << field)) != 0))
            {
                if (!TryAddLate(source, told, time, output))
                {
                    return false;
                }

                told = 0;
            }

            time = of;
            _late[field] = entry;
            told |= 1UL << field;
        }

        return told == 0 || TryAddLate(source, told, time, output);
    }

    // What is required and was not recorded is as it is now; anything else is null.
    private bool TryAddLate(SparkplugSource source, ulong told, long ticks, EventBuffer<T> output)
    {
        ulong current = source.Told & T.Schema.RequiredMask & ~told;
        for (ulong rest = current; rest != 0; rest &= rest - 1)
        {
            int field = System.Numerics.BitOperations.TrailingZeroCount(rest);
            _late[field] = source.Members![field];
        }

        return TryAdd(source, SparkplugKind.Data, _late, told | current, ticks, output);
    }

    private bool TryAdd(SparkplugSource source, SparkplugKind kind, SparkplugEntry[]? members, ulong told, long ticks, EventBuffer<T> output)
    {
        if (output.MessageCount >= limits.MaxEvents)
        {
            output.Reject(DeadLetterReason.TooLarge, "The payload holds more events than the limit.");
            return false;
        }

        var reader = new SparkplugFieldReader(source, kind, members, told, ticks, _names, output.Strings);
        if (BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) && reader.Ok)
        {
            output.Add(in value);
            return true;
        }

        reader.Fail(DeadLetterReason.Malformed, -1);
        reader.Fault.Reject(output);
        return false;
    }
}

/// <summary>The metrics' names of an event type, and the members that are what every Sparkplug message says of itself.</summary>
internal sealed class SparkplugNames
{
    private readonly Dictionary<string, int> _fields = new(StringComparer.Ordinal);

    internal SparkplugNames(EventSchema schema)
    {
        Names = new FieldNames(schema);
        for (int i = 0; i < schema.Fields.Count; i++)
        {
            var field = schema.Fields[i];
            if (i != schema.KeyIndex && i != schema.TimeIndex && field.Origin == FieldOrigin.Payload && field.Name is not ("$group" or "$node" or "$device" or "$kind"))
            {
                _fields.TryAdd(field.Name, i);
            }
        }

        Group = IndexOf(schema, "$group");
        Node = IndexOf(schema, "$node");
        Device = IndexOf(schema, "$device");
        Kind = IndexOf(schema, "$kind");
        Always = Bit(schema.KeyIndex) | Bit(schema.TimeIndex) | Bit(Group) | Bit(Node) | Bit(Kind);
    }

    internal FieldNames Names { get; }

    internal int Count => Names.Count;

    internal int Group { get; }

    internal int Node { get; }

    internal int Device { get; }

    internal int Kind { get; }

    /// <summary>A bit for each field that every event has.</summary>
    internal ulong Always { get; }

    internal int Find(string metric) => _fields.TryGetValue(metric, out int field) ? field : -1;

    internal static ulong Bit(int field) => field < 0 ? 0 : 1UL << field;

    private static int IndexOf(EventSchema schema, string name) => schema.Fields.ToList().FindIndex(f => f.Name == name && f.Origin == FieldOrigin.Payload);
}
