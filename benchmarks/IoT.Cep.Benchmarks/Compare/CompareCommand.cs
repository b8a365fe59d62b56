using System.Globalization;
using System.Text.Json;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>The command: runs the workloads that were asked for, prints a line for each, and says by its exit code whether all is right.</summary>
internal static class CompareCommand
{
    internal static async Task<int> RunAsync(string[] args)
    {
        CompareOptions options;
        try
        {
            options = CompareOptions.Parse(args);
        }
        catch (UsageException error)
        {
            await Console.Error.WriteLineAsync($"{error.Message}\n\n{CompareOptions.Help}");
            return 2;
        }

        if (options.ShowHelp)
        {
            Console.WriteLine(CompareOptions.Help);
            return 0;
        }

        Console.WriteLine($"{options.Events:N0} events, {options.Devices:N0} devices, median of {options.Runs} runs in turns; million events per CPU-second [least..most], by the clock in brackets");
        var all = new List<Figures>();
        foreach (string name in options.Workloads)
        {
            all.Add(name == "mqtt"
                ? await MqttComparison.RunAsync(options)
                : name.StartsWith(MqttIngestComparison.Prefix, StringComparison.Ordinal) ? await MqttIngestComparison.RunAsync(name, options)
                : name.StartsWith(CoapComparison.Prefix, StringComparison.Ordinal) ? await CoapComparison.RunAsync(name, options)
                : name.StartsWith("http-", StringComparison.Ordinal) ? await HttpComparison.RunAsync(name, options)
                : await Comparison.RunAsync(Contenders(name, options), options.Devices, options.Runs));
            Print(all[^1]);
        }

        bool isFlat = IsFlat(all, "flat3-", 1.3) & IsFlat(all, "flat9-", 2);
        if (options.JsonFile is not null)
        {
            await File.WriteAllTextAsync(options.JsonFile, ToJson(all));
        }

        return all.TrueForAll(figures => figures.ResultErrors.Count == 0 && (!options.Check || figures.AllocationError is null)) && (isFlat || !options.Check) ? 0 : 1;
    }

    /// <summary>Whether a pattern is about as fast over a large window as over a small one.</summary>
    private static bool IsFlat(List<Figures> all, string prefix, double allowed)
    {
        var speeds = all.FindAll(figures => figures.Workload.StartsWith(prefix, StringComparison.Ordinal)).ConvertAll(figures => figures.Cep.PerCpuSecond);
        if (speeds.Count < 2)
        {
            return true;
        }

        double ratio = speeds.Max() / speeds.Min();
        Console.WriteLine($"{prefix}*     the fastest window is {ratio:F2} times as fast as the slowest; {allowed:F1} is allowed");
        return ratio <= allowed;
    }

    private static Workload Contenders(string name, CompareOptions options) =>
        options.WithoutPeer ? Make(name, options) with { Peer = null } : Make(name, options);

    private static Workload Make(string name, CompareOptions options) => name switch
    {
        "W1" => FilterProject.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "W2" => TumblingWindow.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "keys" => TumblingWindow.MakePerKey(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "W4" => SlidingAverage.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "W3" => HoppingWindow.Make(ReadingData.HundredThousandPerSecond(options.Events, options.Devices)),
        "W5" => Enrichment.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "W6" => TwoStepPattern.Make(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "callback" => DevicePatterns.MakeCallback(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "negation" => DevicePatterns.MakeNegation(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "correlated" => RunPatterns.MakeCorrelated(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "kleene" => RunPatterns.MakeKleene(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "steps8" => DevicePatterns.MakeSteps(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "variants100" => DevicePatterns.MakeVariants(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        ['f', 'l', 'a', 't', var steps, '-', .. var window] => FlatPattern.Make(
            name, ReadingData.HundredThousandPerSecond(options.Events, options.Devices), steps - '0', int.Parse(window, CultureInfo.InvariantCulture)),
        "sliding-max" => SlidingMaximum.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "disorder" => Disorder.Make(ReadingData.MillionPerSecond(options.Events, options.Devices)),
        "W7" => Sessions.Make(ReadingData.TenPerSecondAndDevice(options.Events, options.Devices)),
        "json" => PayloadsToWindows.Make(PayloadFormat.Json, options.Events, options.Devices),
        "ndjson" => PayloadsToWindows.Make(PayloadFormat.NdJson, options.Events, options.Devices),
        "cbor" => PayloadsToWindows.Make(PayloadFormat.Cbor, options.Events, options.Devices),
        "senmlcbor" => PayloadsToWindows.Make(PayloadFormat.SenMlCbor, options.Events, options.Devices),
        "protobuf" => PayloadsToWindows.Make(PayloadFormat.Protobuf, options.Events, options.Devices),
        "line" => PayloadsToWindows.Make(PayloadFormat.Line, options.Events, options.Devices),
        "senml" => PayloadsToWindows.Make(PayloadFormat.SenMl, options.Events, options.Devices),
        _ when name.StartsWith(Decoding.Prefix, StringComparison.Ordinal) && Enum.TryParse<PayloadFormat>(name[Decoding.Prefix.Length..], ignoreCase: true, out var format) =>
            Decoding.Make(format, options.Events, options.Devices),
        _ => throw new UsageException($"Unknown workload '{name}'."),
    };

    private static void Print(Figures figures)
    {
        string peer = figures.Peer is null ? "" : $"  {figures.PeerName} {Text(figures.Peer)}  of it {figures.RatioPeer:F2}";
        string peerBytes = figures.PeerBytesPerEvent is { } bytes ? $" ({figures.PeerName} {bytes:F1})" : "";
        Console.WriteLine(
            $"{figures.Workload,-11}  IoT.Cep {Text(figures.Cep)}{peer}  {figures.FloorName} {Text(figures.Floor)}  of it {figures.RatioFloor:F2}  {figures.BytesPerEvent:F3} B/event{peerBytes}{figures.Held}");
        foreach (string error in figures.ResultErrors.Append(figures.AllocationError).OfType<string>())
        {
            Console.WriteLine($"       WRONG {error}");
        }
    }

    private static string Text(Speed speed) => $"{speed.PerCpuSecond:F2} [{speed.Least:F2}..{speed.Most:F2}] ({speed.PerSecond:F2})";

    private static string ToJson(List<Figures> all)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartArray();
            foreach (var figures in all)
            {
                json.WriteStartObject();
                json.WriteString("workload", figures.Workload);
                json.WriteNumber("devices", figures.Devices);
                json.WriteNumber("cep", figures.Cep.PerCpuSecond);
                Write(json, "rx", figures.Peer?.PerCpuSecond);
                json.WriteNumber("hand", figures.Floor.PerCpuSecond);
                Write(json, "ratioRx", figures.RatioPeer);
                json.WriteNumber("ratioHand", figures.RatioFloor);
                json.WriteNumber("bytesPerEvent", figures.BytesPerEvent);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
