using System.Collections;
using System.Globalization;
using IoT.Cep.Extensibility;
using MQTTnet.Packets;

namespace IoT.Cep;

/// <summary>What a subscription asks for, and the template of its topics.</summary>
/// <param name="Text">As it was written.</param>
/// <param name="Topic">The filter for the broker.</param>
/// <param name="Template">The topics' template; null where no place has a name.</param>
internal sealed record MqttFilter(string Text, string Topic, TopicTemplate? Template)
{
    private const string Shared = "$share/";

    /// <summary>Reads a filter or a template, with <c>$share/group/</c> in front where the subscription is shared.</summary>
    /// <exception cref="ArgumentException">It is malformed.</exception>
    internal static MqttFilter Parse(string filter)
    {
        ArgumentException.ThrowIfNullOrEmpty(filter);
        if (!filter.AsSpan().ContainsAny('{', '}'))
        {
            MqttTopic.ThrowIfInvalidFilter(filter);
            return new MqttFilter(filter, filter, null);
        }

        // The topics of a shared subscription don't have its name in front.
        int behind = filter.StartsWith(Shared, StringComparison.Ordinal) ? filter.IndexOf('/', Shared.Length) + 1 : 0;
        string topics = filter[behind..];

        // A template passes one slash in front over, as paths have it; to MQTT it is a level without a name.
        if (!TopicTemplate.TryParse(topics.StartsWith('/') ? "/" + topics : topics, out var template, out string? error))
        {
            throw new ArgumentException(error, nameof(filter));
        }

        string topic = filter[..behind] + template.Filter;
        MqttTopic.ThrowIfInvalidFilter(topic);
        return new MqttFilter(filter, topic, template);
    }
}

/// <summary>
/// Makes payloads of a connection's packets: the template that took the topic, the media type, the user properties, and the time in the user property <c>sent</c>. One message at a
/// time, so that nothing is allocated for one.
/// </summary>
/// <param name="filters">What was subscribed to.</param>
internal sealed class MqttMessages(MqttFilter[] filters)
{
    private const string Sent = "sent";

    // A number below this is seconds, from this on milliseconds, as the decoders read numbers as times.
    private const long FirstMilliseconds = 100_000_000_000;

    private readonly UserProperties _properties = new();
    private readonly bool _hasTemplates = Array.Exists(filters, f => f.Template is not null);

    internal Payload ToPayload(MqttPublishPacket packet)
    {
        bool hasProperties = packet.UserProperties is { Count: > 0 };
        if (!hasProperties && !_hasTemplates)
        {
            return new Payload(packet.Payload, packet.Topic) { ContentType = packet.ContentType };
        }

        _properties.List = packet.UserProperties;
        var headers = hasProperties ? new PayloadHeaders(_properties) : default;
        return new Payload(packet.Payload, packet.Topic)
        {
            ContentType = packet.ContentType,
            Template = TemplateOf(packet.Topic),
            Headers = headers,
            SentTicks = SentTicks(headers.Find(Sent)),
        };
    }

    // A topic that several filters take is the first one's: which of them the broker sent it for is not told.
    private TopicTemplate? TemplateOf(string topic)
    {
        foreach (var filter in filters)
        {
            if (filter.Template is { } template && (filters.Length == 1 || template.Filter.Matches(topic)))
            {
                return template;
            }
        }

        return null;
    }

    private static long SentTicks(string? sent)
    {
        if (sent is null)
        {
            return 0;
        }

        const NumberStyles Digits = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (decimal.TryParse(sent, Digits, CultureInfo.InvariantCulture, out decimal number))
        {
            // A number too large for either is no time, and must not overflow.
            decimal magnitude = Math.Min(Math.Abs(number), long.MaxValue);
            decimal ticks = Math.Sign(number) * magnitude * (magnitude < FirstMilliseconds ? TimeSpan.TicksPerSecond : TimeSpan.TicksPerMillisecond);
            return ticks >= Ticks.Min && ticks <= Ticks.Max ? (long)ticks : 0;
        }

        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        return DateTimeOffset.TryParse(sent, CultureInfo.InvariantCulture, Utc, out var time) ? Ticks.From(time) : 0;
    }

    /// <summary>A packet's user properties as pairs of text.</summary>
    private sealed class UserProperties : IReadOnlyList<KeyValuePair<string, string>>
    {
        internal List<MqttUserProperty>? List { get; set; }

        public int Count => List?.Count ?? 0;

        public KeyValuePair<string, string> this[int index] => new(List![index].Name, List[index].ReadValueAsString());

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
        {
            for (int i = 0; i < Count; i++)
            {
                yield return this[i];
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
