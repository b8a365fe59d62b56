using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// W2's windows where one event in a hundred comes up to two seconds late, all within the declared disorder; beside the same events in order, by the same
/// query with the same declaration, in the place of a peer.
/// </summary>
internal static class Disorder
{
    private static readonly TimeSpan _maxDisorder = TimeSpan.FromSeconds(2);

    private const long Second = 1_000_000;

    // With two seconds of disorder the latest second and the two before it are open; a power of two, so that a second's row is a mask away.
    private const int OpenSeconds = 3;
    private const int Rows = 4;

    internal static Workload Make(ReadingData ordered)
    {
        var delayed = Delay(ordered);
        return new Workload(
            "disorder", ordered.Events.Length,
            new Contender("IoT.Cep", Run(delayed)),
            new Contender("in order", Run(ordered)),
            new Contender("hand", count => Prepared.Of(() => Hand(delayed.Events.AsSpan(0, count), delayed.Devices))));
    }

    /// <summary>A row of cells for each open second: a straggler goes into its own one, and a second is over when time has come to the third after it.</summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var rows = new TumblingWindow.Cell[Rows][];
        for (int i = 0; i < Rows; i++)
        {
            rows[i] = new TumblingWindow.Cell[devices];
        }

        var total = default(Outcome);
        var latest = rows[0];
        long start = 0, oldest = 0;
        foreach (ref readonly var r in events)
        {
            var cells = latest;
            if ((ulong)(r.Ts - start) >= Second)
            {
                long second = r.Ts / Second;
                if (second < oldest)
                {
                    continue; // Later than was declared.
                }

                cells = rows[second & (Rows - 1)];
                if (r.Ts > start)
                {
                    // A second not yet begun has nothing in its row: the row's last one is over before.
                    for (long over = Math.Min(second - OpenSeconds, start / Second); oldest <= over; oldest++)
                    {
                        TumblingWindow.Flush(rows[oldest & (Rows - 1)], ref total);
                    }

                    (oldest, start, latest) = (Math.Max(oldest, second - OpenSeconds + 1), second * Second, cells);
                }
            }

            cells[r.DeviceId].Add(r.Value);
        }

        foreach (var cells in rows)
        {
            TumblingWindow.Flush(cells, ref total);
        }

        return total;
    }

    private static Func<int, Prepared> Run(ReadingData data) => count =>
        QueryRun.Of(data, count, readings => TumblingWindow.Query(readings.WithEventTime(r => DateTimeOffset.UnixEpoch.AddMicroseconds(r.Ts), _maxDisorder)), new TumblingWindow.Sink());

    /// <summary>The same events in order of arrival: each at its time, one in a hundred up to two seconds after it.</summary>
    private static ReadingData Delay(ReadingData ordered)
    {
        var random = new SplitMix64(42);
        long[] arrivals = new long[ordered.Events.Length];
        for (int i = 0; i < arrivals.Length; i++)
        {
            // The delay stays a millisecond below the disorder, within which the data has ties.
            arrivals[i] = ordered.Events[i].Ts + (random.Next() % 100 == 0 ? (long)(random.Next() % 1_999_000) : 0);
        }

        int[] order = new int[arrivals.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        // Ties keep their order: the sort is over pairs of arrival and index.
        Array.Sort(order, (a, b) => arrivals[a] != arrivals[b] ? arrivals[a].CompareTo(arrivals[b]) : a.CompareTo(b));
        return new ReadingData(Array.ConvertAll(order, i => ordered.Events[i]), Array.ConvertAll(order, i => ordered.Ticks[i]), ordered.Devices);
    }
}
