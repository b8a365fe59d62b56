namespace IoT.Cep.Extensibility;

/// <summary>A decoder that has something to say to those whose messages it reads. A transport that can send, as MQTT can, takes it on.</summary>
public interface IReplying
{
    /// <summary>
    /// Sends a message on the connection that the source's messages come by: its topic and its body, as soon as there is a connection, at most once. Set where the source is made; null
    /// where its transport can't send. Called on the source's thread; must not block and must not throw.
    /// </summary>
    Action<string, ReadOnlyMemory<byte>>? Reply { get; set; }
}
