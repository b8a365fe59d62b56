using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>Real recordings, flaws included; they stay outside of the repository.</summary>
public sealed class SharedDataTests
{
    [DataFact]
    public void Every_line_of_the_city_decodes()
    {
        string path = Needs.Data("city", "readings.senml.csv");
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

    [DataFact]
    public void Every_row_of_the_machine_decodes()
    {
        string path = Needs.Data("machine", "machine-temperature.csv");
        byte[] file = File.ReadAllBytes(path);
        var named = Decoding.Run(Csv.Decode<MachineReading>(), file);
        Assert.Equal(22_695, named.Events.Length);
        Assert.Equal(new MachineReading(Decoding.At("2013-12-02T21:15:00Z"), 73.96732207), named.Events[0]);
        var byHand = Csv.Decode((ref row) => new MachineReading(Ticks.From(row.Time(0)), row.Number(1)), hasHeader: true);
        Assert.Equal(named.Events, Decoding.Run(byHand, file).Events);
    }

    [DataFact]
    public async Task Every_line_of_the_machine_is_a_message()
    {
        string path = Needs.Data("machine", "machine-temperature.csv");
        var decoder = Csv.Decode<MachineReading>(columns: ["timestamp", "value"]);
        var lines = new Recorder();
        using var file = File.OpenRead(path);
        await LineFraming.ReadAsync(System.IO.Pipelines.PipeReader.Create(file), lines, "machine", new LineOptions(SkipLines: 1));
        Assert.Equal(22_695, lines.Received.Count(l => Decoding.Once(decoder, new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(l))).Events.Length == 1));
    }
}
