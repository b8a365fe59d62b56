using System.Globalization;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Configuration;

namespace IoT.Cep;

/// <summary>Declares connections to MQTT brokers.</summary>
public static class MqttConnectionExtensions
{
    /// <summary>
    /// Declares a connection: <c>cep.Mqtt(o =&gt; o.Host = "broker.example")</c>. What it does not set comes from the host's
    /// configuration (<c>IoT.Cep:Mqtt:default</c>), where there is one.
    /// </summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="name">The connection's name, which <c>Mqtt.Subscribe</c> and <c>Mqtt.Publish</c> refer to.</param>
    /// <returns>The same <paramref name="cep"/>.</returns>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static ICep Mqtt(this ICep cep, Action<MqttOptions> configure, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new MqttOptions();
        Read(options, cep.Connections.Section("Mqtt", name), name);
        configure(options);
        options.Validate(name);
        cep.Connections.Set(options, name);
        return cep;
    }

    /// <summary>The options of a connection: as declared, else from the configuration, else (the default connection only) the broker on this machine.</summary>
    /// <param name="connections">The declared connections.</param>
    /// <param name="name">The connection's name.</param>
    internal static MqttOptions Resolve(Connections connections, string name)
    {
        if (connections.Find<MqttOptions>(name) is { } declared)
        {
            declared.Validate(name);
            return declared;
        }

        var section = connections.Section("Mqtt", name);
        bool configured = section is not null && section.GetChildren().Any();
        if (!configured && name != Connections.Default)
        {
            throw new InvalidOperationException($"There is no MQTT connection '{name}'; declare it: cep.Mqtt(o => o.Host = \"...\", \"{name}\").");
        }

        var options = new MqttOptions();
        Read(options, section, name);
        options.Validate(name);
        connections.Set(options, name);
        return options;
    }

    // By hand and not by a binder: no reflection, and a misspelled key is an error instead of a default.
    private static void Read(MqttOptions options, IConfigurationSection? section, string name)
    {
        foreach (var entry in section?.GetChildren() ?? [])
        {
            if (entry.Key.Equals(nameof(MqttOptions.Tls), StringComparison.OrdinalIgnoreCase))
            {
                options.Tls = new MqttTlsOptions();
                foreach (var tls in entry.GetChildren())
                {
                    ReadTls(options.Tls, tls, name);
                }
            }
            else if (entry.Key.Equals(nameof(MqttOptions.Will), StringComparison.OrdinalIgnoreCase))
            {
                options.Will = new MqttWill();
                foreach (var will in entry.GetChildren())
                {
                    ReadWill(options.Will, will, name);
                }
            }
            else if (entry.Value is { } value)
            {
                try
                {
                    Read(options, entry.Key, value, entry.Path);
                }
                catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
                {
                    // The value is not shown: a password could stand on the wrong line.
                    throw new InvalidOperationException($"MQTT connection '{name}': {entry.Path} can't be read: it has the wrong form.", e);
                }
            }
        }
    }

    private static void Read(MqttOptions options, string key, string value, string path)
    {
        switch (key.ToUpperInvariant())
        {
            case "HOST": options.Host = value; break;
            case "PORT": options.Port = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "PROTOCOLVERSION": options.ProtocolVersion = ReadProtocol(value); break;
            case "CLIENTID": options.ClientId = value; break;
            case "CLEANSESSION": options.CleanSession = bool.Parse(value); break;
            case "SESSIONEXPIRY": options.SessionExpiry = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            case "KEEPALIVE": options.KeepAlive = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            case "STOPTIMEOUT": options.StopTimeout = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            case "CONNECTTIMEOUT": options.ConnectTimeout = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            case "USERNAME": options.UserName = value; break;
            case "PASSWORD": options.Password = value; break;
            case "ALLOWPLAINTEXTPASSWORD": options.AllowPlainTextPassword = bool.Parse(value); break;
            case "RECEIVEMAXIMUM": options.ReceiveMaximum = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "TOPICALIASMAXIMUM": options.TopicAliasMaximum = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "MAXPAYLOADBYTES": options.MaxPayloadBytes = int.Parse(value, CultureInfo.InvariantCulture); break;
            case "RECONNECTMIN": options.ReconnectMin = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            case "RECONNECTMAX": options.ReconnectMax = TimeSpan.Parse(value, CultureInfo.InvariantCulture); break;
            default: throw new InvalidOperationException($"The configuration has {path}, which is no option of an MQTT connection; see MqttOptions.");
        }
    }

    private static void ReadTls(MqttTlsOptions options, IConfigurationSection entry, string name)
    {
        switch (entry.Key.ToUpperInvariant())
        {
            case "CAFILE": options.CaFile = entry.Value; break;
            case "CERTIFICATEFILE": options.CertificateFile = entry.Value; break;
            case "KEYFILE": options.KeyFile = entry.Value; break;
            case "TARGETHOST": options.TargetHost = entry.Value; break;
            default: throw new InvalidOperationException($"MQTT connection '{name}': the configuration has {entry.Path}, which is no option of MqttTlsOptions.");
        }
    }

    private static void ReadWill(MqttWill will, IConfigurationSection entry, string name)
    {
        string value = entry.Value ?? "";
        switch (entry.Key.ToUpperInvariant())
        {
            case "TOPIC": will.Topic = value; break;
            case "PAYLOAD": will.Payload = System.Text.Encoding.UTF8.GetBytes(value); break;
            case "RETAINED" when bool.TryParse(value, out bool retained): will.Retained = retained; break;
            case "DELAY" when TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var delay): will.Delay = delay; break;
            case "CONTENTTYPE": will.ContentType = value; break;
            case "QUALITYOFSERVICE" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int level) && level <= 2:
                will.QualityOfService = (MqttQualityOfService)level;
                break;
            default: throw new InvalidOperationException($"MQTT connection '{name}': the configuration has {entry.Path}, which is no option of MqttWill, or can't be read.");
        }
    }

    private static MqttProtocol ReadProtocol(string value) => value.ToUpperInvariant() switch
    {
        "5" or "5.0" or "V5" => MqttProtocol.V5,
        "3.1.1" or "V311" => MqttProtocol.V311,
        "3.1" or "V31" => MqttProtocol.V31,
        _ => throw new FormatException("Write 5, 3.1.1 or 3.1."),
    };
}
