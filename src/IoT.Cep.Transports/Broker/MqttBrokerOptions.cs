using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How an <see cref="MqttBroker"/> listens and what it bears.</summary>
public sealed class MqttBrokerOptions
{
    /// <summary>The port. Default 1883; 0 chooses a free one, which <see cref="MqttBroker.Port"/> tells.</summary>
    public int Port { get; set; } = 1883;

    /// <summary>The address. Default: loopback. Any other is refused where <see cref="Security"/> does not say who may connect and what they may do.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>
    /// Who may connect, publish and subscribe, and how much. Default: everyone on this machine, everything. A bearer token comes in the password, under any user name: where both passwords and
    /// tokens are known, a password of three parts with dots between them is a token.
    /// </summary>
    public ListenerSecurity Security { get; set; } = ListenerSecurity.LoopbackOnly;

    /// <summary>Topic templates, of which those with <see cref="ListenerSecurity.DevicePlace"/> bind topics to the devices that a client speaks for.</summary>
    public IReadOnlyList<TopicTemplate> Templates { get; set; } = [];

    /// <summary>
    /// The folder where sessions, their messages, and retained messages are kept, so that they outlive the process. Null, the default: in memory. A message is then acknowledged when it is on
    /// the disk. The folder is one broker's.
    /// </summary>
    public string? StoreFolder { get; set; }

    /// <summary>How many bytes the messages in <see cref="StoreFolder"/> may have; past it what must be kept is refused. Default: 1 GiB.</summary>
    public long MaxStoreBytes { get; set; } = 1L << 30;

    /// <summary>How many sessions there may be, those of clients that are away included; one more is refused. Default: 100,000.</summary>
    public int MaxSessions { get; set; } = 100_000;

    /// <summary>How many subscriptions one session may have. Default: 1,000.</summary>
    public int MaxSubscriptionsPerSession { get; set; } = 1_000;

    /// <summary>How many topics may have a retained message; one more is refused. Default: 100,000.</summary>
    public int MaxRetainedMessages { get; set; } = 100_000;

    /// <summary>The longest time that a session is kept for a client that is away, whatever it asked for; on MQTT 3.1.1, which asks for none, always this. Default: 7 days.</summary>
    public TimeSpan MaxSessionExpiry { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The server's certificate with its private key: TLS 1.2 or 1.3. Null, the default: no encryption.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>The largest packet, in bytes; a client that announces a larger one is cut before it is read. A CONNECT, its will included: 64 KiB. Default: 1 MiB and 64 KiB for its topic.</summary>
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
        Security.ThrowIfUnsafe("MQTT broker", Address, Certificate is not null);
        Require(Security.DevicePlace is null || Templates.Any(t => t.Names.Contains(Security.DevicePlace)), nameof(Templates),
            $"has none with the place '{Security.DevicePlace}', which Security.DevicePlace names: no client could send or be told anything");
        Require(MaxStoreBytes >= 1 << 16, nameof(MaxStoreBytes), "must be at least 65,536");
        Require(MaxSessions >= 1, nameof(MaxSessions), "must be at least 1");
        Require(MaxSubscriptionsPerSession >= 1, nameof(MaxSubscriptionsPerSession), "must be at least 1");
        Require(MaxRetainedMessages >= 0, nameof(MaxRetainedMessages), "must not be negative");
        Require(MaxSessionExpiry >= TimeSpan.FromSeconds(1) && MaxSessionExpiry.TotalSeconds < uint.MaxValue, nameof(MaxSessionExpiry), "must be at least 1 s");
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
