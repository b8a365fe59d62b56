using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class ExplainTests
{
    [Fact]
    public void One_shard_is_one_line() => Assert.Equal(
        """
        query test
           3  [ingress]  Input  -> 2
           2  [ingress]  Where r => r.Value > 0  -> 1
           1  [ingress]  Window tumbling 00:00:10 by r => r.Key: w => w.Count()  -> 0
           0  [ingress]  Collect

        """, Explain(1, s => s.Where(r => r.Value > 0).KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Count())));

    [Fact]
    public void Several_shards_are_an_exchange_and_a_gathering() => Assert.Equal(
        """
        query test
           6  [ingress]  Input  -> 5
           5  [ingress]  Exchange by r => r.Key over 3 shards  -> 2, 3, 4
           4  [shard 2]  Window tumbling 00:00:10 by r => r.Key: w => w.Count()  -> 1
           3  [shard 1]  Window tumbling 00:00:10 by r => r.Key: w => w.Count()  -> 1
           2  [shard 0]  Window tumbling 00:00:10 by r => r.Key: w => w.Count()  -> 1
           1  [gather 1]  Gather shards in order of time  -> 0
           0  [gather 1]  Collect

        """, Explain(3, s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Count())));

    [Fact]
    public void Stream_without_a_key_is_all_its_events() => Assert.Equal(
        """
        query test
           4  [ingress]  Input  -> 3
           3  [ingress]  Sample 00:00:05 over all events  -> 2
           2  [ingress]  Window tumbling 00:00:10 over all events: w => w.Last(r => r.Value)  -> 1
           1  [ingress]  Match first (x => x > 1) over all events, as runs: there is no Within  -> 0
           0  [ingress]  Collect

        """, Explain(1, s => s.Sample(Seconds(5)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Last(r => r.Value)).Match(Pattern.Begin<double>(out var first, x => x > 1))));

    [Fact]
    public void Stream_without_a_key_goes_to_one_shard() => Assert.Contains(
        "Exchange, all events to one of 3 shards  -> 2, 3, 4", Explain(3, s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Count())), StringComparison.Ordinal);

    [Fact]
    public void Inputs_of_a_union_lead_to_the_union() => Assert.Equal(
        """
        query test
           5  [ingress]  Input  -> 4
           4  [ingress]  Where r => r.Value > 1  -> 1
           3  [ingress]  Input  -> 2
           2  [ingress]  Where r => r.Value < 0  -> 1
           1  [ingress]  Union  -> 0
           0  [ingress]  Collect

        """, Explain(1, s => s.Where(r => r.Value < 0).Union(s.Where(r => r.Value > 1))));

    [Fact]
    public void Operators_behind_a_gathering_run_where_it_does() => Assert.Equal(
        ["gather 1", "gather 1", "gather 1", "gather 1"], Stages(2, s =>
        {
            var windows = s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)));
            return windows.Select(w => w.Count()).Union(windows.Select(w => -w.Count()).Where(c => c < 0));
        }, text => text.StartsWith("Gather", StringComparison.Ordinal) || text is "Union" or "Where c => c < 0"));

    [Fact]
    public void Mermaid_has_a_box_for_each_stage() => Assert.Equal(
        """
        flowchart LR
          subgraph ingress ["ingress"]
            n2["Input"]
            n1["Select r => $&quot;{r}&quot;"]
            n0["Collect"]
          end
          n2 --> n1
          n1 --> n0

        """, Run(1, s => s.Select(r => $"{r}"), plan => plan.ExplainMermaid()));

    [Fact]
    public void Name_replaces_the_kind_of_the_operator() => Assert.Contains(
        "hot", Run(1, s => s.Where(r => r.Value > 0).Named("hot"), plan => string.Join(' ', plan.Operators.Select(o => o.Info!.Name))), StringComparison.Ordinal);

    [Fact]
    public void Name_leaves_the_stream_keyed()
    {
        IKeyedStream<string, Reading> named = new Input<Reading>().ToStream().KeyBy(r => r.Key).Debounce(Seconds(1)).Named("quiet");
        Assert.Equal(("quiet", "r => r.Key"), (named.Node.Name, named.Key.Text));
    }

    private static string Explain<TResult>(int shards, Func<IEventStream<Reading>, IEventStream<TResult>> query) =>
        Run(shards, query, plan => plan.Explain());

    private static string[] Stages<TResult>(
        int shards, Func<IEventStream<Reading>, IEventStream<TResult>> query, Func<string, bool> which) =>
        Run(shards, query, plan => plan.Operators.Select(o => o.Info!).Where(i => which(i.Text)).Select(i => i.Stage).ToArray());

    private static TOut Run<TResult, TOut>(int shards, Func<IEventStream<Reading>, IEventStream<TResult>> query, Func<Plan, TOut> look)
    {
        var input = new Input<Reading>();
        using var run = new PlanRun<Reading, TResult>(input, query(input.ToStream()).Node, shards);
        return look(run.Plan);
    }
}
