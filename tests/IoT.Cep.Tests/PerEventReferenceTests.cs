using FsCheck.Xunit;
using Xunit.Abstractions;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Windows per event over random events against nested loops. Each set runs in every way that a scenario runs.</summary>
public class PerEventReferenceTests(ITestOutputHelper output)
{
    private const double MaxDisorder = 4;

    [Property(MaxTest = 80)]
    public void Sliding_is_a_loop_over_the_last_seconds(int seed) => AssertSame(seed, Window.Sliding(Seconds(3)), (e, at) => e > at - 3 && e <= at, after: 0);

    [Property(MaxTest = 80)]
    public void Around_is_a_loop_over_the_seconds_on_both_sides(int seed) =>
        AssertSame(seed, Window.Around(Seconds(2), Seconds(1.5)), (e, at) => e >= at - 2 && e <= at + 1.5, after: 1.5);

    [Property(MaxTest = 40)]
    public void Looking_only_ahead_is_a_loop_over_the_next_seconds(int seed) =>
        AssertSame(seed, Window.Around(TimeSpan.Zero, Seconds(2.25)), (e, at) => e >= at && e <= at + 2.25, after: 2.25);

    [Property(MaxTest = 40)]
    public void Limited_window_is_a_loop_over_the_last_so_many(int seed)
    {
        var rows = Rows(seed);
        var sorted = OnTime(rows).ToList();
        var expected = sorted.Where(e => IsOver(e.Time, rows)).Select(e => (e.Time, e.Key, Sum: sorted
            .Where(o => o.Key == e.Key && o.Time > e.Time - 5 && o.Time <= e.Time).TakeLast(3).Sum(o => o.Value)));
        var outcome = TimelineOf(rows).Through(s => s.KeyBy(r => r.Key)
            .Window(Window.Sliding(Seconds(5), maxEventsPerKey: 3, whenFull: WindowOverflow.DropOldest)).Select(w => (w.Key, Sum: w.Sum(r => r.Value)))).Run();
        Assert.Equal(expected.Order(), outcome.Results.Select(r => (r.Seconds, r.Value.Key, r.Value.Sum)).Order());
    }

    [Property(MaxTest = 80)]
    public void Aggregates_of_one_selector_are_loops_too(int seed)
    {
        var rows = Rows(seed);
        var sorted = OnTime(rows).ToList();
        var expected = sorted.Where(e => IsOver(e.Time + 1.5, rows)).Select(e =>
        {
            var inside = sorted.Where(o => o.Key == e.Key && o.Time >= e.Time - 2 && o.Time <= e.Time + 1.5).Select(o => Odd(o.Value)).ToList();
            return (Math.Round(e.Time + 1.5, 3), e.Key, inside.Count, Sum: inside.Sum(), Min: inside.Min(), Max: inside.Max(), IfLarge: inside.Max() > 10 ? inside.Min() : 0);
        }).ToList();
        var all = TimelineOf(rows).Through(s => s.KeyBy(r => r.Key).Window(Window.Around(Seconds(2), Seconds(1.5)))
            .Select(w => (w.Key, Count: (int)w.Count(), Sum: w.Sum(r => Odd(r.Value)), Min: w.Min(r => Odd(r.Value)), Max: w.Max(r => Odd(r.Value)), IfLarge: 0.0))).Run();
        Assert.Equal(
            expected.Select(e => e with { IfLarge = 0, Min = double.IsNaN(e.Sum) ? double.NaN : e.Min, Max = double.IsNaN(e.Sum) ? double.NaN : e.Max }).Order(),
            all.Results.Select(r => (r.Seconds, r.Value.Key, r.Value.Count, r.Value.Sum, r.Value.Min, r.Value.Max, r.Value.IfLarge)).Order());
        var asked = TimelineOf(rows).Through(s => s.KeyBy(r => r.Key).Window(Window.Around(Seconds(2), Seconds(1.5)))
            .Select(w => (w.Key, Max: w.Max(r => Whole(r.Value)), IfLarge: w.Max(r => Whole(r.Value)) > 10 ? w.Min(r => Whole(r.Value)) : 0))).Run();
        Assert.Equal(
            sorted.Where(e => IsOver(e.Time + 1.5, rows)).Select(e =>
            {
                var inside = sorted.Where(o => o.Key == e.Key && o.Time >= e.Time - 2 && o.Time <= e.Time + 1.5).Select(o => o.Value).ToList();
                return (Math.Round(e.Time + 1.5, 3), e.Key, inside.Max(), inside.Max() > 10 ? inside.Min() : 0);
            }).Order(),
            asked.Results.Select(r => (r.Seconds, r.Value.Key, r.Value.Max, r.Value.IfLarge)).Order());

        static double Odd(double value) => value == -20 ? double.NaN : value;
        static double Whole(double value) => value;
    }

