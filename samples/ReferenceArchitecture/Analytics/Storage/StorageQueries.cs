using IoT.Cep;
using IoT.Reference.Analytics.Ingest;

namespace IoT.Reference.Analytics.Storage;

/// <summary>A session of a device: readings less than the gap apart. Its profile.</summary>
internal readonly record struct SessionRow(string Device, DateTimeOffset Start, DateTimeOffset End, long Readings, double Min, double Max, long Sequence);

/// <summary>The queries that store: every reading as it comes, and its roll-ups to a minute and to an hour.</summary>
internal static class StorageQueries
{
    /// <summary>A device that is silent for longer begins another session.</summary>
    internal static readonly TimeSpan SessionGap = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan _longestSession = TimeSpan.FromHours(24);
    private static readonly TimeSpan _lateness = TimeSpan.FromMinutes(10);

    public static void Declare(BusStreams bus, History history, Store store)
    {
        bus.Readings.To(new StoreSink<Reading>("readings", rows => history.Append(rows.Span)), "readings");
        RollUps(bus, history, Step.Minute);
        RollUps(bus, history, Step.Hour);

        bus.DeviceOwnTime(_ => true).Window(Window.Session(SessionGap, _longestSession))
            .Select(w => new SessionRow(w.Key, w.Start, w.End, w.Count(), w.Min(r => r.Value), w.Max(r => r.Value), w.MaxBy(r => r.Sequence).Sequence))
            .To(new StoreSink<SessionRow>("sessions", rows => Store(store, history, rows)), "sessions");
    }

    private static void RollUps(BusStreams bus, History history, Step step)
    {
        bus.OwnTime()
            .Window(Window.Tumbling(step.Size).AllowLate(_lateness)).Late(out var late)
            .Select(w => new RollUp(w.Key.Device, w.Key.Name, w.Start, w.Count(), w.Sum(r => r.Value), w.Min(r => r.Value), w.Max(r => r.Value), w.MaxBy(r => r.Sequence).Sequence))
            .To(new StoreSink<RollUp>(step.Table, rows => history.Roll(step, rows.Span)), step.Table);
        late.To(new StoreSink<Reading>("late " + step.Table, rows => history.Correct(step, rows.Span)), "late " + step.Table);
    }

    private static void Store(Store store, History history, ReadOnlyMemory<SessionRow> rows) => store.Write(connection =>
    {
        foreach (var row in rows.Span)
        {
            if (!history.IsErased(row.Device, row.Sequence))
            {
                connection.Run(
                    "INSERT OR REPLACE INTO sessions VALUES (@device, @start, @end, @readings, @min, @max)", ("@device", row.Device), ("@start", row.Start.UtcTicks), ("@end", row.End.UtcTicks),
                    ("@readings", row.Readings), ("@min", row.Min), ("@max", row.Max));
            }
        }
    });
}
