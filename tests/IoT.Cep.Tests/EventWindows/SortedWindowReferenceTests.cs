using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// Windows that follow from a key's events in order of time, over random rows with late ones, ties and pauses, against loops over each key's sorted
/// events.
/// </summary>
public class SortedWindowReferenceTests
{
    [Property(MaxTest = 40)]
    public void Sessions_with_a_longest_duration(int seed) => Check(seed, Window.Session(Seconds(1.5), Seconds(2.5)), events =>
    {
        var windows = new List<Expected>();
        foreach (var e in events)
        {
            if (windows.Count == 0 || e.Time - windows[^1].Last >= 1.5 || e.Time - windows[^1].Start >= 2.5)
            {
                windows.Add(new Expected(e.Time));
            }

            windows[^1].Add(e);
            windows[^1].End = Math.Min(e.Time + 1.5, windows[^1].Start + 2.5);
        }

        return windows;
    });

    [Property(MaxTest = 40)]
    public void Every_so_many_events(int seed) => Check(
        seed, Window.Count(3), events => [.. events.Chunk(3).Where(chunk => chunk.Length == 3).Select(chunk => Expected.Of(chunk))]);

    [Property(MaxTest = 40)]
    public void The_last_so_many_events_each_time_after_so_many(int seed)
    {
        foreach (var (count, every) in new[] { (4, 1), (6, 4), (5, 3), (6, 2) })
        {
            Check(seed, Window.Count(count, every), events =>
                [.. Enumerable.Range(0, events.Count).Where(i => i % every == 0 && i + count <= events.Count).Select(i => Expected.Of(events.Skip(i).Take(count)))]);
        }
    }

    [Property(MaxTest = 40)]
    public void So_long_or_so_many_events(int seed) => Check(seed, Window.TimeOrCount(Seconds(1.75), 4), events =>
    {
        var windows = new List<Expected>();
        foreach (var e in events)
        {
            if (windows.Count == 0 || windows[^1].Events.Count == 4 || e.Time - windows[^1].Start >= 1.75)
            {
                windows.Add(new Expected(e.Time) { End = e.Time + 1.75 });
            }

            windows[^1].Add(e);
            windows[^1].CloseIf(windows[^1].Events.Count == 4);
        }

        return windows;
    });

    [Property(MaxTest = 40)]
    public void From_an_event_that_opens_to_one_that_closes(int seed)
    {
        foreach (bool include in new[] { true, false })
        {
            CheckEvents(
                seed, Window.Between<Reading>(r => r.Value < 4, r => r.Value > 6, Seconds(3), maxEvents: 5, includeClosing: include),
                events => Between(events, include));
        }
    }

    [Property(MaxTest = 40)]
    public void Global_window_that_a_trigger_of_ones_own_empties(int seed) => CheckEvents(seed, Window.Global(new Budget(12, Seconds(2))), events =>
    {
        var windows = new List<Expected>();
        Expected? open = null;
        foreach (var e in events)
        {
            if (open is not null && e.Time >= open.Start + 2)
            {
                open.End = open.Start + 2;
                windows.Add(open);
                open = null;
            }

            open ??= new Expected(e.Time);
            open.Add(e);
            if (open.Events.Sum(x => x.Value) >= 12)
            {
                open.CloseIf(true);
                windows.Add(open);
                open = null;
            }
        }

        if (open is not null)
        {
            open.End = open.Start + 2;
            windows.Add(open);
        }

        return windows;
    });

    private static List<Expected> Between(List<(double Time, double Value)> events, bool include)
    {
        var windows = new List<Expected>();
        Expected? open = null;
        foreach (var e in events)
        {
            open = open is not null && e.Time >= open.Start + 3 ? null : open;
            if (open is null)
            {
                if (e.Value >= 4)
                {
                    continue;
                }

                windows.Add(open = new Expected(e.Time) { End = e.Time + 3 });
                open.Add(e);
                continue;
            }

            bool closes = e.Value > 6;
            if (!closes || include)
            {
                open.Add(e);
            }

            closes |= open.Events.Count == 5;
            open.EndAt(closes ? e.Time : null);
            open = closes ? null : open;
        }

        return windows;
    }

    private static void Check(int seed, WindowSpec window, Func<List<(double Time, double Value)>, List<Expected>> expect) =>
        Check(seed, s => s.KeyBy(r => r.Key).Window(window), expect);

    private static void CheckEvents(int seed, WindowSpec<Reading> window, Func<List<(double Time, double Value)>, List<Expected>> expect) =>
        Check(seed, s => s.KeyBy(r => r.Key).Window(window), expect);

    private static void Check(
        int seed, Func<IEventStream<Reading>, IWindowedStream<string, Reading>> windows, Func<List<(double Time, double Value)>, List<Expected>> expect)
    {
        foreach (bool inOrder in new[] { false, true })
        {
            var rows = Case.Of(seed, inOrder: inOrder);
            var outcome = rows.Through(s => windows(s).Select(w => (w.Key, w.Start, w.End, w.Count(), w.Sum(r => r.Value), w.Max(r => r.Value))), inOrder)
                .WithIdentity().Run();
            var expected = rows.OnTime.GroupBy(e => e.Value.Key).SelectMany(key => expect([.. key.Select(e => (e.Time, e.Value.Value))]).Select(w =>
                (key.Key, Time(w.Start), w.EndTime, (long)w.Events.Count, w.Events.Sum(e => e.Value), w.Events.Max(e => e.Value))));
            Assert.Equal(expected.Order(), outcome.Rows.Select(r => r.Value).Order());
            Assert.Equal(rows.Events.Count() - rows.OnTime.Count(), outcome.LateEvents);
            Assert.Equal(outcome.Rows.Count, outcome.Rows.DistinctBy(r => r.Id).Count());
            Assert.Equal(outcome.Rows.Select(r => r.Ticks).Order(), outcome.Rows.Select(r => r.Ticks));
        }
    }

    private sealed class Expected(double start)
    {
        private bool _atEvent;

        internal double Start => start;

        internal double Last { get; private set; }

        internal double End { get; set; }

        internal List<(double Time, double Value)> Events { get; } = [];

        /// <summary>A window that an event closes ends one tick behind it.</summary>
        internal DateTimeOffset EndTime => Time(End).AddTicks(_atEvent ? 1 : 0);

        internal static Expected Of(IEnumerable<(double Time, double Value)> events)
        {
            var window = new Expected(events.First().Time);
            window.Events.AddRange(events);
            window.EndAt(events.Last().Time);
            return window;
        }

        internal void Add((double Time, double Value) e)
        {
            Events.Add(e);
            Last = e.Time;
        }

        internal void CloseIf(bool closes) => EndAt(closes ? Last : null);

        internal void EndAt(double? time) => (End, _atEvent) = time is { } at ? (at, true) : (End, _atEvent);
    }
}

/// <summary>Fires when the values have reached a sum, or after so long.</summary>
internal sealed class Budget(double most, TimeSpan longest) : Extensibility.WindowTrigger<Reading, double>
{
    public override Extensibility.TriggerAction OnEvent(ref double state, in Reading value, in Extensibility.TriggerContext context)
    {
        state += value.Value;
        return state >= most ? Extensibility.TriggerAction.FireAndClear : Extensibility.TriggerAction.Continue;
    }

    public override Extensibility.TriggerAction OnTime(ref double state, in Extensibility.TriggerContext context) => Extensibility.TriggerAction.FireAndClear;

    public override DateTimeOffset? NextTime(in double state, in Extensibility.TriggerContext context) => context.Start + longest;
}
