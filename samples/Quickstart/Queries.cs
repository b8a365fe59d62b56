using IoT.Cep;
using IoT.Cep.Extensibility;

namespace Quickstart;

[Event]
public readonly partial record struct Reading(
    [EventTime] DateTimeOffset Time, [EventKey] string Sensor, double Temperature, double? Humidity);

public sealed record Place(string Building, string Kind);
public sealed record PlacedReading(DateTimeOffset Time, string Sensor, string? Building, string? Kind, double Temperature, double? Humidity);
public sealed record Summary(string Sensor, DateTimeOffset Start, long Count, double Average, double Max);
public sealed record Alert(string Sensor, DateTimeOffset WarmAt, DateTimeOffset HotAt, double Temperature);
public sealed record Absence(string Sensor, DateTimeOffset Since);

public static class Queries
{
    public static void Declare(ICep cep, string topic, string csvSensor, ITable<string, Place> places, Tuning tuning, Board board)
    {
        // 1 Source: each payload's decoder by its topic, event time with a bound on disorder.
        var readings = cep
            .From(Mqtt.Subscribe($"{topic}/+/+", Decoder.ByTopic(
                ($"{topic}/+/senml", SenMl.Decode<Reading>(SenMl.Lenient)),
                ($"{topic}/+/json", Json.Decode<Reading>()),
                ($"{topic}/+/csv", Csv.Decode((ref row) => new Reading(row.Time(0), csvSensor, row.Number(1), null))))))
            .WithEventTime(r => r.Time, maxDisorder: tuning.Disorder);
        var sensors = readings.KeyBy(r => r.Sensor);

        // 2 Enrichment: a sensor may have no place. Messages are acknowledged when this table has them.
        readings
            .Enrich(places, r => r.Sensor, (r, place) =>
                new PlacedReading(r.Time, r.Sensor, place?.Building, place?.Kind, r.Temperature, r.Humidity))
            .To(Sqlite.Table<PlacedReading>("readings"), name: "readings");

        // 3 Windows and aggregates.
        var summaries = sensors.Window(Window.Tumbling(tuning.Window))
            .Select(w => new Summary(w.Key, w.Start, w.Count(), w.Average(r => r.Temperature), w.Max(r => r.Temperature)));
        summaries.To(Sqlite.Table<Summary>("summaries"), name: "summaries");

        // 4 Pattern: a sensor that is warm, and hot soon after.
        var overheating = Pattern.Begin<Reading>(out var warm, r => r.Temperature > tuning.Warm && r.Temperature <= tuning.Hot)
            .FollowedBy(out var hot, r => r.Temperature > tuning.Hot)
            .Within(tuning.HotWithin);
        var alerts = sensors.Match(overheating)
            .Select(m => new Alert(m[warm].Sensor, m[warm].Time, m[hot].Time, m[hot].Temperature));
        alerts.To(Sqlite.Table<Alert>("alerts"), name: "alerts");

        // 5 Absence: a sensor that fell silent.
        var absences = sensors.Silent(tuning.Silence).Where(s => !s.Returned).Select(s => new Absence(s.Key, s.Since));
        absences.To(Sqlite.Table<Absence>("silences"), name: "silences");

        // 6 What could not be processed is kept, too.
        cep.From(cep.DeadLetters).To(Sqlite.Table<DeadLetter>("dead_letters"), name: "dead letters");

        // 7 The terminal looks on: plain Rx from Subscribe on.
        summaries.Subscribe(board.Show);
        alerts.Subscribe(board.Show);
        absences.Subscribe(board.Show);
    }
}
