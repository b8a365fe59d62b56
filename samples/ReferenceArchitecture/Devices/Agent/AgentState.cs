using System.Text.Json;
using System.Text.Json.Nodes;

namespace IoT.Reference.Devices.Agent;

/// <summary>What a device remembers between commands; small enough for ten thousand of them in one process.</summary>
public sealed class AgentState
{
    /// <summary>Outputs, such as a fan or a valve, by name.</summary>
    public Dictionary<string, double> Outputs { get; } = new(StringComparer.Ordinal);

    /// <summary>Hardware that may be used, by name.</summary>
    public Dictionary<string, bool> Capabilities { get; } = new(StringComparer.Ordinal);

    /// <summary>The version that runs, and the one before, to go back to.</summary>
    public required string Software { get; set; }

    /// <inheritdoc cref="Software"/>
    public string? Before { get; set; }

    /// <summary>The network settings in use.</summary>
    public string Network { get; set; } = "factory";

    /// <summary>Takes no command but to be unlocked, wiped, located.</summary>
    public bool IsLocked { get; set; }

    /// <summary>Its secret data are gone.</summary>
    public bool IsWiped { get; set; }

    /// <summary>The version of the desired state it has applied.</summary>
    public long DesiredVersion { get; set; }

    /// <summary>What a device tells of itself.</summary>
    public JsonElement Describe() => JsonSerializer.SerializeToElement(
        new JsonObject
        {
            ["software"] = Software,
            ["network"] = Network,
            ["locked"] = IsLocked,
            ["wiped"] = IsWiped,
            ["outputs"] = new JsonObject(Outputs.Select(o => KeyValuePair.Create<string, JsonNode?>(o.Key, o.Value))),
            ["capabilities"] = new JsonObject(Capabilities.Select(c => KeyValuePair.Create<string, JsonNode?>(c.Key, c.Value))),
        },
        AgentJson.Default.JsonObject);
}
