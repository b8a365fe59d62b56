using System.Buffers;
using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A message as it came, not decoded: what a bridge between two transports passes on. An event like any other: <c>cep.From(Mqtt.Subscribe("a/#", Message.Decode()))</c>.
/// Immutable; it holds a copy of its body. Two messages are equal where all they hold is.
/// </summary>
/// <param name="Topic">The topic or path, without a slash in front.</param>
/// <param name="Body">The body.</param>
public sealed record Message(string Topic, ReadOnlyMemory<byte> Body)
{
    // More than any protocol's headers have; what lies beyond is not kept, so that a sender can't fill memory with them.
    private const int MaxHeaders = 100, MaxHeaderChars = 8192;

    /// <summary>The body's media type, as the sender named it; null where it named none.</summary>
    public string? ContentType { get; init; }

    /// <summary>What else came with it, in the order in which it came; a name may stand more than once. At most 100, and of each at most 8,192 characters.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>When it was received.</summary>
    public DateTimeOffset Received { get; init; }

    /// <summary>When its sender says that it sent it; null where it does not say.</summary>
    public DateTimeOffset? Sent { get; init; }

    /// <summary>Who sent it, as the listener proved it; null where nobody did.</summary>
    public string? Sender { get; init; }

    /// <summary>The body as text: UTF-8, with U+FFFD for what is none.</summary>
    public string Text => Encoding.UTF8.GetString(Body.Span);

    /// <summary>A decoder that takes each message as it is.</summary>
    /// <param name="maxBytes">The longest body: 1 MiB. A longer one is a dead letter.</param>
    public static Decoder<Message> Decode(int maxBytes = 1 << 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        return new MessageDecoder(maxBytes);
    }

    /// <summary>The first value of a header; null where there is none. The case of letters does not matter.</summary>
    /// <param name="name">The header's name.</param>
    public string? Header(string name)
    {
        foreach (var (key, value) in Headers)
        {
            if (string.Equals(key, name, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>The same message with a header of this value instead of those of the same name.</summary>
    /// <param name="name">The header's name.</param>
    /// <param name="value">Its value.</param>
    public Message WithHeader(string name, string value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return this with { Headers = [.. Headers.Where(h => !string.Equals(h.Key, name, StringComparison.OrdinalIgnoreCase)), new(name, value)] };
    }

    /// <inheritdoc/>
    public bool Equals(Message? other) =>
        other is not null && Topic == other.Topic && ContentType == other.ContentType && Received == other.Received && Sent == other.Sent && Sender == other.Sender
        && Body.Span.SequenceEqual(other.Body.Span) && Headers.SequenceEqual(other.Headers);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Topic);
        hash.AddBytes(Body.Span);
        return hash.ToHashCode();
    }

    internal static void Save(StateWriter writer, Message value)
    {
        writer.Text(value.Topic);
        writer.Bytes(value.Body.Span);
        writer.Text(value.ContentType);
        writer.Time(value.Received);
        writer.Boolean(value.Sent is not null);
        writer.Time(value.Sent ?? default);
        writer.Text(value.Sender);
        writer.Int32(value.Headers.Count);
        foreach (var (name, text) in value.Headers)
        {
            writer.Text(name);
            writer.Text(text);
        }
    }

    internal static Message Load(StateReader reader)
    {
        var message = new Message(reader.Text() ?? "", reader.Bytes().ToArray()) { ContentType = reader.Text(), Received = reader.Time() };
        bool wasSent = reader.Boolean();
        var sent = reader.Time();
        message = message with { Sent = wasSent ? sent : null, Sender = reader.Text() };
        var headers = new KeyValuePair<string, string>[Math.Clamp(reader.Int32(), 0, MaxHeaders + 1)];
        for (int i = 0; i < headers.Length; i++)
        {
            headers[i] = new(reader.Text() ?? "", reader.Text() ?? "");
        }

        return message with { Headers = headers };
    }

    // What a sender wrote may go into a log line by way of this.
    private bool PrintMembers(StringBuilder text)
    {
        text.Append(CultureInfo.InvariantCulture, $"Topic = {SafeText.Escape(Topic)}, Body = {Body.Length} bytes '{SafeText.Escape(Body.Span[..Math.Min(64, Body.Length)], 64)}', ")
            .Append(CultureInfo.InvariantCulture, $"ContentType = {SafeText.Escape(ContentType)}, Received = {Received:O}, Sender = {SafeText.Escape(Sender)}");
        return true;
    }

    private sealed class MessageDecoder(int maxBytes) : Decoder<Message>
    {
        public override void Decode(in Payload payload, EventBuffer<Message> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (payload.Bytes.Length > maxBytes)
            {
                output.Reject(DeadLetterReason.TooLarge, $"The message has {payload.Bytes.Length} bytes; the limit is {maxBytes}.");
                return;
            }

            output.Add(new Message(payload.Topic, payload.Bytes.ToArray())
            {
                ContentType = payload.ContentType,
                Headers = payload.Headers.Count == 0 ? [] : Copy(payload.Headers),
                Received = Ticks.ToTime(output.ReceivedTicks),
                Sent = payload.SentTicks == 0 ? null : Ticks.ToTime(payload.SentTicks),
                Sender = payload.Sender,
            });
        }

        private static KeyValuePair<string, string>[] Copy(PayloadHeaders headers)
        {
            var copy = new KeyValuePair<string, string>[Math.Min(headers.Count, MaxHeaders)];
            for (int i = 0; i < copy.Length; i++)
            {
                var (name, value) = headers[i];
                copy[i] = value.Length <= MaxHeaderChars ? headers[i] : new(name, value[..MaxHeaderChars]);
            }

            return copy;
        }
    }
}
