using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Sessions over random rows against references that keep every event and look at all of them each time.</summary>
public class SessionReferenceTests
{
    private const double Gap = 1.5;

    [Property(MaxTest = 60)]
    public void Sessions_are_the_runs_of_the_sorted_events(int seed)
    {
        var rows = Case.Of(seed, late: false);
        var results = rows.Through(
            s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(Gap)))
                .Select(w => (w.Key, w.Start, w.End, w.Count(), w.Sum(r => r.Value), w.Max(r => r.Value))),
            inOrder: seed % 2 == 0).Run().Results;
        var expected = Runs(rows.Events).Select(run => (
            run.Key, Time(run.Events[0].Time), Time(run.Events[^1].Time + Gap), (long)run.Events.Count, run.Events.Sum(e => e.Value), run.Events.Max(e => e.Value)));
        Assert.Equal(expected.Order(), results.Select(r => r.Value).Order());
        Assert.Equal(results.Select(r => r.Seconds).Order(), results.Select(r => r.Seconds));
    }

    [Property(MaxTest = 60)]
    public void Corrections_end_in_the_runs_of_the_sorted_events(int seed)
    {
        var rows = Case.Of(seed);
        var last = new Dictionary<ResultId, (string, DateTimeOffset, DateTimeOffset, double)>();
        foreach (var row in rows.Through(s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(Gap)).AllowLate(Seconds(1000)))
            .Select(w => (w.Key, w.Start, w.End, w.Sum(r => r.Value)))).WithIdentity().Run().Rows)
        {
            Assert.Equal(row.Kind != EventKind.Insert, last.Remove(row.Id!.Value));
            if (row.Kind != EventKind.Retract)
            {
                last.Add(row.Id.Value, row.Value);
            }
        }

        Assert.Equal(Runs(rows.Events).Select(run => (run.Key, Time(run.Events[0].Time), Time(run.Events[^1].Time + Gap), run.Events.Sum(e => e.Value))).Order(), last.Values.Order());
    }

    [Property(MaxTest = 60)]
    public void Late_events_do_what_the_model_says(int seed)
    {
        var rows = Case.Of(seed);
        foreach (double lateness in new[] { 0, 0.5, 2 })
        {
            var outcome = rows.Through(s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(Gap)).AllowLate(Seconds(lateness)))
                .Select(w => (w.Key, w.Start, w.End, w.Count(), w.Sum(r => r.Value), w.Firing))).WithIdentity().Run();
            var model = new Model(lateness);
            foreach (var row in rows.Rows)
            {
                model.Take(row);
            }

            Assert.Equal(model.Results.Order(), outcome.Rows.Select(r => r.Value).Order());
            Assert.Equal(model.Late, outcome.LateEvents);
            Assert.Equal(outcome.Rows.Count(r => r.Kind == EventKind.Insert), outcome.Rows.Where(r => r.Kind == EventKind.Insert).DistinctBy(r => r.Id).Count());
        }
    }

    /// <summary>Sessions are closed before the watermark there, and opened again for events that come behind others all the same.</summary>
    [Property(MaxTest = 60)]
    public void Late_events_of_streams_in_order_do_what_the_model_says(int seed)
    {
        var rows = Case.Of(seed);
        var model = new Model(0);
        foreach (var row in rows.Rows)
        {
            model.Take(row);
        }

        var byText = rows.Through(
            s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(Gap)))
                .Select(w => (w.Key, w.Start, w.End, w.Count(), w.Sum(r => r.Value), w.Firing)),
            inOrder: true).Run();
        Assert.Equal(model.Results.Order(), byText.Results.Select(r => r.Value).Order());
        Assert.Equal(model.Late, byText.LateEvents);

        // Whole numbers say their own places, one of them far off.
        var byNumber = rows.Through(
            s => s.KeyBy(r => r.Key.Length > 1 ? r.Key[1] - '0' : 1_000_000).Window(Window.Session(Seconds(Gap)))
                .Select(w => (w.Key == 1_000_000 ? "k" : $"k{w.Key}", w.Start, w.End, w.Count(), w.Last(r => r.Value) * 0 + w.Sum(r => r.Value), w.Firing)),
            inOrder: true).Run();
        Assert.Equal(model.Results.Order(), byNumber.Results.Select(r => r.Value).Order());
    }

    [Property(MaxTest = 60)]
    public void Results_come_in_the_same_order_whether_or_not_sessions_are_closed_before_the_watermark(int seed)
    {
        var rows = Case.Of(seed);
        Assert.Equal(Results(inOrder: false), Results(inOrder: true));

        List<(string Key, DateTimeOffset Start, long Count)> Results(bool inOrder) => [.. rows.Through(
            s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(Gap))).Select(w => (w.Key, w.Start, w.Count())), inOrder).Run().Results.Select(r => r.Value)];
    }

    private static List<(string Key, List<(double Time, double Value)> Events)> Runs(IEnumerable<(double Time, Reading Value)> events)
    {
        var runs = new List<(string, List<(double, double)>)>();
        foreach (var key in events.GroupBy(e => e.Value.Key))
        {
            double last = double.MinValue;
            foreach (var (time, value) in key.OrderBy(e => e.Time))
            {
                if (time - last >= Gap)
                {
                    runs.Add((key.Key, []));
                }

                runs[^1].Item2.Add((time, value.Value));
                last = time;
            }
        }

        return runs;
    }

    private sealed class Model(double lateness)
    {
        private List<Kept> _sessions = [];
        private readonly List<Kept> _withdrawn = [];
        private double _watermark = double.MinValue;

        internal List<(string, DateTimeOffset, DateTimeOffset, long, double, Firing)> Results { get; } = [];

        internal int Late { get; private set; }

        internal void Take(Row<Reading> row)
        {
            double time = row.Ticks / (double)TimeSpan.TicksPerSecond;
            if (row.Kind != RowKind.Event)
            {
                Advance(row.Kind == RowKind.End ? double.MaxValue : time);
                return;
            }

            if (time + Gap + lateness <= _watermark)
            {
                Late++;
                return;
            }

            var touched = _sessions.Where(s => s.Key == row.Value.Key && s.Events.Any(e => Math.Abs(e.Time - time) < Gap)).OrderBy(s => s.Start).ToList();
            var given = touched.Where(s => s.IsGiven).ToList();
            _withdrawn.AddRange(given.Skip(1));
            _sessions = [.. _sessions.Except(touched), new Kept(row.Value.Key, [.. touched.SelectMany(s => s.Events), (time, row.Value.Value)]) { IsGiven = given.Count > 0, IsChanged = true }];
        }

        private void Advance(double watermark)
        {
            _watermark = watermark;
            _withdrawn.ForEach(s => Give(s, Firing.Withdrawn));
            _withdrawn.Clear();
            foreach (var session in _sessions.Where(s => s.IsChanged && s.End <= watermark))
            {
                Give(session, session.IsGiven ? Firing.Late : Firing.OnTime);
                (session.IsChanged, session.IsGiven) = (false, true);
            }

            _sessions.RemoveAll(s => s.End + lateness <= watermark);
        }

        private void Give(Kept session, Firing firing) =>
            Results.Add((session.Key, Time(session.Start), Time(session.End), session.Events.Count, session.Events.Sum(e => e.Value), firing));
    }

    private sealed record Kept(string Key, List<(double Time, double Value)> Events)
    {
        internal double Start => Events.Min(e => e.Time);

        internal double End => Events.Max(e => e.Time) + Gap;

        internal bool IsGiven { get; set; }

        internal bool IsChanged { get; set; }
    }
}
