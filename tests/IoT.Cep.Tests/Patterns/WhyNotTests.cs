using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Why a pattern did, or did not, match: the texts that an engine's query gives.</summary>
public class WhyNotTests
{
    private static readonly Pattern<Sign> _a = Pattern.Begin<Sign>(out var a, A);

    [Fact]
    public Task Waiting_step() => Says(
        "a1 b2 n3", _a.FollowedBy(out var b, B).FollowedBy(out var c, C).Within(Seconds(60)),
        """
        no match of 'a (A) -> b (B) -> c (C) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a, b
          waited for: c (C)
          still open
        """);

    [Fact]
    public Task Event_that_must_not_come() => Says(
        "a1 n2 b3", _a.NotFollowedBy(N).FollowedBy(out var b, B).Within(Seconds(60)),
        """
        no match of 'a (A) -> not (N) -> b (B) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a
          waited for: b (B)
          ended by an event that must not come: (N) at 1970-01-01T00:00:02.0000000+00:00
        """);

    [Fact]
    public Task Time_that_was_over() => Says(
        "a1 b2 n30", _a.FollowedBy(out var b, B).FollowedBy(out var c, C).Within(Seconds(1.5)),
        """
        no match of 'a (A) -> b (B) -> c (C) within 00:00:01.5000000': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a, b
          waited for: c (C)
          not in time: Within 00:00:01.5000000 was over at 1970-01-01T00:00:02.5000000+00:00
        """);

    [Fact]
    public Task Gap_that_was_over() => Says(
        "a1 n5 b6@9", _a.FollowedBy(out var b, B).MaxGap(Seconds(3)).Within(Seconds(60)),
        """
        no match of 'a (A) -> b (B) within 00:00:03 of the one before within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a
          waited for: b (B)
          not in time: MaxGap was over at 1970-01-01T00:00:04.0000000+00:00
        """);

    [Fact]
    public Task Next_event_that_was_another_one() => Says(
        "a1 n2 b3", _a.Next(out var b, B).Within(Seconds(60)),
        """
        no match of 'a (A) => b (B) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a
          waited for: b (B)
          ended by the next event, which was not the one that had to come next at 1970-01-01T00:00:02.0000000+00:00
        """);

    [Fact]
    public Task Repetition_that_until_ended() => Says(
        "a1 b2 b3 c4", _a.FollowedBy(out var many, Times.Exactly(3), B).Until(C).Within(Seconds(60)),
        """
        no match of 'a (A) -> many (B){3} until (C) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a, many × 2
          waited for: many (B)
          ended by until: (C) at 1970-01-01T00:00:04.0000000+00:00
        """);

    [Fact]
    public Task Greedy_step_that_could_take_the_event_itself() => Says(
        "a1 b2 b3 b4 c5", _a.FollowedBy(out var many, Times.Between(1, 2), B).Greedy().FollowedBy(out var c, C).Within(Seconds(60)),
        """
        no match of 'a (A) -> many (B){1,2} greedy -> c (C) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a, many × 2
          waited for: c (C)
          ended by an event that the greedy 'many' takes: (B) at 1970-01-01T00:00:04.0000000+00:00
        """);

    [Fact]
    public Task Limit_by_which_it_was_dropped() => Says(
        "a1 b2 a3", _a.FollowedBy(out var b, B).FollowedBy(out var c, C).Within(Seconds(60)),
        """
        no match of 'a (A) -> b (B) -> c (C) within 00:01:00': the one that came furthest began at 1970-01-01T00:00:01.0000000+00:00
          had: a, b
          waited for: c (C)
          dropped: the key had more than 1 partial matches at 1970-01-01T00:00:03.0000000+00:00
        """, limit: 1);

    [Fact]
    public Task Complete_match_that_gave_way_to_another_counts_as_one() => Says(
        "a1 a2 b3", _a.FollowedBy(out var b, B).Within(Seconds(60)).AfterMatch(After.PastLastEvent),
        """
        no match of 'a (A) -> b (B) within 00:01:00, then PastLastEvent': none began
          waited for: a (A)
          none has begun for this key in that time, or all became matches
        """);

    [Fact]
    public Task Other_match_by_which_it_was_dropped() => Says(
        "a1 a2 c3", _a.FollowedBy(out var c, (s, m) => C(s) && m.First.Number == 1).Within(Seconds(60)).AfterMatch(After.PastLastEvent),
        """
        no match of 'a (A) -> c ((s, m) => C(s) && m.First.Number == 1) within 00:01:00, then PastLastEvent': the one that came furthest began at 1970-01-01T00:00:02.0000000+00:00
          had: a
          waited for: c ((s, m) => C(s) && m.First.Number == 1)
          dropped by a match, after which PastLastEvent goes on at 1970-01-01T00:00:03.0000000+00:00
        """);

    [Fact]
    public Task None_that_began() => Says(
        "n1 b2", _a.FollowedBy(out var b, B).Within(Seconds(60)),
        """
        no match of 'a (A) -> b (B) within 00:01:00': none began
          waited for: a (A)
          none has begun for this key in that time, or all became matches
        """);

