using IoT.Cep.Extensibility;

namespace IoT.Cep;

// Whose data an identity may send and be told, by the device's name in the topic.
public sealed partial class ListenerSecurity
{
    /// <summary>Whether an identity may speak for the device that a topic names. Allocates nothing.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="template">The template that took the topic.</param>
    /// <param name="topic">The topic.</param>
    public bool MaySpeakFor(Identity identity, TopicTemplate template, ReadOnlySpan<char> topic)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(template);
        if (DevicePlace is null)
        {
            return true;
        }

        Span<Range> values = stackalloc Range[Math.Max(1, template.Names.Count)];
        for (int i = 0; i < template.Names.Count; i++)
        {
            if (template.Names[i] == DevicePlace)
            {
                return template.TryMatch(topic, values) && identity.MaySpeakFor(topic[values[i]]);
            }
        }

        return true;
    }

    /// <summary>Whether an identity may send to a topic: the first template that takes it names a device for which it speaks. A topic that no template takes is nobody's, and refused.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="templates">The templates with <see cref="DevicePlace"/>.</param>
    /// <param name="topic">The topic.</param>
    public bool MaySend(Identity identity, IReadOnlyList<TopicTemplate> templates, ReadOnlySpan<char> topic)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(templates);
        if (DevicePlace is null)
        {
            return true;
        }

        for (int i = 0; i < templates.Count; i++)
        {
            if (templates[i].Filter.Matches(topic) && HasDevice(templates[i]))
            {
                return MaySpeakFor(identity, templates[i], topic);
            }
        }

        return false;
    }

    /// <summary>
    /// Whether an identity may be told what a filter takes: every template that shares a topic with it names a device for which it speaks. A wildcard where the device stands is all devices,
    /// and takes one that speaks for <c>*</c>.
    /// </summary>
    /// <param name="identity">Who.</param>
    /// <param name="templates">The templates with <see cref="DevicePlace"/>.</param>
    /// <param name="filter">The topic filter, without <c>$share/group/</c>.</param>
    public bool MayReceive(Identity identity, IReadOnlyList<TopicTemplate> templates, string filter)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(templates);
        ArgumentNullException.ThrowIfNull(filter);
        if (DevicePlace is null)
        {
            return true;
        }

        bool isKnown = false;
        string[] levels = filter.Split('/');
        foreach (var template in templates)
        {
            if (HasDevice(template) && Shares(template.ToString().Split('/'), levels, out string device))
            {
                isKnown = true;
                if (!identity.MaySpeakFor(device))
                {
                    return false;
                }
            }
        }

        return isKnown || identity.MaySpeakFor("*");
    }

    private bool HasDevice(TopicTemplate template)
    {
        for (int i = 0; i < template.Names.Count; i++)
        {
            if (template.Names[i] == DevicePlace)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a topic can be both the template's and the filter's, and of which device: <c>*</c> where the filter does not say.</summary>
    private bool Shares(string[] template, string[] filter, out string device)
    {
        device = "*";
        for (int i = 0; i < template.Length; i++)
        {
            // What is open at its end takes its parent as well: "a/#" takes "a".
            bool templateIsOpen = template[i] is "#" or ['{', '*', ..];
            if (i == filter.Length || filter[i] == "#" || templateIsOpen)
            {
                return i < filter.Length || templateIsOpen;
            }

            bool isPlace = template[i] is "+" or ['{', ..];
            if (!isPlace && filter[i] != "+" && filter[i] != template[i])
            {
                return false;
            }

            if (isPlace && filter[i] != "+" && template[i].AsSpan().Trim("{}").SequenceEqual(DevicePlace))
            {
                device = filter[i];
            }
        }

        return filter.Length == template.Length || (filter.Length == template.Length + 1 && filter[^1] == "#");
    }
}
