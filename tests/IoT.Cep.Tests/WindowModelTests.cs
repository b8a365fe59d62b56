using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using Xunit.Abstractions;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Windows that follow from time alone beside their model. Each case runs in every way that a scenario runs.</summary>
public sealed class WindowModelTests(ITestOutputHelper output)
{
    private static readonly (string Zone, Func<long, (long Start, long End)> Day)[] _zones =
        [.. new[] { "Europe/Berlin", "America/Havana", "Australia/Lord_Howe" }.Select(id => (id, Days(TimeZoneInfo.FindSystemTimeZoneById(id))))];

    [Property(MaxTest = 120)]
    public void Hopping_windows_are_their_model(int seed)
    {
        var random = new Random(seed);
        double hop = random.Next(1, 9) / 2.0, size = hop + (random.Next(12) / 2.0), offset = random.Next(-10, 10) / 4.0;
        Check(seed, Window.Hopping(Seconds(size), Seconds(hop), Seconds(offset)), new WindowRules(t => Hops(t, TicksAt(size), TicksAt(hop), TicksAt(offset))));
    }

    [Property(MaxTest = 80)]
    public void Windows_of_several_sizes_are_their_model(int seed)
    {
        var random = new Random(seed);
        double[] sizes = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, 30) / 2.0).Distinct()];
        double offset = random.Next(-10, 10) / 4.0;
        Check(
            seed, Window.TumblingEach([.. sizes.Select(Seconds)], Seconds(offset)),
            new WindowRules(t => sizes.SelectMany(size => Hops(t, TicksAt(size), TicksAt(size), TicksAt(offset)))));
    }

    [Property(MaxTest = 80)]
    public void Tumbling_windows_are_their_model(int seed)
    {
        double size = new Random(seed).Next(1, 20) / 2.0;
        Check(seed, Window.Tumbling(Seconds(size)), new WindowRules(t => Hops(t, TicksAt(size), TicksAt(size), 0)));
    }

    [Property(MaxTest = 60)]
    public void Calendar_windows_are_their_model(int seed)
    {
        var (zone, day) = _zones[new Random(seed).Next(_zones.Length)];
        Check(seed, Window.Calendar(CalendarUnit.Day, TimeZoneInfo.FindSystemTimeZoneById(zone)), new WindowRules(t => [day(t)]), secondsPerStep: 3600);
    }

    [Fact]
    public void The_cases_are_late_tied_empty_and_churning_often_enough()
    {
        const int Cases = 1000;
        int[] with = new int[4];
        for (int seed = 0; seed < Cases; seed++)
        {
            var rows = new GeneratedRows(seed, 0.25);
            var model = new WindowModel(new WindowRules(t => Hops(t, TicksAt(5), TicksAt(2), 0)));
            Run(model, rows);
            with[0] += model.Late > 0 ? 1 : 0;
            with[1] += rows.IsTied ? 1 : 0;
            with[2] += rows.HasEmpty(t => Hops(t, TicksAt(2), TicksAt(2), 0).Single()) ? 1 : 0;
            with[3] += rows.IsChurning ? 1 : 0;
        }

        output.WriteLine($"Of {Cases} cases {with[0]} are late, {with[1]} tied, {with[2]} have empty windows, {with[3]} keys that come once.");
        Assert.All(with, count => Assert.True(count >= Cases / 10));
    }

    private static void Check(int seed, WindowSpec spec, WindowRules rules, double secondsPerStep = 0.25)
    {
        var random = new Random(seed + 7);
        double unit = secondsPerStep * 4;
        if (random.Next(2) == 0)
        {
            double lateness = random.Next(1, 8) * unit;
            (spec, rules) = (spec.AllowLate(Seconds(lateness)), rules with { Lateness = TicksAt(lateness) });
        }

        switch (random.Next(6))
        {
            case 0:
                (spec, rules) = (spec.OnChange(), rules with { EveryEvents = 1 });
                break;
            case 1:
                (spec, rules) = (spec.Early(3), rules with { EveryEvents = 3 });
                break;
            case 2:
                (spec, rules) = (spec.Early(Seconds(1.5 * unit)), rules with { EveryTicks = TicksAt(1.5 * unit) });
                break;
            default:
                break;
        }

        if (random.Next(3) == 0)
        {
            (spec, rules) = (spec.LateIntoOpen(), rules with { Moves = true });
        }

        bool isFiltered = random.Next(3) == 0;
        rules = isFiltered ? rules with { Having = count => count % 3 != 0 } : rules;
        Compare(new GeneratedRows(seed, secondsPerStep), spec, rules, isFiltered, updates: random.Next(3) == 0);
    }

    private static void Compare(GeneratedRows rows, WindowSpec spec, WindowRules rules, bool isFiltered, bool updates)
    {
        var model = new WindowModel(rules);
        Run(model, rows);
        if (updates)
        {
            var changes = Through(rows, s => isFiltered ? s.Window(spec).Having(w => w.Count() % 3 != 0).SelectUpdates(w => RowOf(w)) : s.Window(spec).SelectUpdates(w => RowOf(w)));
            Assert.Equal(
                model.Results.Select(r => $"{(r.Kind == EventKind.Retract ? null : r.Row)} before {r.Previous}").Order(),
                changes.Rows.Select(r => $"{(r.Value.HasCurrent ? r.Value.Current : null)} before {(r.Value.HasPrevious ? r.Value.Previous : null)}").Order());
            return;
        }

        var outcome = Through(rows, s => isFiltered ? s.Window(spec).Having(w => w.Count() % 3 != 0).Select(w => RowOf(w)) : s.Window(spec).Select(w => RowOf(w)));
        Assert.Equal(
            model.Results.Select(r => $"{r.Row.End - 1} {r.Row.Start} {r.Kind} {r.Row}").Order(),
            outcome.Rows.Select(r => $"{r.Ticks} {r.Id!.Value.Start} {r.Kind} {r.Value}").Order());
        Assert.Equal(model.Late, outcome.LateEvents);
        if (!spec.IsUpdating)
        {
            Assert.Equal(outcome.Rows.Select(r => r.Ticks).Order(), outcome.Rows.Select(r => r.Ticks));
        }
    }

    private static Outcome<TResult> Through<TResult>(GeneratedRows rows, Func<IKeyedStream<string, Reading>, IEventStream<TResult>> query)
    {
        var timeline = Timeline.Keyed();
        foreach (var row in rows.Rows)
        {
            timeline.Add(row);
        }

        return timeline.Through(s => query(s.KeyBy(r => r.Key))).WithIdentity().Run();
    }

    private static WindowRow RowOf(WindowGroup<string, Reading> w) => new(
        w.Key[0], Ticks.From(w.Start), Ticks.From(w.End), w.Count(), w.Sum(r => r.Value), w.Max(r => r.Value), w.Firing, w.Revision);

    private static void Run(WindowModel model, GeneratedRows rows)
    {
        foreach (var row in rows.Rows)
        {
            if (row.Kind == RowKind.Event)
            {
                model.Add(row.Ticks, row.Value);
            }
            else
            {
                model.Advance(row.Kind == RowKind.End ? long.MaxValue / 2 : row.Ticks);
            }
        }
    }

    /// <summary>Every start that there can be, and those kept that hold the instant.</summary>
    private static IEnumerable<(long Start, long End)> Hops(long ticks, long size, long hop, long offset)
    {
        for (long k = ((ticks - size - offset) / hop) - 2; k <= ((ticks - offset) / hop) + 2; k++)
        {
            long start = (k * hop) + offset;
            if (start <= ticks && ticks < start + size)
            {
                yield return (start, start + size);
            }
        }
    }

    /// <summary>A day begins at the first minute at which the clocks show its date, and ends where the next one begins.</summary>
    private static Func<long, (long Start, long End)> Days(TimeZoneInfo zone)
    {
        var beginnings = new Dictionary<DateTime, long>();
        long Beginning(DateTime date)
        {
            if (!beginnings.TryGetValue(date, out long start))
            {
                var minute = DateTime.SpecifyKind(date.AddDays(-1.5), DateTimeKind.Utc);
                while (TimeZoneInfo.ConvertTimeFromUtc(minute, zone) < date)
                {
                    minute = minute.AddMinutes(1);
                }

                beginnings[date] = start = minute.Ticks - DateTime.UnixEpoch.Ticks;
            }

            return start;
        }

        return ticks =>
        {
            var date = Ticks.ToTime(ticks).UtcDateTime.Date.AddDays(-2);
            while (Beginning(date.AddDays(1)) <= ticks)
            {
                date = date.AddDays(1);
            }

            return (Beginning(date), Beginning(date.AddDays(1)));
        };
    }
}
