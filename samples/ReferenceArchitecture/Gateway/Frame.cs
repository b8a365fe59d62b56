using System.Text.Json;

using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Gateway;

/// <summary>What a field device sends, by radio, datagram or line: <c>{"d":"s-17","q":12,"k":"t","b":{...}}</c>.</summary>
internal static class Frame
{
    /// <summary>The header with the number of a frame, which a repetition has again.</summary>
    public const string Number = "frame";

    public const int MaxBytes = 4 * 1024;

    /// <summary>A message for the bus out of a frame's bytes.</summary>
    /// <param name="bytes">Text from the network.</param>
    /// <param name="options">Who may be behind the gateway.</param>
    /// <param name="received">When it came.</param>
    /// <param name="problem">Why it is none.</param>
    public static Message? Read(ReadOnlyMemory<byte> bytes, GatewayOptions options, DateTimeOffset received, out string problem)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 16 });
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object
                || !root.TryGetProperty("d", out JsonElement d) || d.ValueKind != JsonValueKind.String
                || !root.TryGetProperty("q", out JsonElement q) || !q.TryGetInt64(out long number)
                || !root.TryGetProperty("k", out JsonElement k) || k.ValueKind != JsonValueKind.String
                || !root.TryGetProperty("b", out JsonElement body))
            {
                problem = "a frame needs d (text), q (a whole number), k (text) and b";
                return null;
            }

            if (DeviceOf(d.GetString()!, options) is not { } device)
            {
                problem = "the device is not one behind this gateway";
                return null;
            }

            string topic = k.GetString() + "/{device}";
            if (!Topics.FromDevices.Contains(topic))
            {
                problem = "k must be t, e, reported or acks";
                return null;
            }

            problem = "";
            return new Message(Topics.Of(topic, device), JsonSerializer.SerializeToUtf8Bytes(body, WireJson.Default.JsonElement))
            {
                ContentType = body.ValueKind == JsonValueKind.Array ? "application/senml+json" : "application/json",
                Headers = [new(Number, number.ToString(System.Globalization.CultureInfo.InvariantCulture))],
                Sent = TimeOf(body),
                Received = received,
            };
        }
        catch (JsonException)
        {
            problem = "a frame is JSON";
            return null;
        }
    }

    /// <summary>The device of a message.</summary>
    public static string DeviceOf(Message message) => message.Topic[(message.Topic.IndexOf('/', StringComparison.Ordinal) + 1)..];

    /// <summary>The temperature in a reading; null: it is none.</summary>
    public static double? Temperature(Message message)
    {
        using var document = JsonDocument.Parse(message.Body);
        JsonElement root = document.RootElement;
        return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("temperature", out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : null;
    }

    // A radio has addresses of its own; the registry knows devices.
    private static string? DeviceOf(string sender, GatewayOptions options)
    {
        string device = options.Addresses.GetValueOrDefault(sender.ToLowerInvariant(), sender);
        return options.Devices.Contains(device) ? device : null;
    }

    private static DateTimeOffset? TimeOf(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("time", out JsonElement time) && time.ValueKind == JsonValueKind.Number
            && time.GetDouble() is > 0 and < 253_402_300_799
            ? DateTimeOffset.UnixEpoch.AddSeconds(time.GetDouble())
            : null;
}
