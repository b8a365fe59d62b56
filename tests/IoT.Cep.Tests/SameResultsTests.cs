using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// What docs/engine.md lists as the exceptions from "the same results in the same order on any number of shards, wherever batches are cut": they are real, and
/// what is said to be the same all the same is. An exception that is no longer one is to leave the list.
/// </summary>
public class SameResultsTests
{
    private const int All = 200;

    [Fact]
    public void Early_results_by_time_come_with_the_steps_of_the_watermark_and_windows_end_alike()
    {
        var windows = (IEventStream<Reading> s) => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).Early(Seconds(1))).Select(w => $"{w.Key} {w.Start:ss} {w.Firing} {w.Count()}");
        var (one, many) = (Run(windows, 1, All), Run(windows, 1, 1));
        Assert.NotEqual(one.Length, many.Length);
        Assert.Equal(one.Where(r => r.Contains("OnTime", StringComparison.Ordinal)), many.Where(r => r.Contains("OnTime", StringComparison.Ordinal)));
    }

    [Fact]
    public void Results_on_change_come_by_the_batch_and_each_keys_alike() => OnlyAmongKeys(
        s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).OnChange()).Select(w => $"{w.Key} {w.Start:ss} {w.Revision} {w.Count()}"));

    [Fact]
    public void Results_of_keys_with_a_time_of_their_own_come_by_the_batch_and_each_keys_alike() => OnlyAmongKeys(
        s => s.KeyBy(r => r.Key).TimelinePerKey().Window(Window.Tumbling(Seconds(5))).Select(w => $"{w.Key} {w.Start:ss} {w.Count()}"), isBacklog: true);

    [Fact]
    public void Keys_that_give_way_are_each_shards_own_and_no_event_is_lost()
    {
        var windows = (IEventStream<Reading> s) => s.KeyBy(r => r.Key, maxKeys: 3, WhenKeysFull.EvictIdle).Window(Window.Tumbling(Seconds(10))).Select(w => $"{w.Key} {w.Start:ss} {w.Count()}");
        var (one, three) = (Run(windows, 1, All), Run(windows, 3, All));
        Assert.NotEqual(one.Length, three.Length);
        Assert.Equal(All, one.Sum(Count));
        Assert.Equal(All, three.Sum(Count));

        static int Count(string result) => int.Parse(result.Split(' ')[^1], null);
    }

    private static void OnlyAmongKeys(Func<IEventStream<Reading>, IEventStream<string>> query, bool isBacklog = false)
    {
        var (one, many) = (Run(query, 1, All, isBacklog), Run(query, 1, 1, isBacklog));
        Assert.NotEqual(one, many);
        Assert.Equal(one, Run(query, 3, All, isBacklog));
        Assert.Equal(many, Run(query, 3, 1, isBacklog));
        Assert.Equal(one.GroupBy(r => r.Split(' ')[0]).OrderBy(g => g.Key).SelectMany(g => g), many.GroupBy(r => r.Split(' ')[0]).OrderBy(g => g.Key).SelectMany(g => g));
    }

    /// <summary>A backlog: all keys are behind the source's time, each by as much as it likes, and that is told again behind each batch, as a source does.</summary>
    private static string[] Run(Func<IEventStream<Reading>, IEventStream<string>> query, int shards, int batch, bool isBacklog = false)
    {
        var random = new Random(4);
        double lag = isBacklog ? 7 : 0;
        Reading[] events = [.. Enumerable.Range(0, All).Select(i => (i, Key: random.Next(8))).Select(e => new Reading($"k{e.Key}", 100 + (e.i / 4.0) - (lag * e.Key)))];
        var input = new Input<Reading>();
        var stream = isBacklog ? input.ToStream() : input.ToStream().WithEventTime(r => Time(r.Value));
        using var run = new PlanRun<Reading, string>(input, query(stream).Node, shards, identity: true);
        foreach (var part in events.Chunk(batch))
        {
            run.Push(part, [.. part.Select(r => TicksAt(r.Value))]);
            if (isBacklog)
            {
                run.Advance(TicksAt(1000));
            }
        }

        run.Complete();
        Assert.Null(run.Sink.Error);
        return [.. run.Sink.Results.Select(row => row.Value)];
    }
}
