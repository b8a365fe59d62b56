using System.Globalization;
using IoT.Cep;

namespace Listener;

/// <summary>What the command line asks for.</summary>
public sealed record CommandLine
{
    public const string Help = """
        Listens, and prints what devices send: each value as one line of JSON, what can't be read as {"deadLetter":...}.
        In a terminal it shows the latest values instead.

        usage: listener [options]         a port of 0 takes any that is free; the ports are told on standard error

          --mqtt PORT          an MQTT broker, to which devices publish and others may subscribe
          --mqtt-ingest PORT   an MQTT server that only takes what is published
          --http PORT          POST to any path, one message or lines; WebSockets
          --coap PORT          POST or PUT to any path, over UDP (with --tls: coaps and coaps+tcp)
          --tcp PORT           lines over TCP
          --udp PORT           datagrams
          --file FILE          lines of a file, as it grows
          --broker HOST:PORT   subscribe to this MQTT broker
          --topic FILTER       what to subscribe to there; '#' by default
          --tls FILE           a certificate with its key (PEM or PFX): the listeners speak TLS
          --token TOKEN        who sends must show this token (HTTP: bearer; MQTT: password)
          --format FORMAT      auto (default), json, senml, cbor, csv, line, value
          --duration SECONDS   stop after so long
          --count N            stop after so many lines
          --json               lines of JSON also in a terminal
          --help               show this

        Everything listens on loopback only. Ctrl-C ends; a second Ctrl-C ends at once.

        exit code: 0 it ended as asked; 1 it could not run (a port is taken, a source failed); 2 the command line is wrong
        """;

    public int? Mqtt { get; private init; }

    public int? MqttIngest { get; private init; }

    public int? Http { get; private init; }

    public int? Coap { get; private init; }

    public int? Tcp { get; private init; }

    public int? Udp { get; private init; }

    public string? File { get; private init; }

    public (string Host, int Port)? Broker { get; private init; }

    public string Topic { get; private init; } = "#";

    public string? Tls { get; private init; }

    public string? Token { get; private init; }

    public MeasurementFormat Format { get; private init; }

    public TimeSpan? Duration { get; private init; }

    public long? Count { get; private init; }

    public bool WantsJson { get; private init; }

    public bool WantsHelp { get; private init; }

    private bool HasNothing => (Mqtt ?? MqttIngest ?? Http ?? Coap ?? Tcp ?? Udp) is null && File is null && Broker is null;

    /// <summary>Reads the arguments: <c>--name value</c> or <c>--name=value</c>.</summary>
    /// <exception cref="FormatException">The message says which argument is wrong and what is expected.</exception>
    public static CommandLine Parse(string[] args)
    {
        var options = new CommandLine();
        var given = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < args.Length; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var left, var right] ? (left, right) : (args[i], null);
            if (name is "--help" or "-h" or "-?")
            {
                return options with { WantsHelp = true };
            }

            if (!given.Add(name))
            {
                throw new FormatException($"{name} is given twice.");
            }

            options = name == "--json"
                ? options with { WantsJson = true }
                : options.With(name, () => value ?? (++i < args.Length ? args[i] : throw new FormatException($"{name} needs a value.")));
        }

        return options.HasNothing ? throw new FormatException("Say where to listen: --mqtt PORT, --http PORT, --coap PORT, --broker HOST:PORT, ...")
            : options.Broker is null && given.Contains("--topic") ? throw new FormatException("--topic is for an outside broker; give --broker HOST:PORT too.")
            : options.Token is not null && (options.Coap ?? options.Tcp ?? options.Udp) is not null ? throw new FormatException("--coap, --tcp and --udp have no place for a token; leave them or --token out.")
            : options.Tls is not null && options.Udp is not null ? throw new FormatException("--udp has no TLS; leave it or --tls out.")
            : options;
    }

    private CommandLine With(string name, Func<string> value) => name switch
    {
        "--mqtt" => this with { Mqtt = Port(name, value()) },
        "--mqtt-ingest" => this with { MqttIngest = Port(name, value()) },
        "--http" => this with { Http = Port(name, value()) },
        "--coap" => this with { Coap = Port(name, value()) },
        "--tcp" => this with { Tcp = Port(name, value()) },
        "--udp" => this with { Udp = Port(name, value()) },
        "--file" => this with { File = value() },
        "--broker" => this with { Broker = HostAndPort(name, value()) },
        "--topic" => this with { Topic = TopicOf(name, value()) },
        "--tls" => this with { Tls = Existing(name, value()) },
        "--token" => this with { Token = value() is { Length: >= 8 } token ? token : throw new FormatException("--token: give at least 8 characters.") },
        "--format" => this with { Format = FormatOf(name, value()) },
        "--duration" => this with { Duration = TimeSpan.FromSeconds(Number(name, value())) },
        "--count" => this with { Count = (long)Math.Ceiling(Number(name, value())) },
        _ => throw new FormatException($"'{name}' is no option of the listener."),
    };

    private static int Port(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port <= 65_535 ? port : throw new FormatException($"{name} '{text}': expected a port, 0 to 65535.");

    private static double Number(string name, string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number is > 0 and <= 4_000_000
            ? number : throw new FormatException($"{name} '{text}': expected a number above 0, at most 4,000,000.");

    private static string Existing(string name, string file) => System.IO.File.Exists(file) ? file : throw new FormatException($"{name} '{file}': there is no such file.");

    private static string TopicOf(string name, string filter) =>
        IoT.Cep.Extensibility.TopicFilter.TryParse(filter, out _, out string? error) ? filter : throw new FormatException($"{name}: {error}");

    private static MeasurementFormat FormatOf(string name, string text) =>
        Enum.TryParse<MeasurementFormat>(text, ignoreCase: true, out var format) && !char.IsAsciiDigit(text[0]) ? format
            : throw new FormatException($"{name} '{text}': expected auto, json, senml, cbor, csv, line or value.");

    private static (string Host, int Port) HostAndPort(string name, string text)
    {
        int colon = text.LastIndexOf(':');
        string host = colon > 0 ? text[..colon] : "";
        bool isAddress = host.StartsWith('[') && host.EndsWith(']');
        bool isPort = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= 65_535;
        return host.Length > 0 && isPort && (isAddress || !host.Contains(':', StringComparison.Ordinal))
            ? (isAddress ? host[1..^1] : host, port)
            : throw new FormatException($"{name} '{text}': expected HOST:PORT, as in 127.0.0.1:1883 or [::1]:1883.");
    }
}
