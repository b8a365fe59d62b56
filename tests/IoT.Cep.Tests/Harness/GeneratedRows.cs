namespace IoT.Cep.Tests;

/// <summary>
/// Keyed rows by seed with what makes windows hard: disorder, events that are late, ties, gaps, keys that come once, times before 1970 and around a
/// change of clocks. Each is counted, so that a test can tell how often it occurred.
/// </summary>
internal sealed class GeneratedRows
{
    private static readonly long[] _origins =
    [
        0,
        -86_400 * 365 * 30L,
        1_743_296_400, // 2025-03-30 01:00 UTC, when clocks in Berlin went forward
        1_761_440_400, // 2025-10-26 01:00 UTC, when they went back
        1_741_496_400, // 2025-03-09 05:00 UTC, when clocks in Havana skipped midnight
    ];

    internal GeneratedRows(int seed, double secondsPerStep, int most = 50)
    {
        var random = new Random(seed);
        double now = _origins[random.Next(_origins.Length)] + random.Next(-20, 20);
        double latest = double.MinValue, watermark = double.MinValue;
        int keys = random.Next(1, 5);
        for (int i = random.Next(1, most); i > 0; i--)
        {
            now += (random.Next(15) == 0 ? random.Next(60) : random.Next(5)) * secondsPerStep;
            double time = now - (random.Next(3) == 0 ? random.Next(40) * secondsPerStep : 0);
            string key = random.Next(12) == 0 ? $"{(char)(1000 + i)}" : $"{(char)('a' + random.Next(keys))}";
            Rows.Add(new Row<Reading>(RowKind.Event, Span.TicksAt(time), new Reading(key, random.Next(10))));
            latest = Math.Max(latest, time);
            if (random.Next(3) == 0)
            {
                watermark = Math.Max(watermark, latest - (random.Next(8) * secondsPerStep));
                Rows.Add(new Row<Reading>(RowKind.Watermark, Span.TicksAt(watermark), default));
            }
        }

        Rows.Add(new Row<Reading>(RowKind.End, 0, default));
    }

    internal List<Row<Reading>> Rows { get; } = [];

    internal bool IsTied => Events.GroupBy(row => (row.Value.Key, row.Ticks)).Any(group => group.Count() > 1);

    internal bool IsChurning => Events.GroupBy(row => row.Value.Key).Any(group => group.Count() == 1);

    /// <summary>Whether some key has events in a window and in a later one, and none in one between them.</summary>
    internal bool HasEmpty(Func<long, (long Start, long End)> window) => Events.GroupBy(row => row.Value.Key).Any(group =>
    {
        var windows = group.Select(row => window(row.Ticks)).Distinct().Order().ToList();
        return windows.Zip(windows.Skip(1)).Any(pair => pair.Second.Start > pair.First.End);
    });

    private IEnumerable<Row<Reading>> Events => Rows.Where(row => row.Kind == RowKind.Event);
}
