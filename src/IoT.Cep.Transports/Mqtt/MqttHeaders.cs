using System.Collections;
using System.Globalization;
using IoT.Cep.Extensibility;
using MQTTnet.Packets;

namespace IoT.Cep;

/// <summary>MQTT 5's user properties as a payload's headers, and back.</summary>
internal static class MqttHeaders
{
    // A number below this is seconds, from this on milliseconds, as the decoders read numbers as times.
    private const long FirstMilliseconds = 100_000_000_000;

    internal static PayloadHeaders Of(List<MqttUserProperty>? properties)
    {
        if (properties is not { Count: > 0 })
        {
            return default;
        }

        var pairs = new KeyValuePair<string, string>[properties.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            pairs[i] = new KeyValuePair<string, string>(properties[i].Name, ValueOf(properties[i]));
        }

        return new PayloadHeaders(pairs);
    }

    internal static string ValueOf(MqttUserProperty property) => System.Text.Encoding.UTF8.GetString(property.ValueBuffer.Span);

    internal static MqttUserProperty ToProperty(string name, string value) => new(name, new ReadOnlyMemory<byte>(System.Text.Encoding.UTF8.GetBytes(value)));

    /// <summary>The time in the user property <c>sent</c>; 0 where there is none.</summary>
    internal static long SentTicks(PayloadHeaders headers)
    {
        string? sent = headers.Find("sent");
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
}

/// <summary>A packet's user properties as pairs of text.</summary>
internal sealed class UserProperties : IReadOnlyList<KeyValuePair<string, string>>
{
    internal List<MqttUserProperty>? List { get; set; }

    public int Count => List?.Count ?? 0;

    public KeyValuePair<string, string> this[int index] => new(List![index].Name, MqttHeaders.ValueOf(List[index]));

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
