using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What a source subscribes to: a topic filter whose places may have names, and whose messages a group may share (<c>$share/group/plant/{line}</c>).</summary>
internal sealed class MqttFilter
{
    private readonly bool _hasSlash;

    private MqttFilter(string filter, TopicTemplate template, bool hasSlash) => (Filter, Template, _hasSlash) = (filter, template, hasSlash);

    /// <summary>The filter as the broker is told it.</summary>
    internal string Filter { get; }

    internal TopicTemplate Template { get; }

    /// <summary>Reads it.</summary>
    /// <param name="text">A filter or template.</param>
    /// <exception cref="ArgumentException">It is malformed.</exception>
    internal static MqttFilter Parse(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        string rest = text;
        string? group = MqttTopic.TakeShareName(ref rest);
        TopicTemplate template;
        try
        {
            template = TopicTemplate.Parse(rest);
        }
        catch (FormatException e)
        {
            throw new ArgumentException(e.Message, nameof(text), e);
        }

        // In MQTT "/a" and "a" are two topics; in a template the slash in front is passed over.
        bool hasSlash = rest.StartsWith('/');
        string filter = (group is null ? "" : $"$share/{group}/") + (hasSlash ? "/" : "") + template.Filter;
        MqttTopic.ThrowIfInvalidFilter(filter);
        return new MqttFilter(filter, template, hasSlash);
    }

    internal bool Takes(string topic) => _hasSlash ? topic.StartsWith('/') && Template.Filter.Matches(topic.AsSpan(1)) : Template.Filter.Matches(topic);

    /// <summary>The topic as the template knows it: where places have names, without the slash in front.</summary>
    /// <param name="topic">The topic.</param>
    internal string NameOf(string topic) => _hasSlash && Template.Names.Count > 0 ? topic[1..] : topic;
}
