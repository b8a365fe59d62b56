using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// The verbs that need order over random events against models that are slow and obvious. Each scenario runs in batches, event by event, over
/// shards, and saved and restored between every two inputs: what comes out is the same, and is what the model says.
/// </summary>
public class StreamReferenceTests
{
    private const double Gap = 3;
    private const int Seeds = 150;

    [Property(MaxTest = Seeds)]
    public void DistinctUntilChanged_compares_with_the_last_kept(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).DistinctUntilChanged(r => r.Value, forgetAfter: Seconds(Gap)), a => a.Keys.SelectMany(key => key
            .Where((e, i) => i == 0 || e.Time - key[i - 1].Time >= Gap || e.Value != key[i - 1].Value)));

    [Property(MaxTest = Seeds)]
    public void Deduplicate_keeps_what_no_kept_one_is_too_near_to(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).Deduplicate(r => r.Value, Seconds(Gap)), a => a.Ordered.GroupBy(e => e.Value).SelectMany(FirstPer));

    [Property(MaxTest = Seeds)]
    public void Deduplicate_without_a_key_goes_by_the_id_alone(int seed) => Check(
        seed, s => s.Deduplicate(r => r.Value, Seconds(Gap)), a => a.Ordered.GroupBy(e => e.Value.Value).SelectMany(FirstPer));

    [Property(MaxTest = Seeds)]
    public void AtMostOncePer_keeps_what_no_kept_one_is_too_near_to(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).AtMostOncePer(Seconds(Gap)), a => a.Keys.SelectMany(FirstPer));

    [Property(MaxTest = Seeds)]
    public void AtMostOncePer_of_the_last_ends_each_interval_that_time_reached(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).AtMostOncePer(Seconds(Gap), Keep.Last), a => a.Keys.SelectMany(key => FirstPer(key)
            .Where(first => first.Time + Gap <= Math.Max(a.Watermark, key[^1].Time))
            .Select(first => (first.Time + Gap, key.Last(e => e.Time >= first.Time && e.Time < first.Time + Gap).Value))));

    [Property(MaxTest = Seeds)]
    public void Debounce_is_every_event_before_a_gap(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).Debounce(Seconds(Gap)), a => a.Keys.SelectMany(key => key
            .Where((e, i) => (i + 1 < key.Count ? key[i + 1].Time : a.Watermark) >= e.Time + Gap).Select(e => (e.Time + Gap, e.Value))));

    [Property(MaxTest = Seeds)]
    public void Sample_is_the_last_of_each_interval(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).Sample(Seconds(Gap)), a => a.Keys.SelectMany(key => key.GroupBy(e => (Math.Floor(e.Time / Gap) + 1) * Gap)
            .Where(interval => a.EndsWithInput || interval.Key <= a.Watermark).Select(interval => (interval.Key, interval.Last().Value))));

    [Property(MaxTest = Seeds)]
    public void WithPrevious_is_a_zip_with_itself(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).WithPrevious((previous, current) => $"{previous} {current}", forgetAfter: Seconds(Gap)),
        a => a.Keys.SelectMany(key => key.Zip(key.Skip(1)).Where(p => p.Second.Time - p.First.Time < Gap).Select(p => (p.Second.Time, $"{p.First.Value} {p.Second.Value}"))));

    [Property(MaxTest = Seeds)]
    public void WithPrevious_of_several_is_a_slice_of_the_run(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).WithPrevious(2, (previous, current) => string.Join(' ', previous.ToArray()) + $" {current}", forgetAfter: Seconds(Gap)),
        a => a.Keys.SelectMany(key => Runs(key).SelectMany(run => run.Select((e, i) => (e.Time, string.Join(' ', run.Take(i).TakeLast(2).Select(p => p.Value)) + $" {e.Value}")))));

    [Property(MaxTest = Seeds)]
    public void Scan_is_a_running_sum_of_each_run(int seed) => Check(
        seed, s => s.KeyBy(r => r.Key).Scan(0.0, (sum, r) => (sum * 3) + r.Value + 1, (r, sum) => $"{r.Key} {sum}", Seconds(Gap)),
        a => a.Keys.SelectMany(key => Runs(key).SelectMany(run => run.Select((e, i) => (e.Time, $"{e.Value.Key} {run.Take(i + 1).Aggregate(0.0, (sum, r) => (sum * 3) + r.Value.Value + 1)}")))));

    [Property(MaxTest = Seeds)]
    public void Reorder_is_a_stable_sort(int seed)
    {
        foreach (var arrivals in new[] { Arrivals.Of(seed), Arrivals.InOrder(seed) })
        {
            Assert.Equal(arrivals.Ordered, arrivals.Timeline.Through(s => s.Reorder()).Run().Results.ToList());
            Assert.Equal(arrivals.Late, arrivals.Timeline.Through(Late).Run().Results.ToList());
        }

        static IEventStream<Reading> Late(IEventStream<Reading> s)
        {
            s.Reorder(out var late);
            return late;
        }
    }

    [Property(MaxTest = Seeds)]
    public void Verbs_behind_Reorder_give_what_they_give_alone(int seed)
    {
        var arrivals = Arrivals.Of(seed);
        var alone = arrivals.Timeline.Through(s => s.KeyBy(r => r.Key).WithPrevious((p, c) => $"{p} {c}")).Run();
        var behind = arrivals.Timeline.Through(s => s.KeyBy(r => r.Key).Reorder().WithPrevious((p, c) => $"{p} {c}")).Run();
        Assert.Equal(alone.Results, behind.Results);
    }

    [Property(MaxTest = Seeds)]
    public void Split_and_union_are_the_stream(int seed)
    {
        var arrivals = Arrivals.Of(seed);
        var whole = arrivals.Timeline.Through(s => s.Window(Window.Tumbling(Seconds(Gap))).Select(w => (w.Sum(r => r.Value), w.Count()))).Run();
        var parts = arrivals.Timeline.Through(s => s.Split(r => r.Value > 1, out var rest).Union(rest)
            .Window(Window.Tumbling(Seconds(Gap))).Select(w => (w.Sum(r => r.Value), w.Count()))).Run();
        Assert.Equal(whole.Results, parts.Results);
    }

    [Fact]
    public void Generator_makes_each_kind_of_case_often_enough()
    {
        var cases = Enumerable.Range(0, 1000).Select(Arrivals.Of).ToList();
        Assert.InRange(cases.Count(a => a.Late.Count > 0), 100, 950);
        Assert.InRange(cases.Count(a => a.HasTies), 100, 950);
        Assert.InRange(cases.Count(a => a.Keys.Count() > 5), 100, 950);
        Assert.InRange(cases.Count(a => a.EndsWithInput), 100, 950);
        Assert.InRange(cases.Count(a => a.IsEmpty), 5, 100);
    }

    private static void Check<TResult>(
        int seed, Func<IEventStream<Reading>, IEventStream<TResult>> query, Func<Arrivals, IEnumerable<(double Time, TResult Value)>> model)
    {
        foreach (var arrivals in new[] { Arrivals.Of(seed), Arrivals.InOrder(seed) })
        {
            var outcome = arrivals.Timeline.Through(query).Run();
            Assert.Equal(model(arrivals).Select(Text).Order(StringComparer.Ordinal), outcome.Results.Select(Text).Order(StringComparer.Ordinal));
            Assert.Equal(outcome.Results.Select(r => r.Seconds).Order(), outcome.Results.Select(r => r.Seconds));
            Assert.Equal(arrivals.Late.Count, outcome.LateEvents);
        }
    }

    private static string Text<TResult>((double Time, TResult Value) row) => FormattableString.Invariant($"{row.Time + 0} {row.Value}");

    /// <summary>The first event, and each that is a span or more after the one before it of these.</summary>
    private static IEnumerable<(double Time, Reading Value)> FirstPer(IEnumerable<(double Time, Reading Value)> events)
    {
        double last = double.MinValue;
        foreach (var e in events)
        {
            if (e.Time - last >= Gap)
            {
                last = e.Time;
                yield return e;
            }
        }
    }

    /// <summary>A key's events, cut where it was forgotten.</summary>
    private static IEnumerable<List<(double Time, Reading Value)>> Runs(List<(double Time, Reading Value)> key)
    {
        for (int start = 0; start < key.Count;)
        {
            int end = start + 1;
            while (end < key.Count && key[end].Time - key[end - 1].Time < Gap)
            {
                end++;
            }

            yield return key[start..end];
            start = end;
        }
    }
}
