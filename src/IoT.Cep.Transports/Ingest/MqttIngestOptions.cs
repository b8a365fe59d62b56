using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>How an <see cref="MqttIngestEndpoint"/> listens and what it bears.</summary>
public sealed class MqttIngestOptions
{
    /// <summary>The port. Default 1883, which is also right with a <see cref="Certificate"/> unless devices expect 8883; 0 chooses a free one, which <see cref="MqttIngestEndpoint.Port"/> tells. Null: no port; connections come by <see cref="MqttIngestEndpoint.AcceptAsync(System.Net.WebSockets.WebSocket, MqttIngestPeer)"/>.</summary>
    public int? Port { get; set; } = 1883;

    /// <summary>The address. Default: loopback. Any other is refused unless <see cref="Security"/> makes it safe.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The server's certificate with its private key: TLS 1.2 or 1.3. Null, the default: no encryption.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>Who may do what, and how much. Default: only this machine may connect, and may do everything.</summary>
    public ListenerSecurity Security { get; set; } = ListenerSecurity.LoopbackOnly;

    /// <summary>The largest packet, in bytes; a client that announces a larger one is cut before it is read. Default: 1 MiB and 4 KiB for its topic and properties.</summary>
    public int MaxPacketBytes { get; set; } = (1 << 20) + (4 << 10);

    /// <summary>The longest topic or topic filter, in bytes. Default: 512.</summary>
    public int MaxTopicBytes { get; set; } = 512;

    /// <summary>How many different topics are remembered for all clients; with more of them in use their text is made again now and then. Default: 100,000.</summary>
    public int MaxTopics { get; set; } = 100_000;

    /// <summary>How many connections there may be; one more is closed at once. Default: 20,000.</summary>
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>How many connections may be at the beginning, not yet known. Default: 2,000; one more is closed at once, so that nobody who says nothing keeps out those who do.</summary>
    public int MaxConnecting { get; set; } = 2_000;

    /// <summary>How many connections may wait to be accepted. Default: 512.</summary>
    public int ConnectionBacklog { get; set; } = 512;

    /// <summary>How long a connection may take to encrypt and to say who it is. Default: 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The longest keep-alive. A client that asks for a longer one, or for none, is told this one (MQTT 5); on MQTT 3 the client's own holds, and TCP probes a silent connection.
    /// Default: 20 minutes. A client that is silent for one and a half of its keep-alives is cut.
    /// </summary>
    public TimeSpan MaxKeepAlive { get; set; } = TimeSpan.FromMinutes(20);

    /// <summary>A packet that has begun must come at this rate, after 5 s of grace. Default: 240 bytes a second.</summary>
    public int MinBytesPerSecond { get; set; } = 240;

    /// <summary>A client that takes nothing of what is sent to it, or does not acknowledge a command, for so long is cut. Default: 20 s.</summary>
    public TimeSpan StallTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How long an endpoint that stops waits for its clients' last acknowledgements. Default: 5 s. What is not acknowledged then is sent again by its client.</summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How many messages of one client may be with the engine, and of QoS 2 unreleased. Default: 1,000. MQTT 5 clients are told; an MQTT 3 client is not read while it has so many.
    /// </summary>
    public int ReceiveMaximum { get; set; } = 1_000;

    /// <summary>How many topic aliases a client may use (MQTT 5). Default: 16.</summary>
    public int TopicAliasMaximum { get; set; } = 16;

    /// <summary>Whether messages with the retained flag are refused. Default: no; they are taken as all others and nothing is retained, since nobody subscribes to what devices send.</summary>
    public bool RefuseRetained { get; set; }

    /// <summary>How many sessions there may be, those of absent clients included; one more pushes out the one whose client is away longest. Default: 40,000.</summary>
    public int MaxSessions { get; set; } = 40_000;

    /// <summary>How long the session of an absent client is kept at most; on MQTT 3, how long it is kept unless it is a clean one. Default: 1 day.</summary>
    public TimeSpan MaxSessionExpiry { get; set; } = TimeSpan.FromDays(1);

    /// <summary>
    /// The topics of commands, as templates: <c>cmd/{sensor}/#</c>. With <see cref="ListenerSecurity.DevicePlace"/> a device is sent only the commands to itself and to those it speaks for. Empty, the default:
    /// <see cref="ListenerSecurity.Authorize"/> alone decides about filters.
    /// </summary>
    public IReadOnlyList<string> CommandTemplates { get; set; } = [];

