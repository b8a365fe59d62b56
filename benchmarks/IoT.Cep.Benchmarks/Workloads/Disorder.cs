using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// W2's windows where one event in a hundred comes up to two seconds late, all within the declared disorder; what it costs more than the same
/// events in order, by the same query with the same declaration.
/// </summary>
internal static class Disorder
{
    private static readonly TimeSpan _maxDisorder = TimeSpan.FromSeconds(2);

    internal static Workload Make(ReadingData ordered) => new(
        "late", ordered.Events.Length,
        new Contender("IoT.Cep", Run(Delay(ordered))),
        null,
        new Contender("in order", Run(ordered)));

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
