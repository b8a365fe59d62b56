using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Queries over random events against references that are slow and obvious. Each runs in every way that a scenario runs.</summary>
public class ReferenceTests
{
    private const int MaxDisorder = 4;

    [Property(MaxTest = 60)]
    [Trait("Requirement", "R14")]
    public void Windows_are_a_group_by(int seed)
    {
        var events = Events(seed);
        var expected = events.GroupBy(e => (e.Key, Window: Math.Floor(e.Time / 5))).Select(g => (Seconds: (g.Key.Window + 1) * 5, g.Key.Key, Sum: g.Sum(e => e.Value), Count: g.LongCount(), Max: g.Max(e => e.Value)));
        var outcome = Rows(events, seed).Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(5)))
            .Select(w => (w.Key, Sum: w.Sum(r => r.Value), Count: w.Count(), Max: w.Max(r => r.Value)))).Run();
        Assert.Equal(
            expected.OrderBy(e => e.Seconds).ThenBy(e => e.Key, StringComparer.Ordinal),
            outcome.Results.Select(r => (r.Seconds, r.Value.Key, r.Value.Sum, r.Value.Count, r.Value.Max)).OrderBy(e => e.Seconds).ThenBy(e => e.Key, StringComparer.Ordinal));
        Assert.Equal(outcome.Results.Select(r => r.Seconds).Order(), outcome.Results.Select(r => r.Seconds));
    }

    [Property(MaxTest = 60)]
    public void Corrections_end_in_the_group_by(int seed)
    {
        var events = Events(seed);
        var timeline = Timeline.Keyed();
        double latest = double.MinValue;
        foreach (var e in events)
        {
            latest = Math.Max(latest, e.Time);
            timeline.At(e.Time, e.Key, e.Value).Watermark(latest);
        }

        var last = timeline.End().Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(5)).AllowLate(Seconds(1000))).Select(w => w.Sum(r => r.Value)))
            .WithIdentity().Run().Rows.GroupBy(row => row.Id).Select(g => (Key: (string)g.Key!.Value.Key!, End: SecondsAt(g.Key.Value.End), g.Last().Value));
        var expected = events.GroupBy(e => (e.Key, Window: Math.Floor(e.Time / 5))).Select(g => (g.Key.Key, End: (g.Key.Window + 1) * 5, g.Sum(e => e.Value)));
        Assert.Equal(expected.Order(), last.Order());
    }

    [Property(MaxTest = 60)]
    public void Pattern_is_every_first_with_its_next_second(int seed)
    {
        var events = Events(seed);
        var sorted = events.Select((e, i) => (e.Time, e.Key, e.Value, Order: i)).OrderBy(e => e.Time).ThenBy(e => e.Order).ToList();
        var expected =
            from a in sorted.Index()
            where a.Item.Value < 4
            let b = sorted.Skip(a.Index + 1).Cast<(double Time, string Key, double Value, int Order)?>().FirstOrDefault(e => e!.Value.Key == a.Item.Key && e.Value.Value > a.Item.Value + 3)
            where b is not null && b.Value.Time - a.Item.Time < 6
            select (b.Value.Time, $"{a.Item.Key} {a.Item.Value}@{a.Item.Time} {b.Value.Value}");
        var outcome = Rows(events, seed).Through(s => s.KeyBy(r => r.Key)
            .Match(Pattern.Begin<Reading>(out var a, r => r.Value < 4).FollowedBy(out var b, (r, m) => r.Value > m[a].Value + 3).Within(Seconds(6)))
            .Select(m => $"{m[a].Key} {m[a].Value}@{SecondsAt(Extensibility.Ticks.From(m.Start))} {m[b].Value}")).Run();
        Assert.Equal(expected.Order(), outcome.Results.Order());
    }

    [Property(MaxTest = 60)]
    public void Silence_is_every_gap(int seed)
    {
        var events = Events(seed);
        const double Silent = 3, Watermark = 200;
        var expected = new List<(double, string, double, bool)>();
        foreach (var key in events.GroupBy(e => e.Key))
        {
            double[] times = [.. key.Select(e => e.Time).Order()];
            for (int i = 0; i < times.Length; i++)
            {
                double next = i + 1 < times.Length ? times[i + 1] : Watermark;
                if (next - times[i] >= Silent)
                {
                    expected.Add((times[i] + Silent, key.Key, times[i], false));
                }

                if (i > 0 && times[i] - times[i - 1] >= Silent)
                {
                    expected.Add((times[i], key.Key, times[i], true));
                }
            }
        }

        var outcome = Rows(events, seed, end: Watermark).Through(s => s.KeyBy(r => r.Key).Silent(Seconds(Silent))).Run();
        Assert.Equal(expected.Order(), outcome.Results.Select(r => (r.Seconds, r.Value.Key, SecondsAt(Extensibility.Ticks.From(r.Value.Since)), r.Value.Returned)).Order());
    }

    [Property(MaxTest = 60)]
    public void Event_time_gives_the_same_wherever_batches_are_cut(int seed)
    {
        var random = new Random(seed);
        var timeline = Timeline.Of<double>();
        for (int i = 0; i < 60; i++)
        {
            timeline.At(0, i + random.Next(-12, 3));
        }

        timeline.End().Through(s => s.WithEventTime(x => Time(x), Seconds(MaxDisorder)).KeyBy(x => (int)x % 4)
            .Window(Window.Tumbling(Seconds(5)).AllowLate(Seconds(6))).Select(w => (w.Key, w.Count(), w.Sum(x => x)))).WithIdentity().Run();
    }

    /// <summary>Times in quarters of a second, so that sums are exact and ties are many.</summary>
    private static List<(double Time, string Key, double Value)> Events(int seed)
    {
        var random = new Random(seed);
        double now = random.Next(-40, 40);
        var events = new List<(double, string, double)>();
        for (int i = random.Next(1, 70); i > 0; i--)
        {
            now += random.Next(5) / 4.0;
            events.Add((now - (random.Next(4 * MaxDisorder) / 4.0), $"k{random.Next(5)}", random.Next(10)));
        }

        return events;
    }

    /// <summary>Watermarks fall here and there, and never run ahead of an event that is still to come.</summary>
    private static Timeline<Reading> Rows(List<(double Time, string Key, double Value)> events, int seed, double? end = null)
    {
        var random = new Random(seed + 1);
        var timeline = Timeline.Keyed();
        for (int i = 0; i < events.Count; i++)
        {
            timeline.At(events[i].Time, events[i].Key, events[i].Value);
            double safe = events.Skip(i + 1).Select(e => e.Time).DefaultIfEmpty(events[i].Time).Min();
            timeline = random.Next(4) == 0 ? timeline.Watermark(safe) : timeline;
        }

        return end is { } last ? timeline.Watermark(last) : timeline.End();
    }
}