    /// <summary>How many topic filters a client may subscribe to. Default: 16.</summary>
    public int MaxSubscriptionsPerClient { get; set; } = 16;

    /// <summary>How many commands may wait for one client, absent ones included. Default: 100.</summary>
    public int MaxCommandsPerClient { get; set; } = 100;

    /// <summary>Whether users' properties of MQTT 5 are read into <see cref="Extensibility.Payload.Headers"/>. Default: yes; it costs their text where it does not repeat.</summary>
    public bool ReadUserProperties { get; set; } = true;

    internal void Validate()
    {
        Require(Port is null or (>= 0 and <= 65_535), nameof(Port), "must be 0 to 65,535, or null");
        Require(Certificate is null || Certificate.HasPrivateKey, nameof(Certificate), "has no private key");
        Require(MaxPacketBytes is >= 256 and <= 268_435_455, nameof(MaxPacketBytes), "must be 256 to 268,435,455");
        Require(MaxTopicBytes is >= 1 and <= 65_535, nameof(MaxTopicBytes), "must be 1 to 65,535");
        Require(MaxTopics >= 1, nameof(MaxTopics), "must be at least 1");
        Require(MaxConnections >= 1, nameof(MaxConnections), "must be at least 1");
        Require(MaxConnecting >= 1, nameof(MaxConnecting), "must be at least 1");
        Require(ConnectionBacklog >= 1, nameof(ConnectionBacklog), "must be at least 1");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "must be longer than zero");
        Require(MaxKeepAlive >= TimeSpan.FromSeconds(1) && MaxKeepAlive.TotalSeconds <= ushort.MaxValue, nameof(MaxKeepAlive), "must be 1 to 65,535 s");
        Require(MinBytesPerSecond >= 1, nameof(MinBytesPerSecond), "must be at least 1");
        Require(StallTimeout > TimeSpan.Zero, nameof(StallTimeout), "must be longer than zero");
        Require(StopTimeout >= TimeSpan.Zero, nameof(StopTimeout), "can't be negative");
        Require(ReceiveMaximum is >= 1 and <= ushort.MaxValue, nameof(ReceiveMaximum), "must be 1 to 65,535");
        Require(TopicAliasMaximum is >= 0 and <= ushort.MaxValue, nameof(TopicAliasMaximum), "must be 0 to 65,535");
        Require(MaxSessions >= 1, nameof(MaxSessions), "must be at least 1");
        Require(MaxSessionExpiry >= TimeSpan.Zero && MaxSessionExpiry.TotalSeconds <= uint.MaxValue, nameof(MaxSessionExpiry), "can't be negative or longer than 136 years");
        Require(MaxSubscriptionsPerClient >= 0, nameof(MaxSubscriptionsPerClient), "can't be negative");
        Require(MaxCommandsPerClient >= 1, nameof(MaxCommandsPerClient), "must be at least 1");
        if (Port is not null)
        {
            Security.ThrowIfUnsafe("MQTT ingest endpoint", Address, Certificate is not null);
        }

        static void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"MQTT ingest endpoint: {option} {remedy}.");
            }
        }
    }
}

/// <summary>The other side of a connection that a web server has accepted.</summary>
/// <param name="Remote">Where it connects from; null where that is not known.</param>
/// <param name="IsEncrypted">Whether the connection is encrypted.</param>
public sealed record MqttIngestPeer(IPAddress? Remote, bool IsEncrypted)
{
    /// <summary>The certificate that it showed; null: none.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>The bearer token that came with the web request; null: none. One in the password of CONNECT goes before it.</summary>
    public string? Token { get; init; }
}

/// <summary>An endpoint's counters, read at one moment.</summary>
/// <param name="Connections">Connections now.</param>
/// <param name="Sessions">Sessions now, those of absent clients included.</param>
/// <param name="Received">Messages that were given to the engine.</param>
/// <param name="Duplicates">Messages that had been taken before and came again.</param>
/// <param name="Unmatched">Messages that no source's template took.</param>
/// <param name="Refused">Messages, subscriptions and connections that were refused: not allowed, or past a limit.</param>
/// <param name="Cut">Connections that were cut: malformed packets, silence, stalls.</param>
/// <param name="CommandsAcknowledged">Commands that a device has acknowledged.</param>
/// <param name="CommandsDropped">Commands that waited for a device and were given up: its session ended, or they were too large for it.</param>
public sealed record MqttIngestStatistics(
    int Connections, int Sessions, long Received, long Duplicates, long Unmatched, long Refused, long Cut, long CommandsAcknowledged, long CommandsDropped);
