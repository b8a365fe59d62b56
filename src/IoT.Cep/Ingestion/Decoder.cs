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
    /// <param name="decoders">Topic filters by MQTT's rules (<see cref="TopicFilter"/>), each with its decoder.</param>
    /// <exception cref="ArgumentException">There is no decoder, or a filter is not valid; the message says why.</exception>
    public static Decoder<T> ByTopic<T>(params (string TopicFilter, Decoder<T> Decoder)[] decoders)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        if (decoders.Length == 0)
        {
            throw new ArgumentException("Give at least one topic filter with its decoder.", nameof(decoders));
        }

        var routes = new (TopicFilter Filter, Decoder<T> Decoder)[decoders.Length];
        for (int i = 0; i < routes.Length; i++)
        {
            var (filter, decoder) = decoders[i];
            if (decoder is null)
            {
                throw new ArgumentException($"The topic filter '{filter}' has no decoder.", nameof(decoders));
            }

            routes[i] = TopicFilter.TryParse(filter, out var parsed, out string? error)
                ? (parsed, decoder)
                : throw new ArgumentException(error, nameof(decoders));
        }

        return new TopicDecoder<T>(routes);
    }

    private sealed class TopicDecoder<T>((TopicFilter Filter, Decoder<T> Decoder)[] routes) : Decoder<T>
    {
        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            foreach (var (filter, decoder) in routes)
            {
                if (filter.Matches(payload.Topic))
                {
                    decoder.Decode(in payload, output);
                    return;
                }
            }

            output.Reject(DeadLetterReason.UnknownTopic, "No decoder takes this topic.");
        }
    }
}