    [Fact]
    public async Task Explain_of_a_match_has_each_event_with_its_step_and_condition()
    {
        var pattern = _a.FollowedBy(out var many, Times.Exactly(2), B).Within(Seconds(60));
        await using var engine = new CepEngine();
        var sink = new Collecting<Match<Sign>>();
        var query = Source(engine, "a1 b2 b3").Match(pattern).To(sink);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(
            """
            match of 'a (A) -> many (B){2} within 00:01:00'
              1970-01-01T00:00:01.0000000+00:00  a (A): a1
              1970-01-01T00:00:02.0000000+00:00  many (B): b2
              1970-01-01T00:00:03.0000000+00:00  many (B): b3

            """, query.Explain(Assert.Single(sink.Results)), ignoreLineEndingDifferences: true);
        Assert.Throws<ArgumentException>(() => query.Explain(default(Match<Sign>)));
        Assert.Contains("remember: 1_000", Assert.Throws<InvalidOperationException>(() => query.WhyNot('x', Time(0), Time(9))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_time_and_the_key_that_are_asked_for_count()
    {
        await using var engine = new CepEngine();
        var query = Source(engine, "a1 b2 a3").Match(_a.FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(60)), remember: 10).To(new Collecting<Match<Sign>>());
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(Time(3), query.WhyNot('x', Time(2), Time(9))!.Began);
        Assert.Null(query.WhyNot('x', Time(4), Time(9))!.Began);
        Assert.Null(query.WhyNot('q', Time(0), Time(9))!.Began);
        Assert.Null(query.WhyNot("another type of key", Time(0), Time(9)));
    }

    [Fact]
    public void Restored_partial_matches_have_their_stories()
    {
        var input = new Input<Sign>();
        var node = input.ToStream().KeyBy(s => s.Key).Match(_a.FollowedBy(out _, B).FollowedBy(out _, C).Within(Seconds(60)), remember: 10).Node;
        ReadOnlyMemory<byte> saved;
        using (var first = new PlanRun<Sign, Match<Sign>>(input, node, shards: 1))
        {
            first.Push([new('x', 'a', 1), new('y', 'a', 2), new('y', 'b', 3)], [TicksAt(1), TicksAt(2), TicksAt(3)]);
            first.Advance(TicksAt(3));
            saved = first.Save();
        }

        using var second = new PlanRun<Sign, Match<Sign>>(input, node, shards: 1);
        second.Plan.Load(new Extensibility.StateReader(saved));
        second.Push([new('x', 'b', 4), new('z', 'a', 5)], [TicksAt(4), TicksAt(5)]);
        second.Advance(TicksAt(5));
        var tells = second.Plan.Operators.OfType<ITellsWhyNot>().Single();
        Assert.Equal(["_", "_"], Array.ConvertAll("xy".ToCharArray(), key => tells.WhyNot(key, 0, TicksAt(9))!.Value.Why.Taken[1]));
        Assert.Equal((Time(1), Time(2), Time(5)), (Began('x'), Began('y'), Began('z')));

        DateTimeOffset? Began(char key) => tells.WhyNot(key, 0, TicksAt(9))!.Value.Why.Began;
    }

    [Fact]
    public async Task May_be_asked_while_the_query_runs()
    {
        var input = new Input<Sign>();
        var node = input.ToStream().KeyBy(s => s.Key).Match(_a.FollowedByAny(out _, B).FollowedBy(out _, C).Within(Seconds(5)), remember: 50).Node;
        using var run = new PlanRun<Sign, Match<Sign>>(input, node, shards: 1);
        var tells = run.Plan.Operators.OfType<ITellsWhyNot>().Single();
        using var asking = new CancellationTokenSource();
        var asker = Task.Run(() =>
        {
            int asked = 0;
            while (!asking.IsCancellationRequested)
            {
                foreach (char key in "xyz")
                {
                    var (length, why) = tells.WhyNot(key, long.MinValue, long.MaxValue)!.Value;
                    Assert.True(why.Began is null == (length == 0) && why.WaitedFor.Count > 0 && $"{why}".Length > 10);
                    asked++;
                }
            }

            return asked;
        });
        for (int i = 0; i < 20_000; i++)
        {
            run.Push([new Sign("xyz"[i % 3], "abbcn"[i % 5], i)], [TicksAt(i * 0.1)]);
            run.Advance(TicksAt(i * 0.1));
        }

        await asking.CancelAsync();
        Assert.True(await asker.WaitAsync(Limit.Time) > 0);
    }

    [Fact]
    public void Costs_nothing_where_it_is_off()
    {
        var input = new Input<Sign>();
        var pattern = _a.FollowedBy(out _, (s, m) => B(s) && m.Count == 1).FollowedBy(out _, (s, m) => D(s)).Within(Seconds(5));
        using var run = new PlanRun<Sign, int>(input, input.ToStream().KeyBy(s => s.Key).Match(pattern, m => m.Count).Node, shards: 1);
        var events = new Sign[512];
        long[] ticks = new long[512];
        long time = 0;
        Feed(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Feed(100);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Feed(int batches)
        {
            for (int batch = 0; batch < batches; batch++)
            {
                for (int i = 0; i < events.Length; i++)
                {
                    (events[i], ticks[i]) = (new Sign("xyz"[i % 3], "abcn"[i % 4], i), time += 500_000);
                }

                input.Push(events, ticks);
                input.Advance(time);
            }
        }
    }

    private static IKeyedStream<char, Sign> Source(CepEngine engine, string signs)
    {
        var parts = signs.Split(' ').Select((sign, i) => (Sign: new Sign('x', sign[0], int.Parse(sign.AsSpan(1).ToString().Split('@')[0], null)), Seconds: sign.Contains('@', StringComparison.Ordinal) ? int.Parse(sign.Split('@')[1], null) : i + 1)).ToList();
        return engine.From(IoT.Cep.Source.FromMemory<Sign>(parts.Select(part => part.Sign).ToArray(), parts.Select(part => TicksAt(part.Seconds)).ToArray())).KeyBy(s => s.Key);
    }

    private static async Task Says(string signs, Pattern<Sign> pattern, string expected, int limit = 100)
    {
        await using var engine = new CepEngine();
        var query = Source(engine, signs).Match(pattern, limit, remember: 10).To(new Collecting<Match<Sign>>());
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal(expected, $"{query.WhyNot('x', Time(0), Time(100))}", ignoreLineEndingDifferences: true);
    }
}
