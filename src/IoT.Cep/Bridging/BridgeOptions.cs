namespace IoT.Cep;

/// <summary>What a bridge passes, and how it changes it.</summary>
public sealed class BridgeOptions
{
    private readonly List<TopicMap> _maps = [];

    /// <summary>
    /// The bridge's name: in metrics, and in the header by which messages that come back are known. The bridges of both directions between two places take one
    /// name. Null, the default: one that no other has, so that only this bridge's own messages are known.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>What passes; null, the default: everything. Asked with the message as it came.</summary>
    public Func<Message, bool>? Where { get; set; }

    /// <summary>Changes what passes, behind the mapping of topics; null from it lets the message not pass. Null, the default: nothing is changed.</summary>
    public Func<Message, Message?>? Transform { get; set; }

    /// <summary>The header that names the bridges that a message has passed. Default: <c>cep-via</c>. A transport without headers (lines, MQTT 3.1.1) loses it, and with it this protection.</summary>
    public string ViaHeader { get; set; } = "cep-via";

    /// <summary>How many bridges a message may pass. Default: 8. One more is a dead letter.</summary>
    public int MaxHops { get; set; } = 8;

    /// <summary>What happens when the filter or the transformation throws, or a message has passed too many bridges: a dead letter by default.</summary>
    public ErrorPolicy OnError { get; set; } = ErrorPolicy.Skip;

    internal IReadOnlyList<TopicMap> Maps => _maps;

    /// <summary>Gives messages of a topic another one: <c>Map("plant/{line}/{sensor}", "factory/{sensor}")</c>. The first template that takes a topic counts. Where there is any, a topic that none takes does not pass.</summary>
    /// <param name="from">The template of topics that come.</param>
    /// <param name="to">The topic that goes, with places of the first one.</param>
    /// <returns>The same options.</returns>
    /// <exception cref="ArgumentException">A template is not valid; the message says why.</exception>
    public BridgeOptions Map(string from, string to)
    {
        _maps.Add(new TopicMap(from, to));
        return this;
    }
}
