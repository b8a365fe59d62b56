using IoT.Cep.Extensibility;

namespace IoT.Cep.EndToEnd.Tests;

[Event]
public readonly partial record struct Reading(
    [EventTime] DateTimeOffset Time, [EventKey] string Sensor, [Field("temperature")] double Celsius, double Humidity);

public sealed record Summary(string Sensor, DateTimeOffset Start, long Count, double Average, double Max);

public sealed record Alert(string Sensor, double From, double To);

/// <summary>What a user writes: MQTT in, windows, a pattern and absence, SQLite out. Also run as a process of its own, to be killed.</summary>
internal static class Consumer
{
    internal static CepEngine Make(int port, string file, CepEngineOptions? options = null) => new(cep => Declare(cep, port, file), options);

    private static void Declare(ICep cep, int port, string file)
    {
        cep.Mqtt(o =>
        {
            o.Port = port;
            o.ClientId = "consumer";
            o.ReconnectMin = TimeSpan.FromMilliseconds(50);
            o.ReconnectMax = TimeSpan.FromMilliseconds(200);
        });
        cep.Sqlite(file);
        var decoder = Decoder.ByTopic(("city/+/senml", SenMl.Decode<Reading>()), ("city/+/json", Json.Decode<Reading>()));
        var readings = cep.From(Mqtt.Subscribe("city/+/+", decoder)).WithEventTime(r => r.Time, maxDisorder: TimeSpan.FromSeconds(2));
        var sensors = readings.KeyBy(r => r.Sensor);

        readings.To(Sqlite.Table<Reading>("readings"));
        sensors.Window(Window.Tumbling(TimeSpan.FromSeconds(10)))
            .Select(w => new Summary(w.Key, w.Start, w.Count(), w.Average(r => r.Celsius), w.Max(r => r.Celsius)))
            .To(Sqlite.Table<Summary>("summaries"));
        var overheating = Pattern.Begin<Reading>(out var warm, r => r.Celsius > 70)
            .FollowedBy(out var hot, (r, m) => r.Celsius > m[warm].Celsius + 15)
            .Within(TimeSpan.FromMinutes(5));
        sensors.Match(overheating).Select(m => new Alert(m[warm].Sensor, m[warm].Celsius, m[hot].Celsius)).To(Sqlite.Table<Alert>("alerts"));
        sensors.Silent(TimeSpan.FromSeconds(30)).To(Sqlite.Table<Silence<string>>("silences"));
        cep.From(cep.DeadLetters).To(Sqlite.Table<DeadLetter>("dead_letters"));
    }

    /// <summary>Runs until its standard input ends, and says when it is connected.</summary>
    public static async Task<int> Main(string[] arguments)
    {
        if (arguments is not [var port, var file])
        {
            Console.Error.WriteLine("usage: PORT DATABASE");
            return 2;
        }

        await using var engine = Make(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture), file);
        await engine.StartAsync();
        while (await Console.In.ReadLineAsync() is { } line)
        {
            Console.WriteLine(line == "connected?" ? engine.Sources[0].IsConnected : engine.Sources[0].Received);
        }

        await engine.DrainAsync();
        return 0;
    }
}
