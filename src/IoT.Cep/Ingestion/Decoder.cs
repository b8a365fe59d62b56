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

    /// <summary>
    /// Picks the decoder by the message's media type, as the sender named it: MQTT 5's content type, HTTP's <c>Content-Type</c>. Case and parameters (<c>; charset=utf-8</c>) do not
    /// matter; <c>*/*</c> takes what no other does, and messages without a type. A message that none takes becomes a dead letter, <see cref="DeadLetterReason.UnknownTopic"/>.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="decoders">Media types, each with its decoder: <c>("application/cbor", Cbor.Decode&lt;Reading&gt;())</c>.</param>
    /// <exception cref="ArgumentException">There is no decoder, or a media type stands twice or is none.</exception>
    public static Decoder<T> ByContentType<T>(params (string ContentType, Decoder<T> Decoder)[] decoders)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        if (decoders.Length == 0)
        {
            throw new ArgumentException("Give at least one media type with its decoder.", nameof(decoders));
        }

        for (int i = 0; i < decoders.Length; i++)
        {
            var (type, decoder) = decoders[i];
            if (string.IsNullOrEmpty(type) || type.Count(c => c == '/') != 1 || type.AsSpan().ContainsAny(' ', ';') || decoder is null)
            {
                throw new ArgumentException($"'{type}' is no media type with a decoder: write (\"application/json\", decoder).", nameof(decoders));
            }

            if (Array.Exists(decoders[..i], other => string.Equals(other.ContentType, type, StringComparison.OrdinalIgnoreCase)))
            {
                throw new ArgumentException($"The media type '{type}' stands twice.", nameof(decoders));
            }
        }

        return new ContentTypeDecoder<T>([.. decoders]);
    }

    private sealed class ContentTypeDecoder<T>((string Type, Decoder<T> Decoder)[] routes) : Decoder<T>
    {
        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            var given = payload.ContentType.AsSpan();
            int parameters = given.IndexOf(';');
            given = (parameters < 0 ? given : given[..parameters]).Trim();
            Decoder<T>? otherwise = null;
            foreach (var (type, decoder) in routes)
            {
                if (given.Equals(type, StringComparison.OrdinalIgnoreCase))
                {
                    decoder.Decode(in payload, output);
                    return;
                }

                otherwise = type == "*/*" ? decoder : otherwise;
            }

            if (otherwise is not null)
            {
                otherwise.Decode(in payload, output);
                return;
            }

            output.Reject(DeadLetterReason.UnknownTopic, given.IsEmpty ? "The message names no media type." : $"No decoder takes the media type '{SafeText.Escape(given.ToString(), 64)}'.");
        }
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
