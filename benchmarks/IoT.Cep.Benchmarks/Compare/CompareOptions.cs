using System.Globalization;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>What the command line of <c>compare</c> says.</summary>
internal sealed record CompareOptions
{
    internal const string Help = """
        compare: the same work by IoT.Cep, by a peer and by hand, in turns, results checked

          --workloads LIST  of W1,W2,W3,W4,W5,W6,W7,keys,disorder,sliding-max,senml,json,ndjson,cbor,senmlcbor,protobuf,line,decode (or decode-json,
                            one format of it),mqtt,mqtt-ingest,http,coap,
                            and of the patterns callback,negation,correlated,
                            kleene,steps8,variants100,flat3,flat9 (or flat3-1000, one window of it); all by default
          --devices N       how many devices send; 1000 by default
          --events N        how many events; 10000000 by default
          --runs N          measured runs of each, of which the median counts; 5 by default
          --without-peer    leaves the peer out, which may take a minute where IoT.Cep takes a second
          --json FILE       writes the figures as JSON
          --check           fails as well where the hot path allocates
          --help            prints this

        In the places of "Rx" and "hand" (rx and hand in the JSON) stand Rx and a loop written by hand that sees each event once, but for:
          keys              Rx: the same windows by the source's time, W2's query; hand: W2's loop
          disorder          Rx: the same query over the same events in order; hand: a loop that takes them out of order
          sliding-max       Rx: nothing
          patterns          Rx: nothing
          senml, json ...   Rx: nothing; hand: a bare reader of the payloads (ndjson, cbor, senmlcbor, protobuf, line)
          decode            bytes to events and no query, in each format; Rx: nothing; hand: the bare reader, of line and csv a loop written for these bytes
          mqtt              Rx: nothing; hand: MQTTnet alone
          mqtt-ingest       the ingest endpoint, in three loads (-gateways, -qos1, -devices); Rx: nothing; hand: the embedded broker and a subscription to it
          http              Rx: nothing; hand: an endpoint of ASP.NET that only reads the body
          coap              small messages over UDP, confirmable (-con) or not (-non); Rx: nothing; hand: a bare socket with the same codec, that answers at once and remembers nothing

        Exit code: 0 all right, 1 a result is wrong or a check failed, 2 wrong usage.
        """;

    /// <summary>Of the flat ones each window is a workload of its own: <c>flat3</c> stands for all of a sequence of three.</summary>
    internal static readonly string[] Patterns =
    [
        "callback", "negation", "correlated", "kleene", "steps8", "variants100",
        "flat3-100", "flat3-1000", "flat3-10000", "flat3-100000", "flat9-100", "flat9-1000", "flat9-10000", "flat9-100000",
    ];

    internal static readonly string[] Known =
    [
        "W1", "W2", "W3", "W4", "W5", "W6", "W7", "keys", "disorder", "sliding-max", .. Patterns, "senml", "json", "ndjson", "cbor",
        "senmlcbor", "protobuf", "line",
        "decode-json", "decode-ndjson", "decode-senml", "decode-senmlcbor", "decode-cbor", "decode-protobuf", "decode-line", "decode-csv",
        "mqtt", "mqtt-ingest-gateways", "mqtt-ingest-qos1", "mqtt-ingest-devices", "http-single", "http-batch", "http-lines", "coap-con", "coap-non",
    ];

    internal IReadOnlyList<string> Workloads { get; private init; } = Known;

    internal int Devices { get; private init; } = 1_000;

    internal int Events { get; private init; } = 10_000_000;

    internal int Runs { get; private init; } = 5;

    internal bool WithoutPeer { get; private init; }

    internal string? JsonFile { get; private init; }

    internal bool Check { get; private init; }

    internal bool ShowHelp { get; private init; }

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="UsageException">An argument is unknown, or its value can't be used.</exception>
    internal static CompareOptions Parse(ReadOnlySpan<string> args)
    {
        var options = new CompareOptions();
        while (args is [var name, .. var rest])
        {
            (options, int taken) = name switch
            {
                "--workloads" => (options with { Workloads = WorkloadsOf(Value(name, rest)) }, 2),
                "--devices" => (options with { Devices = Number(name, rest, 10_000_000) }, 2),
                "--events" => (options with { Events = Number(name, rest, 50_000_000) }, 2),
                "--runs" => (options with { Runs = Number(name, rest, 1_000) }, 2),
                "--without-peer" => (options with { WithoutPeer = true }, 1),
                "--json" => (options with { JsonFile = Value(name, rest) }, 2),
                "--check" => (options with { Check = true }, 1),
                "--help" or "-h" => (options with { ShowHelp = true }, 1),
                _ => throw new UsageException($"Unknown option '{name}'."),
            };
            args = args[taken..];
        }

        return options;
    }

    private static string Value(string name, ReadOnlySpan<string> rest) =>
        rest is [var value, ..] ? value : throw new UsageException($"{name} needs a value.");

    private static int Number(string name, ReadOnlySpan<string> rest, int most)
    {
        string text = Value(name, rest);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= most
            ? number
            : throw new UsageException($"{name} needs a whole number from 1 to {most}, not '{text}'.");
    }

    private static string[] WorkloadsOf(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).SelectMany(WorkloadsNamed)];

    private static string[] WorkloadsNamed(string name)
    {
        string[] found = Array.FindAll(Known, known => known.Equals(name, StringComparison.OrdinalIgnoreCase) || known.StartsWith(name + "-", StringComparison.OrdinalIgnoreCase));
        return found.Length > 0 ? found : throw new UsageException($"Unknown workload '{name}'; there are {string.Join(", ", Known)}.");
    }
}
/// <summary>The command line can't be used; the message says why.</summary>
#pragma warning disable CA1032, CA1064 // thrown and caught within this command
internal sealed class UsageException(string message) : Exception(message);
#pragma warning restore CA1032, CA1064
