using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class PatternTests
{
    private static readonly Pattern<Reading> _warmThenHot = Pattern
        .Begin<Reading>(out var warm, r => r.Value is > 20 and < 30)
        .FollowedBy(out var hot, (r, m) => r.Value > m[warm].Value + 15)
        .Within(Seconds(10));

    [Fact]
    public void Second_step_sees_what_the_first_took() =>
        Timeline.Keyed().At(1, "a", 25).At(2, "a", 39).At(3, "a", 41).At(4, "a", 99).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => $"{m.Start.Second}-{m.End.Second}"))
            .Expect((3, "1-3"));

    [Fact]
    public void Every_first_event_begins_a_match_of_its_own() =>
        Timeline.Keyed().At(1, "a", 21).At(2, "a", 22).At(3, "a", 23).At(4, "a", 37.5).At(5, "a", 90).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => $"{m.Start.Second}-{m.End.Second}"))
            .Expect((4, "1-4"), (4, "2-4"), (5, "3-5"));

    [Fact]
    public void Keys_match_apart() =>
        Timeline.Keyed().At(1, "a", 25).At(2, "b", 90).At(3, "b", 25).At(4, "a", 91).At(5, "b", 92).End()
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => $"{m.Start.Second}-{m.End.Second}"))
            .Expect((4, "1-4"), (5, "3-5"));

    [Fact]
    public void Events_are_looked_at_in_order_of_time() =>
        Timeline.Keyed().At(4, "a", 99).At(1, "a", 25).Watermark(1).At(2, "a", 50).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => $"{m.Start.Second}-{m.End.Second}"))
            .Expect((2, "1-2"));

    [Fact]
    public void Exactly_the_span_later_is_too_late() =>
        Timeline.Keyed().At(1, "a", 25).At(11, "a", 99).At(11, "a", 25).At(20.999, "a", 99).Watermark(30)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => $"{m.Start.Second}-{m.End.Second}"))
            .Expect((20.999, "11-20"));

    [Fact]
    public void Ties_keep_their_order_of_arrival() =>
        Timeline.Keyed().At(5, "a", 99).At(5, "a", 25).At(5, "a", 98).Watermark(5).At(6, "a", 97).Watermark(6)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => m.End.Second))
            .Expect((5, 5));

    [Fact]
    public void Late_events_are_not_looked_at_and_are_counted()
    {
        var outcome = Timeline.Keyed().At(1, "a", 25).Watermark(5).At(4.9, "a", 99).At(5, "a", 98).Watermark(9)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => m.End.Second))
            .Expect((5, 5));
        Assert.Equal(1, outcome.LateEvents);
    }

    [Fact]
    public void Three_steps_take_three_events() =>
        Timeline.Of<double>().At(1, 1).At(2, 1).At(3, 3).At(4, 2).At(5, 3).Watermark(9)
            .Through(s => s.Match(Pattern.Begin<double>(out var a, x => x == 1).FollowedBy(out var b, x => x == 2).FollowedBy(out var c, x => x == 3).Within(Seconds(60)))
                .Select(m => (m.Start.Second, m[a], m[b], m[c], m.End.Second)))
            .Expect((5, (1, 1, 2, 3, 5)), (5, (2, 1, 2, 3, 5)));

    [Fact]
    public void Event_is_used_once_in_a_match() =>
        Timeline.Of<double>().At(1, 1).At(2, 2).At(3, 3).Watermark(9)
            .Through(s => s.Match(Pattern.Begin<double>(out _, x => x > 0).FollowedBy(out _, x => x > 0).Within(Seconds(60))).Select(m => (m.Start.Second, m.End.Second)))
            .Expect((2, (1, 2)), (3, (2, 3)));

    [Fact]
    public void One_step_matches_each_event() =>
        Timeline.Of<double>().At(1, 1).At(2, -2).At(3, 3).End()
            .Through(s => s.Match(Pattern.Begin<double>(out var a, x => x > 0)).Select(m => m[a]))
            .Expect((1, 1), (3, 3));

    [Fact]
    public void Ordered_stream_matches_the_same() =>
        Timeline.Keyed().InOrder().At(1, "a", 25).At(2, "b", 25).At(3, "a", 41).At(3, "b", 42).Watermark(3).At(4, "b", 43).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => m.Start.Second))
            .ExpectSet((3, 1), (3, 2));

    [Fact]
    public void Oldest_match_gives_way_at_the_limit()
    {
        var outcome = Timeline.Keyed().At(1, "a", 21).At(2, "a", 22).At(3, "a", 23).At(4, "a", 99).End()
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot, maxPartialMatchesPerKey: 2).Select(m => m.Start.Second))
            .Expect((4, 2), (4, 3));
        Assert.Equal(1, outcome.DiscardedPartialMatches);
    }

    [Fact]
    public void Limit_of_one_keeps_the_newest() =>
        Timeline.Keyed().At(1, "a", 21).At(2, "a", 22).At(3, "b", 22).At(4, "a", 99).At(5, "b", 99).End()
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot, maxPartialMatchesPerKey: 1).Select(m => m.Start.Second))
            .Expect((4, 2), (5, 3));

    [Fact]
    public void Pattern_without_an_end_is_refused_with_the_remedy()
    {
        var pattern = Pattern.Begin<double>(out _, x => x > 0).FollowedBy(out _, x => x > 0);
        Assert.Contains(".Within(", Assert.Throws<ArgumentException>(() => new Input<double>().ToStream().Match(pattern)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_of_another_pattern_is_refused()
    {
        Pattern.Begin<double>(out var other, x => x > 0);
        var error = Timeline.Of<double>().At(1, 1).End().Through(s => s.Match(Pattern.Begin<double>(out var a, x => x > 0)).Select(m => m[other])).ExpectError();
        Assert.Contains("is of another pattern", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_is_released_after_the_span()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Match<Reading>>(input, input.ToStream().KeyBy(r => r.Key).Match(_warmThenHot).Node, shards: 1);
        for (int i = 0; i < 1000; i++)
        {
            run.Push([new Reading($"k{i}", 25)], [TicksAt(i * 0.001)]);
        }

        var match = run.Plan.Operators.OfType<IHoldsMatches>().Single();
        run.Advance(TicksAt(10.998));
        Assert.Equal((1, 1), (match.Held.Keys, match.Held.Events));
        run.Advance(TicksAt(10.999));
        Assert.Equal((0, 0), (match.Held.Keys, match.Held.Events));
    }

    [Fact]
    public void Event_past_the_key_limit_is_not_held()
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, Match<Reading>>(
            input, input.ToStream().KeyBy(r => r.Key, maxKeys: 2).Match(_warmThenHot).Node, shards: 1, ErrorPolicy.Skip);
        run.Push([new("a", 25), new("b", 25), new("c", 25), new("d", 25)], [1, 2, 3, 4]);
        run.Advance(5);
        var held = run.Plan.Operators.OfType<IHoldsMatches>().Single().Held;
        Assert.Equal((2, 2), (held.Keys, held.Events));
        Assert.Equal(2, run.DeadLetters.Count);
    }

    [Fact]
    public void Match_keeps_its_number_when_shards_are_merged()
    {
        var timeline = Timeline.Keyed();
        foreach (string key in new[] { "a", "b", "c", "d", "e", "f" })
        {
            timeline.At(1, key, 25).At(1, key, 26);
        }

        for (int i = 0; i < 6; i++)
        {
            timeline.At(2 + i, "abcdef".Substring(i, 1), i % 2 == 0 ? 40.5 : 99).Watermark(2 + i).At(2 + i, "abcdef".Substring(5 - i, 1), 99).Watermark(2.5 + i);
        }

        Assert.NotEmpty(timeline.Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => m.End.Second)).WithIdentity().Run().Rows);
    }

    [Fact]
    public void Match_has_an_identity_of_key_and_times()
    {
        var outcome = Timeline.Keyed().At(1, "a", 21).At(1, "a", 22).At(3, "a", 99).End()
            .Through(s => s.KeyBy(r => r.Key).Match(_warmThenHot).Select(m => m.Start.Second)).WithIdentity().Expect((3, 1), (3, 1));
        Assert.Equal(
            [new("a", TicksAt(1), TicksAt(3), 0), new("a", TicksAt(1), TicksAt(3), 1)], outcome.Rows.Select(row => row.Id!.Value));
    }

    [Fact]
    public void Match_whose_callback_throws_is_dropped_and_the_others_are_given()
    {
        var pattern = Pattern.Begin<Reading>(out var a, r => r.Value < 5).FollowedBy(out var b, r => r.Value > 5).Within(Seconds(60));
        foreach (bool isOrdered in new[] { false, true })
        {
            var timeline = Timeline.Keyed().At(1, "k", 1).At(2, "k", 2).At(3, "k", 3).At(4, "k", 9).At(5, "k", 4).At(6, "k", 8).End();
            var outcome = (isOrdered ? timeline.InOrder() : timeline)
                .Through(s => s.KeyBy(r => r.Key).Match(pattern, m => m[a].Value == 2 || m[b].Value == 8 ? throw new InvalidOperationException("no") : m[a].Value))
                .Skipping().Expect((4, 1), (4, 3));
            Assert.Equal(2, outcome.DeadLetters.Count);
        }
    }
}
