using System.Globalization;

namespace Quickstart;

/// <summary>What the command line asks for.</summary>
public sealed record CommandLine
{
    public const string Help = """
        Sensors publish readings over MQTT; IoT.Cep stores them, summarizes them, and finds overheating and silent sensors.

        usage: quickstart [options]

          --duration SECONDS   publish for so long; until Ctrl-C or the end of the data by default
          --sensors N          simulated sensors; 100 by default
          --rate N             readings a second, of all sensors together; 1000 by default, for --data as fast as accepted
          --data FILE          replay a recorded file instead of simulating sensors: lines of '<milliseconds>,<SenML>',
                               or rows below the header 'timestamp,value'
          --speed N            replay N times faster than it was recorded; as fast as accepted by default
          --metadata FILE      where sensors are: lines of 'sensor:building,kind'; sensor-metadata.txt beside the data by
                               default, made up for simulated sensors
          --broker HOST:PORT   use this MQTT broker instead of the embedded one
          --database FILE      write into this SQLite file, which may exist; a new temporary file by default
          --summary FILE       write the totals into this file as JSON
          --help               show this

        Ctrl-C stops publishing, finishes what was accepted and shows the totals; a second Ctrl-C ends at once.

        exit code: 0 the totals add up; 1 it could not run (no broker, no database, a query failed);
                   2 the command line or a file's content is wrong; 3 the totals do not add up
        """;

    public TimeSpan? Duration { get; private init; }

    public int Sensors { get; private init; } = 100;

    public double? Rate { get; private init; }

    public string? Data { get; private init; }

    public double? Speed { get; private init; }

    public string? Metadata { get; private init; }

    public (string Host, int Port)? Broker { get; private init; }

    public string? Database { get; private init; }

    public string? Summary { get; private init; }

    public bool WantsHelp { get; private init; }

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

            // A name is known before its value is asked for, so that a typing error is called by its name.
            options = options.With(name, () => value ?? (++i < args.Length ? args[i] : throw new FormatException($"{name} needs a value.")));
        }

        if (options.Data is not null && given.Contains("--sensors"))
        {
            throw new FormatException("--sensors is for simulated sensors; leave it out with --data.");
        }

        return options.Data is null && options.Speed is not null ? throw new FormatException("--speed is for a replay; give --data FILE too.") : options;
    }

    private CommandLine With(string name, Func<string> value) => name switch
    {
        // Months: what timers can wait for.
        "--duration" => this with { Duration = TimeSpan.FromSeconds(Number(name, value(), 4_000_000)) },
        "--sensors" => this with { Sensors = (int)Whole(name, value(), 1_000_000) },
        "--rate" => this with { Rate = Number(name, value(), 10_000_000) },
        "--speed" => this with { Speed = Number(name, value(), 1e12) },
        "--data" => this with { Data = Existing(name, value()) },
        "--metadata" => this with { Metadata = Existing(name, value()) },
        "--database" => this with { Database = Writable(name, value()) },
        "--summary" => this with { Summary = Writable(name, value()) },
        "--broker" => this with { Broker = HostAndPort(name, value()) },
        _ => throw new FormatException($"'{name}' is no option of the quickstart."),
    };

    private static double Number(string name, string text, double most) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number > 0 && number <= most
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} '{text}': expected a number above 0, at most {most:N0}."));

    private static long Whole(string name, string text, long most) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 && number <= most
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} '{text}': expected a whole number from 1 to {most:N0}."));

    private static string Existing(string name, string file) =>
        File.Exists(file) ? file : throw new FormatException($"{name} '{file}': there is no such file.");

    private static string Writable(string name, string file)
    {
        if (file.Length == 0 || Directory.Exists(file))
        {
            throw new FormatException($"{name} '{file}': expected a file's name.");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(file)) ?? "";
        return Directory.Exists(folder) ? file : throw new FormatException($"{name} '{file}': the folder {folder} does not exist.");
    }

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
