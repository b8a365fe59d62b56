using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class DeduplicateTests
{
    [Fact]
    public void Second_event_of_an_id_is_left_out_until_its_time_has_passed() =>
        Timeline.Of<double>().At(1, 7).At(2, 8).At(3, 7).At(10.999, 7).At(11, 7).At(12, 7).Watermark(20)
            .Through(s => s.Deduplicate(x => x, within: Seconds(10)))
            .Expect((1, 7), (2, 8), (11, 7));

    [Fact]
    public void Ids_are_those_of_a_key() =>
        Timeline.Keyed().At(1, "a", 7).At(2, "b", 7).At(3, "a", 7).At(4, "b", 8).Watermark(4)
            .Through(s => s.KeyBy(r => r.Key).Deduplicate(r => r.Value, within: Seconds(10)))
            .Expect((1, new("a", 7)), (2, new("b", 7)), (4, new("b", 8)));

    [Fact]
    public void The_earlier_in_time_is_kept_whichever_came_first() =>
        Timeline.Keyed().At(3, "a", 7).At(2, "a", 7).Watermark(3)
            .Through(s => s.KeyBy(r => r.Key).Deduplicate(r => r.Value, within: Seconds(10)))
            .Expect((2, new("a", 7)));

    [Fact]
    public void Duplicate_does_not_prolong_the_time() =>
        Timeline.Of<double>().At(0, 7).At(8, 7).At(16, 7).At(24, 7).Watermark(24)
            .Through(s => s.Deduplicate(x => x, within: Seconds(10)))
            .Expect((0, 7), (16, 7));

    [Fact]
    public void Oldest_id_is_forgotten_at_the_limit_and_counted()
    {
        var (results, query, _) = Overflow(DeduplicateOverflow.ForgetOldest, ErrorPolicy.Stop);
        Assert.Equal([1.0, 2, 3, 1], results);
        Assert.Equal(2, query.ForgottenIds);
    }

    [Fact]
    public void One_id_more_than_allowed_fails_where_that_was_asked_for()
    {
        var (results, query, letters) = Overflow(DeduplicateOverflow.Fail, ErrorPolicy.Skip);
        Assert.Equal([1.0, 2], results);
        Assert.Equal(["3"], letters);
        Assert.Equal(0, query.ForgottenIds);
    }

    [Fact]
    public void Failure_at_the_limit_names_the_limit_of_ids()
    {
        Assert.Contains("1 ids at a time. Raise the limit with maxIds", ErrorOf(s => s
            .KeyBy(r => r.Key, maxKeys: 7).Deduplicate(r => r.Value, Seconds(10), maxIds: 1, DeduplicateOverflow.Fail)), StringComparison.Ordinal);
        Assert.Contains("KeyBy(..., maxKeys", ErrorOf(s => s.KeyBy(r => r.Value, maxKeys: 1).AtMostOncePer(Seconds(10))), StringComparison.Ordinal);

        static string ErrorOf(Func<IEventStream<Reading>, IEventStream<Reading>> query)
        {
            var input = new Input<Reading>();
            using var run = new PlanRun<Reading, Reading>(input, query(input.ToStream()).Node, shards: 1);
            run.Push([new("a", 1), new("a", 2)], [1, 2]);
            run.Complete();
            return run.Sink.Error!.InnerException!.Message;
        }
    }

    [Fact]
    public void Ids_are_released_when_their_time_has_passed()
    {
        var input = new Input<double>();
        using var run = new PlanRun<double, double>(input, input.ToStream().Deduplicate(x => x, Seconds(1), maxIds: 10).Node, 1);
        for (int i = 0; i < 1000; i++)
        {
            run.Push([i], [TicksAt(i * 0.1)]);
        }

        run.Advance(TicksAt(99.9));
        var ids = run.Plan.Operators.OfType<DeduplicateOperator<double, Unit, double>>().Single();
        Assert.Equal((1000, 10, 0), (run.Sink.Results.Count, ids.Ids, run.Sink.Query.ForgottenIds));
        run.Advance(TicksAt(101));
        Assert.Equal(0, ids.Ids);
    }

    [Fact]
    public void Wrong_limits_are_refused()
    {
        var stream = new Input<double>().ToStream();
        Assert.Equal("within", Assert.Throws<ArgumentOutOfRangeException>(() => stream.Deduplicate(x => x, TimeSpan.Zero)).ParamName);
        Assert.Equal("maxIds", Assert.Throws<ArgumentOutOfRangeException>(() => stream.Deduplicate(x => x, Seconds(1), maxIds: 0)).ParamName);
        Assert.Equal("whenFull", Assert.Throws<ArgumentOutOfRangeException>(() => stream.Deduplicate(x => x, Seconds(1), 1, (DeduplicateOverflow)9)).ParamName);
    }

    private static (double[] Results, QueryContext Query, List<string> Letters) Overflow(DeduplicateOverflow whenFull, ErrorPolicy policy)
    {
        var input = new Input<double>();
        using var run = new PlanRun<double, double>(input, input.ToStream().Deduplicate(x => x, Seconds(100), maxIds: 2, whenFull).Node, 1, policy);
        run.Push([1, 2, 2, 3, 1], [1, 2, 3, 4, 5]);
        run.Complete();
        return ([.. run.Sink.Results.Select(row => row.Value)], run.Sink.Query, run.DeadLetters);
    }
}
