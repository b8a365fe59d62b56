using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What a message brings beside its body, for events that are read by hand.</summary>
internal static class MessageParts
{
    internal const string NoSuchPlace = "the topic has no such place";

    /// <summary>What stands in a place of the topic, out of the pool of strings; null where the topic has no such place.</summary>
    internal static string? Topic(in Payload payload, string place, PayloadBuffer buffer, StringPool strings)
    {
        ArgumentNullException.ThrowIfNull(place);
        if (payload.Template is not { } template)
        {
            return null;
        }

        Span<Range> ranges = stackalloc Range[TopicTemplate.MaxPlaces];
        if (!template.TryMatch(payload.Topic, ranges))
        {
            return null;
        }

        for (int i = 0; i < template.Names.Count; i++)
        {
            if (template.Names[i] == place)
            {
                var text = payload.Topic.AsSpan(ranges[i]);
                var room = buffer.Text(3 * text.Length);
                Utf8.FromUtf16(text, room, out _, out int length);
                return strings.Get(room[..length]);
            }
        }

        return null;
    }
}
