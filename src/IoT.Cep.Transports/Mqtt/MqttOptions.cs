using System.Globalization;

namespace IoT.Cep;

/// <summary>
/// A connection to an MQTT broker: set by <c>cep.Mqtt(o =&gt; ...)</c>, else read from the host's configuration
/// (<c>IoT.Cep:Mqtt:default</c>), else the broker on this machine. Each source and each sink opens a connection of its own.
/// </summary>
public sealed class MqttOptions
{
    private readonly HashSet<string> _clientIdsInUse = [];

    /// <summary>The broker's name or address. Default: <c>localhost</c>.</summary>
    public string Host { get; set; } = "localhost";

    /// <summary>The broker's TCP port. Default 0: 1883, or 8883 with <see cref="Tls"/>.</summary>
    public int Port { get; set; }

    /// <summary>The protocol. Default: MQTT 5.</summary>
    public MqttProtocol ProtocolVersion { get; set; } = MqttProtocol.V5;

    /// <summary>
    /// What the names that connections give to the broker begin with; a source adds its filters' hash, so that it finds its
    /// session again after a restart. Default null: a name made up for each run, whose session ends with the run.
    /// </summary>
    public string? ClientId { get; set; }

    /// <summary>
    /// Whether the broker forgets subscriptions and unacknowledged messages whenever a connection is lost. Default null: only on
    /// MQTT 3 without a <see cref="ClientId"/>, where a session kept under a made-up name would never end.
    /// </summary>
    public bool? CleanSession { get; set; }

    /// <summary>How long the broker keeps a session that is not clean (MQTT 5). Default: 1 hour.</summary>
    public TimeSpan SessionExpiry { get; set; } = TimeSpan.FromHours(1);

    /// <summary>A silent connection is probed after this long, and given up half as long after that. Default: 15 s.</summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long connecting and subscribing may take. Default: 10 s.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a source that is stopped keeps the connection for messages that it has and a store has not committed yet. Default: 5 s. What is not
    /// acknowledged then is delivered again at the next start.
    /// </summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The user's name; null: none.</summary>
    public string? UserName { get; set; }

    /// <summary>The user's password; null: none. Refused without <see cref="Tls"/> unless <see cref="AllowPlainTextPassword"/> is set.</summary>
    public string? Password { get; set; }

    /// <summary>Lets the password cross the network readable by everyone on the way. Default: false.</summary>
    public bool AllowPlainTextPassword { get; set; }

    /// <summary>Encryption; null: none.</summary>
    public MqttTlsOptions? Tls { get; set; }

    /// <summary>How many unacknowledged messages the broker may have under way to a source (MQTT 5). Default: 65,535, the protocol's own.</summary>
    public int ReceiveMaximum { get; set; } = ushort.MaxValue;

    /// <summary>
    /// How many topics the broker may replace by a number (MQTT 5), and how many a sink replaces where the broker allows it: a long topic is then sent once for each connection. Default: 64; 0: none.
    /// </summary>
    public int TopicAliasMaximum { get; set; } = 64;

    /// <summary>What the broker publishes when a connection is lost; null: nothing.</summary>
    public MqttWill? Will { get; set; }

