using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>For each event the maximum of its device's last second: what can't be taken apart again. Events of one time are in each other's windows.</summary>
internal static class SlidingMaximum
{
    private const long Second = 1_000_000;

    internal static Workload Make(ReadingData data) => new(
        "sliding-max", data.Events.Length,
        new Contender("IoT.Cep", count => QueryRun.Of(data, count, Query, new SlidingSink())),
        null,
        new Contender("hand", count => Prepared.Of(() => Hand(data.Events.AsSpan(0, count), data.Devices))));

    internal static IEventStream<Slid> Query(IEventStream<Reading> readings) => readings
        .KeyBy(r => r.DeviceId)
        .Window(Window.Sliding(TimeSpan.FromSeconds(1)))
        .Select(w => new Slid(w.Key, w.Max(r => r.Value)));

    /// <summary>Each device's falling maxima in a ring: an event drops the smaller ones before it, and the first one is the window's maximum.</summary>
    private static Outcome Hand(ReadOnlySpan<Reading> events, int devices)
    {
        var rings = new Ring[devices];
        foreach (ref var ring in rings.AsSpan())
        {
            ring.Maxima = new (long, double)[8];
        }

        double sum = 0;
        for (int i = 0; i < events.Length;)
        {
            long ts = events[i].Ts;
            int end = i;
            for (; end < events.Length && events[end].Ts == ts; end++)
            {
                rings[events[end].DeviceId].Add(ts, events[end].Value);
            }

            for (; i < end; i++)
            {
                sum += rings[events[i].DeviceId].Maximum(ts);
            }
        }

        return new Outcome(events.Length, sum);
    }

    private struct Ring
    {
        internal (long Ts, double Value)[] Maxima;
        private int _first;
        private int _end;

        internal void Add(long ts, double value)
        {
            var maxima = Maxima;
            int mask = maxima.Length - 1;
            while (_end != _first && maxima[(_end - 1) & mask].Value <= value)
            {
                _end--;
            }

            if (_end - _first == maxima.Length)
            {
                var larger = new (long, double)[maxima.Length * 2];
                for (int at = _first; at != _end; at++)
                {
                    larger[at & (larger.Length - 1)] = maxima[at & mask];
                }

                Maxima = maxima = larger;
                mask = larger.Length - 1;
            }

            maxima[_end++ & mask] = (ts, value);
        }

        internal double Maximum(long ts)
        {
            var maxima = Maxima;
            int mask = maxima.Length - 1;
            while (maxima[_first & mask].Ts <= ts - Second)
            {
                _first++;
            }

            return maxima[_first & mask].Value;
        }
    }
}
