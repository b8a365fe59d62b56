using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Decodes Sparkplug B (Eclipse Sparkplug 3.0): the metrics of edge nodes and their devices, by <c>Mqtt.Subscribe("spBv1.0/#", ...)</c>.</summary>
/// <remarks>
/// A birth tells a node's metrics with their names, aliases and types; data may then name a metric by its alias only. The names are remembered for each node
/// (<see cref="SparkplugOptions"/>), and forgotten with its death. Data that can't be understood (no birth was seen, an alias is not known) or that follows a gap in the sequence numbers asks
/// the node for a rebirth (<see cref="SparkplugOptions.SendsRebirth"/>) and tells <see cref="SparkplugOptions.RebirthNeeded"/>; data without a birth is a dead letter as well, unless each of its metrics has a name. A death becomes an event
/// that says so (<see cref="SparkplugMetric.Kind"/>), once for each metric that was born and is gone with it (by a lambda), or once for each node and device (an event type). What is no Sparkplug topic is a dead letter; <c>STATE</c> and commands are passed over.
/// </remarks>
public static class Sparkplug
{
    /// <summary>
    /// One event for each message of a node or a device: its metrics become the members of their names, the <see cref="EventKeyAttribute"/> is group, node and device
    /// (<c>plant/line-1/oven</c>), the time is the message's. What a message doesn't tell is as it was told last since the birth.
    /// </summary>
    /// <remarks>
    /// <c>[Field("$group")]</c>, <c>$node</c>, <c>$device</c> and <c>$kind</c> (a <see cref="SparkplugKind"/>) are what the message says of itself. A death is an event only for a type with a <c>$kind</c>:
    /// members that may be null are null then, others as they were told last. A message that has none of the type's metrics gives nothing.
    /// </remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="options">What is remembered and who is told; the defaults where null.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(SparkplugOptions? options = null, PayloadLimits? limits = null)
        where T : IEvent<T>
    {
        limits = PayloadLimits.Check(limits);
        return new SparkplugDecoder<T>(new SparkplugMembers<T>(limits), Check(options), limits);
    }

    /// <summary>One event for each metric: <c>Sparkplug.Decode(m =&gt; new Reading(m.Time, m.Source, m.Name, m.Number))</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Makes an event of a metric.</param>
    /// <param name="options">What is remembered and who is told; the defaults where null.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(Func<SparkplugMetric, T> read, SparkplugOptions? options = null, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        limits = PayloadLimits.Check(limits);
        return new SparkplugDecoder<T>(new SparkplugMetrics<T>(read, limits), Check(options), limits);
    }

    private static SparkplugOptions Check(SparkplugOptions? options)
    {
        options ??= new SparkplugOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxNodes, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxMetrics, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.ForgetAfter, TimeSpan.Zero, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.RebirthEvery, TimeSpan.Zero, nameof(options));
        return options;
    }
}

/// <summary>What a Sparkplug decoder remembers, and whom it asks for a rebirth.</summary>
public sealed class SparkplugOptions
{
    /// <summary>The most edge nodes that are remembered: 10,000. Past it the one that was silent for longest gives way, and is asked for a rebirth when it speaks.</summary>
    public int MaxNodes { get; init; } = 10_000;

    /// <summary>The most metrics of one node and its devices: 10,000. A birth with more is a dead letter.</summary>
    public int MaxMetrics { get; init; } = 10_000;

    /// <summary>A node that was silent for so long is forgotten: a day.</summary>
    public TimeSpan ForgetAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How long a node that should be born again, and was not, is left in peace before it is asked once more: a minute.</summary>
    public TimeSpan RebirthEvery { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Whether a source over MQTT publishes the command <c>Node Control/Rebirth</c> to <c>spBv1.0/{group}/NCMD/{node}</c> by itself, on its own connection: true. Unset it where this program
    /// may only listen, or where another host application does it.
    /// </summary>
    public bool SendsRebirth { get; init; } = true;

    /// <summary>Told on the source's thread which node should be born again, at most once in <see cref="RebirthEvery"/> until it is; must not block and must not throw.</summary>
    public Action<SparkplugNode>? RebirthNeeded { get; init; }
}

/// <summary>An edge node.</summary>
/// <param name="Group">Its group.</param>
/// <param name="Node">Its name.</param>
public readonly record struct SparkplugNode(string Group, string Node);

/// <summary>What a metric was told by.</summary>
public enum SparkplugKind
{
    /// <summary>A birth: the metric's first value.</summary>
    Birth,

    /// <summary>Data: the metric changed.</summary>
    Data,

    /// <summary>A death: the node or the device is gone, and with it the metric's value.</summary>
    Death,
}

/// <summary>A metric's kind of value.</summary>
public enum SparkplugValue
{
    /// <summary>Null, or a kind that isn't read: a data set, a template, an array, a file.</summary>
    None,

    /// <summary>A whole number or one with a fraction.</summary>
    Number,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>Text, or an identifier.</summary>
    Text,

    /// <summary>A time.</summary>
    Time,
}

/// <summary>One metric of a Sparkplug message. Valid only during the call.</summary>
public readonly ref struct SparkplugMetric
{
    internal SparkplugMetric(SparkplugSource source, SparkplugKind kind, in SparkplugEntry entry, string name, string text, long ticks)
    {
        (Group, Node, Device, Source, Kind, Name, Text, Ticks) = (source.Node.Group, source.Node.Node, source.Device, source.Path, kind, name, text, ticks);
        (Value, Number, IsHistorical, WholeNumber) = (entry.Value, entry.Number, entry.IsHistorical, entry.Whole);
        Boolean = entry.Value == SparkplugValue.Boolean && entry.Whole != 0;
    }

    /// <summary>The group of edge nodes.</summary>
    public string Group { get; }

    /// <summary>The edge node.</summary>
    public string Node { get; }

    /// <summary>The device behind the node; null for the node's own metrics.</summary>
    public string? Device { get; }

    /// <summary>Group, node and device as one name: <c>plant/line-1/oven</c>. A key.</summary>
    public string Source { get; }

    /// <summary>The metric's name: <c>Temperature</c>, <c>Properties/Hardware Make</c>.</summary>
    public string Name { get; }

    /// <summary>What told it.</summary>
    public SparkplugKind Kind { get; }

    /// <summary>What kind of value it has; of a death none.</summary>
    public SparkplugValue Value { get; }

    /// <summary>The number; NaN where it is none.</summary>
    public double Number { get; }

    /// <summary>The number where it is a whole one; the ticks of a time; 0 where it is neither. An unsigned one past 2^63 is negative here.</summary>
    public long WholeNumber { get; }

    /// <summary>The Boolean value; false where it is none.</summary>
    public bool Boolean { get; }

    /// <summary>The text; "" where it is none.</summary>
    public string Text { get; }

    /// <summary>Whether it was recorded earlier and comes late.</summary>
    public bool IsHistorical { get; }

    /// <summary>The metric's time, or the message's; of a death the time of arrival, since a death was written when the node connected.</summary>
    public DateTimeOffset Time => Extensibility.Ticks.ToTime(Ticks);

    /// <summary>The time: 100 ns ticks since 1970-01-01 UTC.</summary>
    public long Ticks { get; }
}