    /// <summary>
    /// The largest payload, in bytes. Default: 1 MiB. A source on MQTT 5 tells the broker, which withholds larger messages; on
    /// 3.1.1 they arrive and the decoder's own limit decides. A sink rejects a larger result.
    /// </summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>The first pause before connecting again; it doubles with each failure and half of it is random. Default: 0.5 s.</summary>
    public TimeSpan ReconnectMin { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause before connecting again. Default: 30 s.</summary>
    public TimeSpan ReconnectMax { get; set; } = TimeSpan.FromSeconds(30);

    internal int EffectivePort => Port != 0 ? Port : Tls is null ? 1883 : 8883;

    internal bool IsCleanSession => CleanSession ?? (ClientId is null && ProtocolVersion != MqttProtocol.V5);

    /// <summary>The same, for a connection that needs no session: what it missed is of no use to it.</summary>
    internal MqttOptions WithoutSession()
    {
        var copy = (MqttOptions)MemberwiseClone();
        copy.CleanSession = true;
        return copy;
    }

    /// <summary>Throws for the first option that can't work, naming it and the remedy.</summary>
    /// <param name="name">The connection's name, for the message.</param>
    internal void Validate(string name)
    {
        Require(!string.IsNullOrWhiteSpace(Host), nameof(Host), "is empty; set the broker's name or address");
        Require(Port is >= 0 and <= 65_535, nameof(Port), "must be 1 to 65,535, or 0 for the usual one");
        Require(ProtocolVersion is MqttProtocol.V5 or MqttProtocol.V311 or MqttProtocol.V31, nameof(ProtocolVersion), "must be V5, V311 or V31");
        Require(ClientId is null || IsText(ClientId, 128), nameof(ClientId), "must be 1 to 128 characters without control characters");
        Require(CleanSession is not false || ClientId is not null || ProtocolVersion == MqttProtocol.V5, nameof(CleanSession),
            "is false, but on MQTT 3.1.1 a session under a made-up name would stay at the broker for ever: set ClientId too");
        Require(SessionExpiry >= TimeSpan.FromSeconds(1) && SessionExpiry.TotalSeconds <= uint.MaxValue, nameof(SessionExpiry),
            "must be at least 1 s; for no session set CleanSession");
        Require(KeepAlive >= TimeSpan.FromSeconds(1) && KeepAlive.TotalSeconds <= ushort.MaxValue, nameof(KeepAlive), "must be 1 to 65,535 s");
        Require(StopTimeout >= TimeSpan.Zero, nameof(StopTimeout), "can't be negative");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "must be longer than zero");
        Require(Password is null || UserName is not null, nameof(UserName), "is missing although Password is set; MQTT 3.1.1 forbids that");
        Require(Password is null || Tls is not null || AllowPlainTextPassword, nameof(Password),
            "would cross the network in clear text; set Tls, or, where the network is yours alone, AllowPlainTextPassword = true");
        Require(Tls?.KeyFile is null || Tls.CertificateFile is not null, "Tls.CertificateFile", "is missing although Tls.KeyFile is set");
        RequireFile(Tls?.CaFile, "Tls.CaFile");
        RequireFile(Tls?.CertificateFile, "Tls.CertificateFile");
        RequireFile(Tls?.KeyFile, "Tls.KeyFile");
        Require(ReceiveMaximum is >= 1 and <= ushort.MaxValue, nameof(ReceiveMaximum), "must be 1 to 65,535");
        Require(TopicAliasMaximum is >= 0 and <= ushort.MaxValue, nameof(TopicAliasMaximum), "must be 0 to 65,535");
        Require(Will is null || MqttTopic.Problem(Will.Topic) is null, "Will.Topic", "is no topic that can be published to");
        Require(Will is null || Will.Payload.Length <= ushort.MaxValue, "Will.Payload", "has more than 65,535 bytes, the protocol's limit");
        Require(Will is null || (Will.Delay >= TimeSpan.Zero && Will.Delay.TotalSeconds <= uint.MaxValue), "Will.Delay", "can't be negative");
        Require(MaxPayloadBytes is >= 1 and <= 268_000_000, nameof(MaxPayloadBytes), "must be 1 to 268,000,000 bytes, the protocol's limit");
        Require(ReconnectMin > TimeSpan.Zero, nameof(ReconnectMin), "must be longer than zero");
        Require(ReconnectMax >= ReconnectMin, nameof(ReconnectMax), "must not be shorter than ReconnectMin");

        void RequireFile(string? file, string option) =>
            Require(file is null || File.Exists(file), option, $"names a file that does not exist: {file}");

        void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"MQTT connection '{name}': {option} {remedy}.");
            }
        }
    }

    /// <summary>A client id that no running source of this connection has: brokers cut the older of two clients with one name.</summary>
    /// <param name="wanted">The name.</param>
    internal string ClaimClientId(string wanted)
    {
        lock (_clientIdsInUse)
        {
            string id = wanted;
            for (int i = 2; !_clientIdsInUse.Add(id); i++)
            {
                id = string.Create(CultureInfo.InvariantCulture, $"{wanted}-{i}");
            }

            return id;
        }
    }

    internal void ReleaseClientId(string id)
    {
        lock (_clientIdsInUse)
        {
            _clientIdsInUse.Remove(id);
        }
    }

    private static bool IsText(string text, int maxLength) =>
        text.Length >= 1 && text.Length <= maxLength && !text.Any(char.IsControl);
}
