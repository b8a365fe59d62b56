using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>
/// What a contract needs to try a transport: its peer (a server, a device, a file) and a way to send. Made anew for each rule. Say by the properties what the
/// protocol can't do; the rules about it are then left out.
/// </summary>
public abstract class TransportFixture : IAsyncDisposable
{
    /// <summary>Connection options, as an engine gives them to the transport.</summary>
    public Connections Connections { get; } = new();

    /// <summary>
    /// The way between transport and peer, where the transport is the one that connects: the contract cuts and restores it. Asked for when the peer has started. Null, the default, for a
    /// transport that listens or reads files: nothing is cut.
    /// </summary>
    public virtual LoopbackProxy? Proxy => null;

    /// <summary>Whether a message carries a topic; a transport of lines has one for all. Default: yes.</summary>
    public virtual bool CarriesTopics => true;

    /// <summary>Whether a payload may hold any byte; else it holds printable ASCII only, and no line ends. Default: yes.</summary>
    public virtual bool CarriesAnyBytes => true;

    /// <summary>Whether messages arrive in the order in which they were sent. Default: yes.</summary>
    public virtual bool KeepsOrder => true;

    /// <summary>Whether messages are acknowledged. Default: no.</summary>
    public virtual bool Acknowledges => false;

    /// <summary>Whether a message that was not acknowledged comes again after a lost connection, or is counted as a duplicate. Default: no.</summary>
    public virtual bool Redelivers => false;

    /// <summary>Whether the sender is held up while the receiver waits; not so for files and datagrams. Default: yes.</summary>
    public virtual bool HoldsSenderUp => true;

    /// <summary>The longest payload that the contract sends, in bytes. Default: 64 KiB.</summary>
    public virtual int MaxPayloadBytes => 64 * 1024;

    /// <summary>
    /// How much may be read ahead of a receiver that waits, in bytes, with all that the system's sockets hold. Default: 4 MiB, of which a transport should
    /// need few: the rest is what sockets on one machine may buffer.
    /// </summary>
    public virtual int MaxReadAheadBytes => 4 << 20;

    /// <summary>The longest pause between two attempts to connect. Default: one minute.</summary>
    public virtual TimeSpan LongestPause => TimeSpan.FromMinutes(1);

    /// <summary>How long anything may take before the contract gives it up. Default: 30 seconds, for a loaded machine.</summary>
    public virtual TimeSpan Patience => TimeSpan.FromSeconds(30);

    /// <summary>Starts the peer and makes the transport, which the contract runs. Called once.</summary>
    /// <param name="stop">Gives up.</param>
    public abstract ValueTask<ITransport> StartAsync(CancellationToken stop);

    /// <summary>Sends one message to the transport, one after the other; it may wait while the transport takes none. It may throw for a topic that the protocol refuses.</summary>
    /// <param name="topic">The topic; below <c>contract/</c>, unless a hostile one is tried.</param>
    /// <param name="payload">The message's body.</param>
    /// <param name="stop">Gives up.</param>
    public abstract ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop);

    /// <summary>Ends the peer.</summary>
    public abstract ValueTask DisposeAsync();
}
