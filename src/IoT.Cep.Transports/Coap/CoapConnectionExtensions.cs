using System.Globalization;
using System.Net;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Configuration;

namespace IoT.Cep;

/// <summary>Declares CoAP connections and listeners.</summary>
public static class CoapConnectionExtensions
{
    /// <summary>
    /// Declares how to speak to CoAP servers: <c>cep.Coap(o =&gt; o.BlockBytes = 256)</c>. What it does not set comes from the host's configuration
    /// (<c>IoT.Cep:Coap:default</c>), where there is one.
    /// </summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="name">The connection's name, which <c>Coap.Observe</c>, <c>Coap.Post</c> and <c>Coap.Put</c> refer to.</param>
    /// <returns>The same <paramref name="cep"/>.</returns>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static ICep Coap(this ICep cep, Action<CoapOptions> configure, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new CoapOptions();
        ReadAll(cep.Connections.Section("Coap", name), name, (key, value, path) => Read(options, key, value, path), tls => options.Tls = tls);
        configure(options);
        options.Validate(name);
        cep.Connections.Set(options, name);
        return cep;
    }

    /// <summary>
    /// Declares a CoAP server of this program: <c>cep.CoapListener(o =&gt; o.Port = 5683)</c>. What it does not set comes from the host's configuration
    /// (<c>IoT.Cep:CoapListener:default</c>), where there is one.
    /// </summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="name">The listener's name, which <c>Coap.Listen</c> and <c>Coap.Resource</c> refer to.</param>
    /// <returns>The same <paramref name="cep"/>.</returns>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static ICep CoapListener(this ICep cep, Action<CoapListenerOptions> configure, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new CoapListenerOptions();
        ReadAll(cep.Connections.Section("CoapListener", name), name, (key, value, path) => Read(options, key, value, path), null);
        configure(options);
        options.Validate(name);
        cep.Connections.Set(options, name);
        return cep;
    }

    /// <summary>The options of a connection: as declared, else from the configuration, else the defaults (the default connection only).</summary>
    /// <param name="connections">The declared connections.</param>
    /// <param name="name">The connection's name.</param>
    internal static CoapOptions Resolve(Connections connections, string name)
    {
        if (connections.Find<CoapOptions>(name) is { } declared)
        {
            declared.Validate(name);
            return declared;
        }

        var section = connections.Section("Coap", name);
        ThrowIfUnknown(section, name, $"There is no CoAP connection '{name}'; declare it: cep.Coap(o => ..., \"{name}\").");
        var options = new CoapOptions();
        ReadAll(section, name, (key, value, path) => Read(options, key, value, path), tls => options.Tls = tls);
        options.Validate(name);
        connections.Set(options, name);
        return options;
    }

    /// <summary>The options of a listener, likewise.</summary>
    /// <param name="connections">The declared connections.</param>
    /// <param name="name">The listener's name.</param>
    internal static CoapListenerOptions ResolveListener(Connections connections, string name)
    {
        // Two sources of one listener may start at the same time, and must share it.
        lock (connections)
        {
            if (connections.Find<CoapListenerOptions>(name) is { } declared)
            {
                declared.Validate(name);
                return declared;
            }

            var section = connections.Section("CoapListener", name);
            ThrowIfUnknown(section, name, $"There is no CoAP listener '{name}'; declare it: cep.CoapListener(o => ..., \"{name}\").");
            var options = new CoapListenerOptions();
            ReadAll(section, name, (key, value, path) => Read(options, key, value, path), null);
            options.Validate(name);
            connections.Set(options, name);
            return options;
        }
    }

    private static void ThrowIfUnknown(IConfigurationSection? section, string name, string message)
    {
        if (name != Connections.Default && section?.GetChildren().Any() != true)
        {
            throw new InvalidOperationException(message);
        }
    }

    // By hand and not by a binder: no reflection, and a misspelled key is an error instead of a default.
    private static void ReadAll(IConfigurationSection? section, string name, Action<string, string, string> read, Action<CoapTlsOptions>? setTls)
    {
        foreach (var entry in section?.GetChildren() ?? [])
        {
            if (setTls is not null && entry.Key.Equals(nameof(CoapOptions.Tls), StringComparison.OrdinalIgnoreCase))
            {
                var tls = new CoapTlsOptions();
                setTls(tls);
                foreach (var option in entry.GetChildren())
                {
                    Read(tls, option);
                }
            }
            else if (entry.Value is { } value)
            {
                try
                {
                    read(entry.Key, value, entry.Path);
                }
                catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
                {
                    throw new InvalidOperationException($"CoAP '{name}': {entry.Path} can't be read: it has the wrong form.", e);
                }
            }
        }
    }

    private static void Read(CoapOptions options, string key, string value, string path)
    {
        switch (key.ToUpperInvariant())
        {
            case "ISCONFIRMABLE": options.IsConfirmable = bool.Parse(value); break;
            case "RESPONSETIMEOUT": options.ResponseTimeout = Time(value); break;
            case "CONNECTTIMEOUT": options.ConnectTimeout = Time(value); break;
            case "BLOCKBYTES": options.BlockBytes = Number(value); break;
            case "MAXBODYBYTES": options.MaxBodyBytes = Number(value); break;
            case "MAXSERVERS": options.MaxServers = Number(value); break;
            case "RECONNECTMIN": options.ReconnectMin = Time(value); break;
            case "RECONNECTMAX": options.ReconnectMax = Time(value); break;
            default: throw new InvalidOperationException($"The configuration has {path}, which is no option of a CoAP connection; see CoapOptions.");
        }
    }

    private static void Read(CoapListenerOptions options, string key, string value, string path)
    {
        switch (key.ToUpperInvariant())
        {
            case "ADDRESS": options.Address = IPAddress.Parse(value); break;
            case "PORT": options.Port = value.Length == 0 ? null : Number(value); break;
            case "TCPPORT": options.TcpPort = Number(value); break;
            case "TLSPORT": options.TlsPort = Number(value); break;
            case "DTLSPORT": options.DtlsPort = Number(value); break;
            case "MAXAMPLIFICATION": options.MaxAmplification = Number(value); break;
            case "VERIFIEDFOR": options.VerifiedFor = Time(value); break;
            case "MAXPEERS": options.MaxPeers = Number(value); break;
            case "MAXCONNECTIONS": options.MaxConnections = Number(value); break;
            case "MAXREQUESTS": options.MaxRequests = Number(value); break;
            case "MAXWAITING": options.MaxWaiting = Number(value); break;
            case "RETRYAFTER": options.RetryAfter = Time(value); break;
            case "MAXBODYBYTES": options.MaxBodyBytes = Number(value); break;
            case "MAXTRANSFERBYTES": options.MaxTransferBytes = long.Parse(value, CultureInfo.InvariantCulture); break;
            case "BLOCKBYTES": options.BlockBytes = Number(value); break;
            case "MAXMESSAGEBYTES": options.MaxMessageBytes = Number(value); break;
            case "IDLETIMEOUT": options.IdleTimeout = Time(value); break;
            default: throw new InvalidOperationException($"The configuration has {path}, which is no option of a CoAP listener; see CoapListenerOptions.");
        }
    }

    private static void Read(CoapTlsOptions options, IConfigurationSection entry)
    {
        switch (entry.Key.ToUpperInvariant())
        {
            case "CAFILE": options.CaFile = entry.Value; break;
            case "CERTIFICATEFILE": options.CertificateFile = entry.Value; break;
            case "KEYFILE": options.KeyFile = entry.Value; break;
            case "TARGETHOST": options.TargetHost = entry.Value; break;
            default: throw new InvalidOperationException($"The configuration has {entry.Path}, which is no option of CoapTlsOptions.");
        }
    }

    private static int Number(string value) => int.Parse(value, CultureInfo.InvariantCulture);

    private static TimeSpan Time(string value) => TimeSpan.Parse(value, CultureInfo.InvariantCulture);
}
