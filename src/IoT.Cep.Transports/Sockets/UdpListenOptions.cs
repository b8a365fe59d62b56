using System.Net;

namespace IoT.Cep;

/// <summary>How a UDP listener runs.</summary>
public sealed record UdpListenOptions
{
    /// <summary>Where it listens. Default: loopback. On any other address everyone can send, and under any sender's address: it needs <see cref="ListenerSecurity.AllowAnonymous"/> and <see cref="ListenerSecurity.Authorize"/>.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The messages' topic. Default: <c>udp</c>.</summary>
    public string Topic { get; init; } = "udp";

    /// <summary>The longest datagram, in bytes. Default: 65,507, which is all that UDP carries, and never more than <see cref="PrincipalLimits.MaxPayloadBytes"/>. A longer one is a dead letter.</summary>
    public int MaxMessageBytes { get; init; } = 65_507;

    /// <summary>How many bytes the system keeps while the queries hold back; what comes beyond is lost, which is UDP's way. Default: 1 MiB.</summary>
    public int ReceiveBufferBytes { get; init; } = 1 << 20;

    /// <summary>Who may send; <see cref="ListenerSecurity.Authorize"/> is asked for the anonymous identity and the topic, whose limits all senders share: what goes past them is lost, as is what comes after <c>Revoke("anonymous")</c> unless it is allowed anew.</summary>
    public ListenerSecurity Security { get; init; } = ListenerSecurity.LoopbackOnly;

    /// <summary>Told where it listens: the port that was chosen for 0.</summary>
    public Action<IPEndPoint>? Listening { get; init; }
}
