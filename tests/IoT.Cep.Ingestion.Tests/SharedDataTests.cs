using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;
using Xunit.Abstractions;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>Real recordings, flaws included; they stay outside of the repository.</summary>
public sealed class SharedDataTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_line_of_the_city_decodes()
    {
        if (Find("city/readings.senml.csv") is not { } path)
        {
            return;
        }

        var decoder = SenMl.Decode<Reading>(SenMl.Lenient);
        using var buffer = new EventBuffer<Reading>(new StringPool());
        foreach (string line in File.ReadLines(path))
        {
            buffer.BeginMessage(Decoding.Received);
            int comma = line.IndexOf(',', StringComparison.Ordinal);
            decoder.Decode(new Payload(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(line[(comma + 1)..])), "city"), buffer);
            Assert.Null(buffer.Rejection);
            long expected = long.Parse(line.AsSpan(0, comma), System.Globalization.CultureInfo.InvariantCulture) * TimeSpan.TicksPerMillisecond;
            Assert.Equal(expected, buffer.Events[^1].Ticks);
        }

        Assert.Equal(1000, buffer.Count);
        Assert.Equal(788, buffer.Events.ToArray().Select(e => e.Sensor).Distinct().Count());
        Assert.Equal((8, 53.7, "ci4lr75sl000802ypo4qrcjda23"), (buffer.Events[0].Temperature, buffer.Events[0].Humidity, buffer.Events[0].Sensor));
    }

    [Fact]
    public void Every_row_of_the_machine_decodes()
    {
        if (Find("machine/machine-temperature.csv") is not { } path)
        {
            return;
        }

        byte[] file = File.ReadAllBytes(path);
        var named = Decoding.Run(Csv.Decode<MachineReading>(), file);
        Assert.Equal(22_695, named.Events.Length);
        Assert.Equal(new MachineReading(Decoding.At("2013-12-02T21:15:00Z"), 73.96732207), named.Events[0]);
        var byHand = Csv.Decode((ref row) => new MachineReading(Ticks.From(row.Time(0)), row.Number(1)), hasHeader: true);
        Assert.Equal(named.Events, Decoding.Run(byHand, file).Events);
    }

    [Fact]
    public async Task Every_line_of_the_machine_is_a_message()
    {
        if (Find("machine/machine-temperature.csv") is not { } path)
        {
            return;
        }

        var decoder = Csv.Decode<MachineReading>(columns: ["timestamp", "value"]);
        var lines = new Recorder();
        using var file = File.OpenRead(path);
        await LineFraming.ReadAsync(System.IO.Pipelines.PipeReader.Create(file), lines, "machine", new LineOptions(SkipLines: 1));
        Assert.Equal(22_695, lines.Received.Count(l => Decoding.Once(decoder, new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(l))).Events.Length == 1));
    }

    private string? Find(string file)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent;
        }

        string folder = Environment.GetEnvironmentVariable("IOT_CEP_SHARED") is { Length: > 0 } given
            ? given
            : Path.Combine(root?.FullName ?? ".", "..", "shared");
        string path = Path.Combine(folder, "data", file);
        if (File.Exists(path))
        {
            return path;
        }

        Assert.False(
            Environment.GetEnvironmentVariable("CI") == "true", $"The shared data are missing: set IOT_CEP_SHARED to the folder that holds data/{file}.");
        output.WriteLine($"Not run: the shared data are missing (data/{file}). Set IOT_CEP_SHARED to their folder.");
        return null;
    }
}
