using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>Who a client that connects to an <see cref="MqttBroker"/> says it is.</summary>
/// <param name="ClientId">Its name; text from the network.</param>
/// <param name="UserName">Its user's name; null: none.</param>
/// <param name="Password">Its password; null: none.</param>
/// <param name="Certificate">Its certificate; null: none. Its chain has not been checked.</param>
/// <param name="RemoteEndPoint">Where it connects from.</param>
public sealed record MqttBrokerClient(string ClientId, string? UserName, string? Password, X509Certificate2? Certificate, EndPoint? RemoteEndPoint);

/// <summary>How an <see cref="MqttBroker"/> listens and what it bears.</summary>
public sealed class MqttBrokerOptions
{
    /// <summary>The port. Default 1883; 0 chooses a free one, which <see cref="MqttBroker.Port"/> tells.</summary>
    public int Port { get; set; } = 1883;

    /// <summary>The address. Default: loopback. Any other is refused without <see cref="Authenticate"/>.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>Decides who may connect; called on a pool thread, for many clients at once. Null, the default: everyone on this machine.</summary>
    public Func<MqttBrokerClient, ValueTask<bool>>? Authenticate { get; set; }

    /// <summary>The server's certificate with its private key: TLS 1.2 or 1.3. Null, the default: no encryption.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>The largest packet, in bytes; a client that announces a larger one is cut before it is read. Default: 1 MiB and 64 KiB for its topic.</summary>
    public int MaxPacketBytes { get; set; } = (1 << 20) + (64 << 10);

    /// <summary>How many connections there may be; one more is closed at once. Default: 10,000.</summary>
    public int MaxClients { get; set; } = 10_000;

    /// <summary>How many connections may wait to be accepted. Default: 512.</summary>
    public int ConnectionBacklog { get; set; } = 512;

    /// <summary>
    /// How many messages may wait for one subscriber, sent and unacknowledged ones included. Default: 20,000. Beyond half of it the
    /// subscriber's publishers wait; the other half is for what they already sent. At most 60,000, since packet ids have 16 bits.
    /// </summary>
    public int MaxPendingMessagesPerClient { get; set; } = 20_000;

    /// <summary>
    /// A subscriber that takes nothing for so long while publishers wait for it is disconnected; its session keeps its messages.
    /// Default: 20 s, since MQTTnet disconnects a publisher that was not read for one and a half of its keep-alives (15 s with many clients).
    /// </summary>
    public TimeSpan StallTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a connection may take to say who it is. Default: 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    internal void Validate()
    {
        Require(Port is >= 0 and <= 65_535, nameof(Port), "must be 0 to 65,535");
        Require(IPAddress.IsLoopback(Address) || Authenticate is not null, nameof(Address),
            $"is {Address}, which others can reach: set Authenticate, or listen on IPAddress.Loopback");
        Require(Certificate is null || Certificate.HasPrivateKey, nameof(Certificate), "has no private key");
        Require(MaxPacketBytes is >= 1024 and <= 268_435_455, nameof(MaxPacketBytes), "must be 1,024 to 268,435,455");
        Require(MaxClients >= 1, nameof(MaxClients), "must be at least 1");
        Require(ConnectionBacklog >= 1, nameof(ConnectionBacklog), "must be at least 1");
        Require(MaxPendingMessagesPerClient is >= 2 and <= 60_000, nameof(MaxPendingMessagesPerClient), "must be 2 to 60,000");
        Require(StallTimeout > TimeSpan.Zero, nameof(StallTimeout), "must be longer than zero");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "must be longer than zero");

        static void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"MQTT broker: {option} {remedy}.");
            }
        }
    }
}
