using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Makes decoders of other decoders.</summary>
public static class Decoder
{
    /// <summary>
    /// Picks the decoder by the message's topic or path; the first filter that takes the topic wins. A message that none
    /// takes becomes a dead letter, <see cref="DeadLetterReason.UnknownTopic"/>.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="decoders">Topic templates (<see cref="TopicTemplate"/>), which every topic filter by MQTT's rules is, each with its decoder.</param>
    /// <exception cref="ArgumentException">There is no decoder, or a filter is not valid; the message says why.</exception>
    public static Decoder<T> ByTopic<T>(params (string TopicFilter, Decoder<T> Decoder)[] decoders)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        if (decoders.Length == 0)
        {
            throw new ArgumentException("Give at least one topic filter with its decoder.", nameof(decoders));
        }

        var routes = new (TopicTemplate Template, Decoder<T> Decoder)[decoders.Length];
        for (int i = 0; i < routes.Length; i++)
        {
            var (filter, decoder) = decoders[i];
            if (decoder is null)
            {
                throw new ArgumentException($"The topic filter '{filter}' has no decoder.", nameof(decoders));
            }

            // A template passes one slash in front over, as paths have it; a topic that has one keeps it.
            routes[i] = TopicTemplate.TryParse(filter.StartsWith('/') ? "/" + filter : filter, out var parsed, out string? error)
                ? (parsed, decoder)
                : throw new ArgumentException(error, nameof(decoders));
        }

        return new TopicDecoder<T>(routes);
    }

    private sealed class TopicDecoder<T>((TopicTemplate Template, Decoder<T> Decoder)[] routes) : Decoder<T>
    {
        private readonly Range[] _ranges = new Range[TopicTemplate.MaxPlaces];

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            foreach (var (template, decoder) in routes)
            {
                if (!template.Filter.Matches(payload.Topic))
                {
                    continue;
                }

                if (template.Names.Count == 0)
                {
                    decoder.Decode(in payload, output);
                    return;
                }

                if (template.TryMatch(payload.Topic, _ranges))
                {
                    decoder.Decode(payload with { Template = template }, output);
                    return;
                }
            }

            output.Reject(DeadLetterReason.UnknownTopic, "No decoder takes this topic.");
        }
    }
}
