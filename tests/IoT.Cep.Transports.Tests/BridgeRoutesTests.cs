using IoT.Cep.Extensibility;

namespace IoT.Cep;

[Trait("Requirement", "R68")]
public sealed class BridgeRoutesTests
{
    private readonly Observed<Message> _alarms = new(), _raw = new(), _rest = new();

    [Fact]
    public async Task The_first_route_that_takes_a_message_passes_it_on_filtered_mapped_and_changed()
    {
        await using var engine = new CepEngine();
        var routed = Bridge(engine, routes => routes
            .When(m => m.Text.StartsWith('!'), _alarms, b =>
            {
                b.Map("plant/{*rest}", "alarms/{rest}").Where = m => m.Text != "!test";
                b.Transform = m => m with { Body = m.Body[1..] };
            })
            .When(m => m.Topic.EndsWith("/raw", StringComparison.Ordinal), _raw)
            .Else(_rest));
        await engine.RunAsync();

        Assert.Equal(["alarms/1/temp=hot", "alarms/1/raw=fire"], Texts(_alarms));
        Assert.Equal(["plant/2/raw=xyz"], Texts(_raw));
        Assert.Equal(["plant/3/hum=40"], Texts(_rest));
        Assert.Equal([(2, 1), (1, 0), (1, 0)], routed.Routes.Select(r => (r.Passed, r.Filtered)));
        Assert.Equal((1, 0), (routed.Unrouted, engine.DeadLetters.Count));
    }

    [Fact]
    public async Task All_routes_that_take_a_message_pass_it_on_where_that_is_asked_for()
    {
        await using var engine = new CepEngine();
        Bridge(engine, routes =>
        {
            routes.TakeAll = true;
            routes.When(m => m.Text.StartsWith('!'), _alarms).When(m => m.Topic.EndsWith("/raw", StringComparison.Ordinal), _raw).ElseDrop();
        });
        await engine.RunAsync();

        Assert.Equal(["plant/1/temp=!hot", "plant/1/raw=!fire", "plant/4/temp=!test"], Texts(_alarms));
        Assert.Equal(["plant/1/raw=!fire", "plant/2/raw=xyz"], Texts(_raw));
        Assert.Equal(0, engine.DeadLetters.Count);
    }

    [Fact]
    public async Task What_no_route_takes_is_a_dead_letter_that_says_so()
    {
        await using var engine = new CepEngine();
        var routed = Bridge(engine, routes => routes.When(m => m.Text.StartsWith('!'), _alarms));
        await engine.RunAsync();

        Assert.Equal(2, routed.Unrouted);
        Assert.Equal(["plant/2/raw", "plant/3/hum"], engine.DeadLetters.Latest.Select(d => d.Detail.Split('\'')[1]));
        Assert.All(engine.DeadLetters.Latest, d => Assert.Equal((DeadLetterReason.QueryError, true), (d.Reason, d.Detail.Contains("No route takes", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_condition_that_throws_makes_one_dead_letter_and_lets_no_route_have_the_message(bool all)
    {
        await using var engine = new CepEngine();
        Bridge(engine, routes =>
        {
            routes.TakeAll = all;
            routes.When(m => m.Topic == "plant/1/raw", _alarms).When(m => m.Text == "xyz" ? throw new FormatException("odd") : m.Text == "40", _raw).Else(_rest);
        });
        await engine.RunAsync();

        Assert.Equal(["plant/1/raw=!fire"], Texts(_alarms));
        Assert.Equal(["plant/3/hum=40"], Texts(_raw));
        Assert.Equal(["plant/1/temp=!hot", "plant/4/temp=!test"], Texts(_rest));
        Assert.Contains("odd", Assert.Single(engine.DeadLetters.Latest).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Routes_that_cannot_work_are_refused()
    {
        await using var engine = new CepEngine();
        Assert.Throws<ArgumentException>(() => Bridge(engine, _ => { }));
        Assert.Throws<InvalidOperationException>(() => new BridgeRoutes().Else(_rest).ElseDrop());
    }

    private static RoutedBridge Bridge(CepEngine engine, Action<BridgeRoutes> routes)
    {
        Message[] messages = [Of("plant/1/temp", "!hot"), Of("plant/1/raw", "!fire"), Of("plant/2/raw", "xyz"), Of("plant/3/hum", "40"), Of("plant/4/temp", "!test")];
        return engine.Bridge(Source.FromMemory<Message>(messages, new long[messages.Length]), routes);
    }

    private static Message Of(string topic, string text) => new(topic, System.Text.Encoding.UTF8.GetBytes(text));

    private static IEnumerable<string> Texts(Observed<Message> sink) => sink.Results.Select(m => $"{m.Topic}={m.Text}");
}
