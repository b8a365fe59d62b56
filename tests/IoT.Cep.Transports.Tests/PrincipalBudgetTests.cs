using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class PrincipalBudgetTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Identity _who = new("a", AuthenticationMethod.Token);

    [Theory]
    [InlineData(1, 2)]
    [InlineData(3, 5)]
    [InlineData(7, 20)]
    [InlineData(9_999, 10_000)]
    public void The_rate_is_exact_over_any_steps_of_time(int perSecond, int burst)
    {
        var budget = Budget(new PrincipalLimits { MessagesPerSecond = perSecond, Burst = burst });
        var random = new Random(5);
        var start = _time.GetUtcNow();
        long taken = Drain(budget);
        Assert.Equal(burst, taken);
        while (_time.GetUtcNow() - start < TimeSpan.FromSeconds(20))
        {
            // Steps so small that the bucket never fills: nothing is lost at its rim.
            _time.Advance(TimeSpan.FromTicks(random.NextInt64(1, TimeSpan.TicksPerSecond * burst / perSecond / 2)));
            taken += Drain(budget);
            var elapsed = _time.GetUtcNow() - start;
            Assert.Equal(burst + (long)((Int128)elapsed.Ticks * perSecond / TimeSpan.TicksPerSecond), taken);
        }
    }

    [Fact]
    public void A_long_silence_fills_the_bucket_and_no_more()
    {
        var budget = Budget(new PrincipalLimits { MessagesPerSecond = 1_000_000, Burst = 3 });
        Assert.Equal(3, Drain(budget));
        _time.Advance(TimeSpan.FromDays(3_000));
        Assert.Equal(3, Drain(budget));
    }

    [Fact]
    public void The_wait_is_just_long_enough()
    {
        var budget = Budget(new PrincipalLimits { MessagesPerSecond = 3, Burst = 1 });
        Assert.True(budget.TryTakeMessage());
        Assert.False(budget.TryTakeMessage(out var wait));
        _time.Advance(wait - TimeSpan.FromTicks(1));
        Assert.False(budget.TryTakeMessage());
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.True(budget.TryTakeMessage());
    }

    [Fact]
    public void A_topic_counts_for_an_hour_after_its_last_use()
    {
        var budget = Budget(new PrincipalLimits { MaxTopics = 2 });
        Assert.True(budget.TryUseTopic("x") && budget.TryUseTopic("y") && budget.TryUseTopic("x") && !budget.TryUseTopic("z"));
        _time.Advance(TimeSpan.FromMinutes(30));
        Assert.True(budget.TryUseTopic("x") && !budget.TryUseTopic("z"));
        _time.Advance(TimeSpan.FromMinutes(30));
        Assert.True(budget.TryUseTopic("z"));
        Assert.False(budget.TryUseTopic("y"));
        Assert.True(budget.TryUseTopic("x"));
    }

    [Fact]
    public void Checks_of_known_topics_and_rates_allocate_nothing()
    {
        var budget = Budget(PrincipalLimits.Default);
        Assert.Equal(0, Enumerable.Range(0, 3).Min(_ => Allocated()));

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1_000; i++)
            {
                Use();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        void Use()
        {
            budget.TryTakeMessage(out _);
            budget.TryUseTopic("plant/line-1/temperature");
            budget.TryBeginMessage();
            budget.EndMessage();
        }
    }

    [Fact]
    public void One_identity_has_one_budget_and_a_full_table_refuses_new_ones_until_some_rest()
    {
        var security = new ListenerSecurity { TimeProvider = _time, MaxPrincipals = 2, Token = _ => default };
        var first = security.BudgetOf(_who)!;
        Assert.Same(first, security.BudgetOf(new Identity("a", AuthenticationMethod.Password)));
        Assert.NotNull(security.BudgetOf(new Identity("b", AuthenticationMethod.Token)));
        Assert.Null(security.BudgetOf(new Identity("c", AuthenticationMethod.Token)));
        Assert.True(first.TryBeginMessage());
        _time.Advance(TimeSpan.FromHours(1));
        Assert.NotNull(security.BudgetOf(new Identity("c", AuthenticationMethod.Token)));

        // What has a message under way is not forgotten.
        Assert.Same(first, security.BudgetOf(_who));
    }

    [Fact]
    public void In_flight_messages_are_bounded()
    {
        var budget = Budget(new PrincipalLimits { MaxInFlight = 2 });
        Assert.True(budget.TryBeginMessage() && budget.TryBeginMessage() && !budget.TryBeginMessage());
        budget.EndMessage();
        Assert.True(budget.TryBeginMessage());
        Assert.Equal(2, budget.InFlight);
    }

    [Fact]
    public void Different_topics_have_different_hashes()
    {
        var hashes = new HashSet<ulong>();
        for (int i = 0; i < 100_000; i++)
        {
            Assert.True(hashes.Add(KeyedHash.Of($"plant/{i}")));
        }

        foreach (string text in new[] { "", "\0", "\0\0", "a", "a\0", "\0a", "abcd", "abcd\0" })
        {
            Assert.True(hashes.Add(KeyedHash.Of(text)));
        }
    }

    private static long Drain(PrincipalBudget budget)
    {
        long taken = 0;
        while (budget.TryTakeMessage())
        {
            taken++;
        }

        return taken;
    }

    private PrincipalBudget Budget(PrincipalLimits limits) => new ListenerSecurity { TimeProvider = _time, Limits = limits, Token = _ => default }.BudgetOf(_who)!;
}
