using System.Net;

namespace IoT.Cep.Extensibility;

/// <summary>Where CoAP datagrams come from and go to. Two that are equal are the same endpoint: state (message ids, observations) is kept for each.</summary>
/// <param name="Address">The address and port.</param>
/// <param name="Identity">Who it proved to be, by a pre-shared key or a certificate; null: nobody in particular.</param>
/// <param name="Session">Tells security sessions with one address apart; 0 where there are none.</param>
public sealed record CoapRemote(IPEndPoint Address, Identity? Identity = null, long Session = 0)
{
    /// <summary>Whether a handshake proved that the address is its own, so that answers to it can't be turned against somebody else.</summary>
    public bool IsVerified => Session != 0;

    /// <summary>Whether nobody on the way can read what is said.</summary>
    public bool IsEncrypted { get; init; }
}

/// <summary>
/// Carries CoAP datagrams: over UDP, through DTLS, through a simulated network. It may lose, repeat and reorder them; CoAP puts that right.
/// </summary>
public interface ICoapDatagrams : IAsyncDisposable
{
    /// <summary>The own address and port.</summary>
    IPEndPoint LocalEndPoint { get; }

    /// <summary>Sends a datagram, or loses it: never blocks for long, and throws nothing that the network caused.</summary>
    /// <param name="datagram">The bytes; theirs again when this returns.</param>
    /// <param name="remote">The receiver.</param>
    void Send(ReadOnlySpan<byte> datagram, CoapRemote remote);

    /// <summary>Makes ready to send to an address: for DTLS a handshake. Throws where that fails.</summary>
    /// <param name="address">The address.</param>
    /// <param name="host">The name that it was found by, for a certificate to carry.</param>
    /// <param name="stop">Gives up.</param>
    ValueTask<CoapRemote> ConnectAsync(IPEndPoint address, string host, CancellationToken stop);

    /// <summary>Whether what is sent there can arrive: a session that is over must be made anew by <see cref="ConnectAsync"/>.</summary>
    /// <param name="remote">What <see cref="ConnectAsync"/> gave.</param>
    bool IsOpen(CoapRemote remote) => true;

    /// <summary>Receives until it is stopped.</summary>
    /// <param name="receiver">Takes the datagrams, one after the other.</param>
    /// <param name="stop">Stops it.</param>
    Task RunAsync(ICoapDatagramReceiver receiver, CancellationToken stop);
}

/// <summary>Takes datagrams.</summary>
public interface ICoapDatagramReceiver
{
    /// <summary>A datagram came. Returns soon and throws nothing.</summary>
    /// <param name="datagram">The bytes; valid during the call.</param>
    /// <param name="remote">The sender.</param>
    void OnDatagram(ReadOnlySpan<byte> datagram, CoapRemote remote);

    /// <summary>A session is over: what was under way with it has failed.</summary>
    /// <param name="remote">The other side.</param>
    void OnClosed(CoapRemote remote);
}

/// <summary>What a carrier of datagrams is made from.</summary>
/// <param name="Local">Where to listen; a client takes any port.</param>
/// <param name="TimeProvider">The clock.</param>
/// <param name="Logger">The log.</param>
public sealed record CoapDatagramContext(IPEndPoint Local, TimeProvider TimeProvider, Microsoft.Extensions.Logging.ILogger Logger)
{
    /// <summary>Who may connect; null at a client.</summary>
    public ListenerSecurity? Security { get; init; }
}
