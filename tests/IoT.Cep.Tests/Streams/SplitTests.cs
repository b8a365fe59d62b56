using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SplitTests
{
    [Fact]
    public void Those_for_which_it_is_true_come_out_of_the_result() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).Watermark(2).At(1.5, 7).End()
            .Through(s => s.Split(x => x > 2, out _))
            .Expect((2, 5), (1.5, 7));

    [Fact]
    public void The_rest_comes_out_of_the_rest() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).Watermark(2).At(1.5, 0).End()
            .Through(s =>
            {
                s.Split(x => x > 2, out var rest);
                return rest;
            })
            .Expect((1, 1), (1.5, 0));

    [Fact]
    public void Query_that_uses_both_asks_once_for_each_event()
    {
        int asked = 0;
        var input = new Input<double>();
        var hot = input.ToStream().Split(x => asked++ >= 0 && x > 2, out var rest);
        using var run = new PlanRun<double, double>(input, rest.Select(x => -x).Union(hot, hot.Select(x => x * 10)).Node, 1);
        run.Push([1, 5, 2], [1, 2, 3]);
        run.Complete();
        Assert.Equal(3, asked);
        Assert.Equal([-2.0, -1, 5, 50], run.Sink.Results.Select(row => row.Value).Order());
    }

    [Fact]
    public void Both_sides_have_the_same_time() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).Watermark(10).At(11, "a", 2).End()
            .Through(s =>
            {
                var high = s.KeyBy(r => r.Key).Split(r => r.Value > 2, out var low);
                var sums = low.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value));
                return high.Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(r => r.Value)).Union(sums)
                    .Window(Window.Tumbling(Seconds(10))).Select(w => (w.Sum(x => x), w.Count()));
            })
            .Expect((10, (6, 2)), (20, (2, 1)));

    [Fact]
    public void Rest_is_split_again() =>
        Timeline.Of<double>().At(1, 1).At(2, 5).At(3, 9).End()
            .Through(s =>
            {
                s.Split(x => x > 7, out var rest).Split(x => x > 3, out _);
                return rest.Split(x => x > 3, out _);
            })
            .Expect((2, 5));

    [Fact]
    public void Results_keep_their_identities()
    {
        var outcome = Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).At(3, "c", 2).End()
            .Through(s =>
            {
                s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => new Reading(w.Key, w.Sum(r => r.Value))).Split(r => r.Value > 2, out var rest);
                return rest;
            })
            .WithIdentity().Run();
        Assert.Equal(["a", "c"], outcome.Rows.Select(row => row.Value.Key).Order());
        Assert.All(outcome.Rows, row => Assert.Equal(row.Value.Key, row.Id!.Value.Key));
    }

    [Fact]
    public void Error_ends_the_query_once_although_it_has_two_ways()
    {
        var error = Timeline.Of<double>().At(1, 5).At(2, 1).At(3, 1).End()
            .Through(s => s.Split(x => x > 2, out var rest).Union(rest.Select(x => x == 1 ? throw new FormatException("bad") : x))).ExpectError();
        Assert.IsType<FormatException>(error.InnerException);
    }

    [Fact]
    public void Event_at_which_it_throws_is_on_neither_side()
    {
        var outcome = Timeline.Of<double>().At(1, 1).At(2, 5).At(3, 7).At(4, 2).End()
            .Through(s => s.Split(x => x == 5 ? throw new FormatException("bad") : x > 2, out var rest).Select(x => x * 10).Union(rest).Reorder())
            .Skipping().Expect((1, 1), (3, 70), (4, 2));
        Assert.Equal(["5"], outcome.DeadLetters);
    }

    [Fact]
    public void Stream_that_corrects_itself_is_refused() => Assert.Contains(
        "Split can't take corrections", Assert.Throws<ArgumentException>(() => new Input<double>().ToStream()
            .Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(1))).Select(w => w.Count()).Split(c => c > 1, out _)).Message, StringComparison.Ordinal);

    [Fact]
    public void Explain_names_the_side_or_both()
    {
        var input = new Input<double>();
        var hot = input.ToStream().Split(x => x > 2, out var rest);
        Assert.Equal(("Split x => x > 2, those", "Split x => x > 2, the rest"), (hot.Node.Text, rest.Node.Text));
        using var run = new PlanRun<double, double>(input, hot.Union(rest.Select(x => -x)).Node, 1);
        Assert.Equal(
            """
            query test
               4  [ingress]  Select x => -x  -> 1
               3  [ingress]  Input  -> 2
               2  [ingress]  Split x => x > 2  -> 1, 4
               1  [ingress]  Union  -> 0
               0  [ingress]  Collect

            """, run.Plan.Explain());
    }
}
