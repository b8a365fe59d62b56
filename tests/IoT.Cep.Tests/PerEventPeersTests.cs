using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Many events of one time, whose results are made side by side: each is as if it were alone.</summary>
public class PerEventPeersTests
{
    private const int Keys = 600;

    [Fact]
    public void Projection_that_throws_among_peers_loses_its_result_alone()
    {
        int[] failing = [0, 1, 255, 256, 257, 400, 599];
        using var run = Run(w => failing.Contains(w.Key) ? throw new FormatException("no") : w.Key, identity: true);
        Assert.Equal(failing.Length * 4, run.DeadLetters.Count);
        Assert.Equal(
            from round in Enumerable.Range(0, 2)
            from key in Enumerable.Range(0, Keys).Except(failing)
            from ordinal in Enumerable.Range(0, 2)
            select ((double)key, new ResultId(key, TicksAt(round - 2.5) + 1, TicksAt(round) + 1, ordinal)),
            run.Sink.Results.OrderBy(r => r.Ticks).ThenBy(r => r.Value).Select(r => (r.Value, r.Id!.Value)));
    }

    [Fact]
    public void Number_of_a_result_counts_those_before_it_that_threw()
    {
        int seen = 0;
        using var run = Run(w => w.Key == 5 && seen++ == 0 ? throw new FormatException("no") : w.Key, identity: true);
        Assert.Equal([1, 0, 1], run.Sink.Results.Where(r => r.Value == 5).Select(r => r.Id!.Value.Ordinal));
    }

    [Fact]
    public void Aggregate_that_is_asked_for_in_the_middle_of_peers_is_right_for_all_of_them()
    {
        bool isAsked = false;
        using var run = Run(w => w.Sum(e => e.Value) >= 0 && (isAsked |= w.Key == 300) ? w.Max(e => e.Value) : -1, identity: false);
        var results = run.Sink.Results.Select(r => r.Value).ToList();
        int first = results.FindIndex(value => value >= 0);
        Assert.InRange(first, 1, Keys * 2);
        Assert.All(results[first..], value => Assert.NotEqual(-1, value));
        Assert.Equal(Enumerable.Range(0, Keys).SelectMany(key => new[] { key + 1_000.0, key + 1_000.0 }), results[(Keys * 2)..].Order());
    }

    [Fact]
    public void Condition_leaves_out_results_of_peers() =>
        Timeline.Keyed().At(1, "a", 1).At(1, "b", 2).At(1, "c", 3).At(1, "d", 4).At(1, "e", 5).At(1, "a", 6).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(2))).Having(w => w.Sum(r => r.Value) > 3).Select(w => w.Sum(r => r.Value)))
            .ExpectSet((1, 4), (1, 5), (1, 7), (1, 7));

    /// <summary>Two rounds of two events of each key, all of a round at one time; the second round's values are the greater ones.</summary>
    private static PlanRun<(int Key, double Value), double> Run(Func<WindowGroup<int, (int Key, double Value)>, double> project, bool identity)
    {
        var input = new Input<(int Key, double Value)>(IsInOrder: true);
        var run = new PlanRun<(int Key, double Value), double>(
            input, input.ToStream().KeyBy(e => e.Key).Window(Window.Sliding(Seconds(2.5))).Select(project).Node, shards: 1, ErrorPolicy.Skip, identity);
        for (int round = 0; round < 2; round++)
        {
            var events = Enumerable.Range(0, Keys * 2).Select(i => (Key: i * 7 % Keys, Value: (i * 7 % Keys) + (round * 1_000.0))).ToArray();
            run.Push(events, [.. events.Select(_ => TicksAt(round))]);
        }

        run.Advance(TicksAt(100));
        return run;
    }
}
