using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Decoders of what browsers call forms (<c>application/x-www-form-urlencoded</c>): <c>v=21.5&amp;unit=Cel</c>, the least that a small device can write. A payload is one event; the places of the
/// topic's template are fields as well.
/// </summary>
/// <remarks>
/// Names and values are percent-encoded UTF-8, a plus sign is a space. An empty value is null. Numbers, times and truth are read as in CSV. A field of the event type
/// that stands twice in the form is refused; what the topic says counts, whatever the form says, so that a device whose topic was looked at can't say that it is another.
/// </remarks>
public static class Form
{
    /// <summary>Decodes into an event type by the names of its members.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(PayloadLimits? limits = null)
        where T : IEvent<T> => new EventDecoder<T>(PayloadLimits.Check(limits));

    private sealed class EventDecoder<T>(PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly FieldNames _names = new(T.Schema);
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            var reader = new FormFieldReader(bytes, _names, _buffer, output.Strings);
            if (!BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) || !reader.Ok)
            {
                reader.Fail(DeadLetterReason.Malformed, -1);
            }

            if (reader.Ok)
            {
                output.Add(in value);
            }
            else
            {
                reader.Fault.Reject(output);
            }
        }
    }
}
