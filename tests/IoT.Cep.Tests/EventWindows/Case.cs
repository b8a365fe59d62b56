using Xunit.Abstractions;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// Random rows for windows that follow from a key's events: times on a grid of a quarter of a second, so that ties and exact gaps are many and sums
/// are exact; keys that come and go; pauses; times before and after 1970; watermarks that some events come behind.
/// </summary>
internal sealed record Case(IReadOnlyList<Row<Reading>> Rows)
{
    internal IEnumerable<(double Time, Reading Value)> Events => Rows.Where(r => r.Kind == RowKind.Event).Select(r => (r.Ticks / (double)TimeSpan.TicksPerSecond, r.Value));

    /// <summary>Events in the order in which an operator that sorts sees them, without those that come behind the watermark.</summary>
    internal IEnumerable<(double Time, Reading Value)> OnTime
    {
        get
        {
            long watermark = long.MinValue;
            var onTime = new List<(double Time, Reading Value)>();
            foreach (var row in Rows)
            {
                if (row.Kind == RowKind.Watermark)
                {
                    watermark = row.Ticks;
                }
                else if (row.Kind == RowKind.Event && row.Ticks >= watermark)
                {
                    onTime.Add((row.Ticks / (double)TimeSpan.TicksPerSecond, row.Value));
                }
            }

            return onTime.OrderBy(e => e.Time);
        }
    }

    internal bool HasBehind => Events.Count() > OnTime.Count();

    internal bool HasTies => Events.GroupBy(e => (e.Time, e.Value.Key)).Any(g => g.Count() > 1);

    internal bool IsEmpty => !Events.Any();

    /// <summary>Whether a key's events are over before another key's begin.</summary>
    internal bool HasChurn => Events.GroupBy(e => e.Value.Key).Select(g => (From: g.Min(e => e.Time), To: g.Max(e => e.Time))).ToList() is var keys
        && keys.Exists(a => keys.Exists(b => a.To < b.From));

    /// <param name="seed">The seed.</param>
    /// <param name="late">Whether events may come behind the watermark.</param>
    /// <param name="inOrder">Whether events come in order of time.</param>
    internal static Case Of(int seed, bool late = true, bool inOrder = false)
    {
        var random = new Random(seed);
        var events = new List<(double Time, Reading Value)>();
        double now = random.Next(-60, 60);
        int spread = inOrder ? 0 : random.Next(1, 5);
        int count = random.Next(7) == 0 ? 0 : random.Next(1, 60);
        for (int i = 0; i < count; i++)
        {
            now += random.Next(14) == 0 ? random.Next(12) : random.Next(4) / 4.0;
            string key = random.Next(4) == 0 ? "k" : $"k{(i / 20) + random.Next(3)}";
            events.Add((now - (random.Next((4 * spread) + 1) / 4.0 * (inOrder ? 0 : 1)), new Reading(key, random.Next(10))));
        }

        double allowed = inOrder ? random.Next(3) : late ? random.Next(5) / 4.0 * spread : spread;
        var rows = new List<Row<Reading>>();
        double latest = double.MinValue, watermark = double.MinValue;
        foreach (var (time, value) in events)
        {
            rows.Add(new Row<Reading>(RowKind.Event, TicksAt(time), value));
            latest = Math.Max(latest, time);
            if (random.Next(3) == 0 && latest - allowed > watermark)
            {
                watermark = latest - allowed;
                rows.Add(new Row<Reading>(RowKind.Watermark, TicksAt(watermark), default));
            }
        }

        rows.Add(random.Next(3) == 0 && count > 0 ? new Row<Reading>(RowKind.Watermark, TicksAt(latest + 100), default) : new Row<Reading>(RowKind.End, 0, default));
        return new Case(rows);
    }

    internal Scenario<Reading, TResult> Through<TResult>(Func<IEventStream<Reading>, IEventStream<TResult>> query, bool inOrder = false)
    {
        var input = new Input<Reading>(inOrder);
        return new Scenario<Reading, TResult>([.. Rows], input, query(input.ToStream()).Node);
    }
}

public class CaseTests(ITestOutputHelper output)
{
    [Fact]
    public void Cases_are_late_tied_empty_and_churning_often_enough()
    {
        const int Seeds = 1000;
        var cases = Enumerable.Range(0, Seeds).Select(seed => Case.Of(seed)).ToList();
        foreach (var (name, share) in new[]
        {
            ("behind the watermark", cases.Count(c => c.HasBehind)), ("tied", cases.Count(c => c.HasTies)),
            ("empty", cases.Count(c => c.IsEmpty)), ("keys come and go", cases.Count(c => c.HasChurn)),
            ("before 1970", cases.Count(c => c.Events.Any(e => e.Time < 0))),
        })
        {
            output.WriteLine($"{name}: {100.0 * share / Seeds:F0} %");
            Assert.True(share >= Seeds / 10, $"Only {share} of {Seeds} cases are {name}.");
        }
    }
}