    [Fact]
    public void Cases_are_late_tied_empty_and_churning_often_enough()
    {
        const int Sets = 500;
        int late = 0, tied = 0, alone = 0, churning = 0, before1970 = 0, disordered = 0;
        for (int seed = 0; seed < Sets; seed++)
        {
            var rows = Rows(seed);
            var events = rows.Where(row => row.Key is not null).ToList();
            var onTime = OnTime(rows).ToList();
            late += onTime.Count < events.Count ? 1 : 0;
            tied += onTime.GroupBy(e => (e.Key, e.Time)).Any(g => g.Count() > 1) ? 1 : 0;
            alone += onTime.Exists(e => onTime.Count(o => o.Key == e.Key && o.Time > e.Time - 3 && o.Time <= e.Time) == 1) ? 1 : 0;
            churning += onTime.GroupBy(e => e.Key).Any(g => g.Max(e => e.Time) - g.Min(e => e.Time) < 3) && onTime.Max(e => e.Time) - onTime.Min(e => e.Time) > 9 ? 1 : 0;
            before1970 += onTime[0].Time < 0 && onTime[^1].Time > 0 ? 1 : 0;
            disordered += events.Zip(events.Skip(1)).Any(p => p.Second.Time < p.First.Time) ? 1 : 0;
        }

        output.WriteLine($"of {Sets} sets: late {late}, tied {tied}, a window of one event {alone}, keys that come and go {churning}, on both sides of 1970 {before1970}, disordered {disordered}");
        Assert.All([late, tied, alone, churning, before1970, disordered], count => Assert.InRange(count, Sets / 10, Sets));
    }

    private static void AssertSame(int seed, WindowSpec window, Func<double, double, bool> isInside, double after)
    {
        var rows = Rows(seed);
        var sorted = OnTime(rows).ToList();
        var expected = sorted.Where(e => IsOver(e.Time + after, rows)).Select(e =>
        {
            var inside = sorted.Where(o => o.Key == e.Key && isInside(o.Time, e.Time)).ToList();
            return (Math.Round(e.Time + after, 3), e.Key, (long)inside.Count, inside.Sum(o => o.Value), inside.Min(o => o.Value), inside.Max(o => -o.Value));
        });
        var outcome = TimelineOf(rows).Through(s => s.KeyBy(r => r.Key).Window(window)
            .Select(w => (w.Key, Count: w.Count(), Sum: w.Sum(r => r.Value), Min: w.Min(r => r.Value), Max: w.Max(r => -r.Value)))).WithIdentity().Run();
        Assert.Equal(expected.Order(), outcome.Results.Select(r => (r.Seconds, r.Value.Key, r.Value.Count, r.Value.Sum, r.Value.Min, r.Value.Max)).Order());
        Assert.Equal(outcome.Results.Select(r => r.Seconds).Order(), outcome.Results.Select(r => r.Seconds));
        Assert.Equal(outcome.Rows.Count, outcome.Rows.Select(row => row.Id).Distinct().Count());
        Assert.Equal(rows.Count(row => row.Key is not null) - sorted.Count, outcome.LateEvents);
    }

    /// <summary>Whether time has passed a window's last instant: by a watermark behind it, or by the end of the input.</summary>
    private static bool IsOver(double last, List<(double Time, string? Key, double Value)> rows) =>
        rows[^1] is { Key: null, Time: double.PositiveInfinity } || rows.Exists(row => row.Key is null && row.Time > last);

    /// <summary>The events that come at or behind the watermark, in order of time, ties in order of arrival.</summary>
    private static IEnumerable<(double Time, string Key, double Value)> OnTime(List<(double Time, string? Key, double Value)> rows)
    {
        double watermark = double.NegativeInfinity;
        var onTime = new List<(double Time, string Key, double Value)>();
        foreach (var row in rows)
        {
            if (row.Key is null)
            {
                watermark = row.Time;
            }
            else if (row.Time >= watermark)
            {
                onTime.Add((row.Time, row.Key, row.Value));
            }
        }

        return onTime.OrderBy(e => e.Time);
    }

    /// <summary>Events in quarters of a second, out of order and sometimes behind the watermark; a row without a key is a watermark, one at infinity the end.</summary>
    private static List<(double Time, string? Key, double Value)> Rows(int seed)
    {
        var random = new Random(seed);
        double now = random.Next(-30, 15), watermark = double.NegativeInfinity;
        var rows = new List<(double, string?, double)>();
        for (int i = random.Next(2, 60); i > 0; i--)
        {
            now += random.Next(12) == 0 ? random.Next(3, 20) : random.Next(4) / 4.0;
            string key = random.Next(8) == 0 ? $"once{i}" : $"k{random.Next(3)}";
            rows.Add((now - (random.Next((int)(4 * MaxDisorder)) / 4.0), key, random.Next(-20, 20)));
            if (random.Next(4) == 0)
            {
                watermark = Math.Max(watermark, now - (random.Next(10) == 0 ? 1 : MaxDisorder));
                rows.Add((watermark, null, 0));
            }
        }

        rows.Add((random.Next(3) == 0 ? Math.Max(watermark, now) : double.PositiveInfinity, null, 0));
        return rows;
    }

    private static Timeline<Reading> TimelineOf(List<(double Time, string? Key, double Value)> rows)
    {
        var timeline = Timeline.Keyed();
        foreach (var (time, key, value) in rows)
        {
            timeline = key is not null ? timeline.At(time, key, value) : double.IsInfinity(time) ? timeline.End() : timeline.Watermark(time);
        }

        return timeline;
    }
}
