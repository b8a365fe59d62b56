namespace IoT.Cep.CoapTests;

/// <summary>What one identity may ask, over every kind of connection.</summary>
public class CoapLimitTests
{
    private const string Udp = "coap", Dtls = "coaps", Tcp = "coap+tcp", Tls = "coaps+tcp";

    public static TheoryData<string> All => [Udp, Dtls, Tcp, Tls];

    public static TheoryData<string> Sessions => [Dtls, Tcp, Tls];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Messages_beyond_the_rate_are_told_when_to_come_again(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MessagesPerSecond = 1, Burst = 2 });
        await using var running = await site.Connections.ListenAsync("in", new Collector());
        var client = await site.ConnectAsync();
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in")).Code);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in")).Code);
        var refused = await Guarded.PostAsync(client, "in");
        Assert.Equal((CoapCode.TooManyRequests, 1u), (refused.Code, refused.UInt(CoapOptionNumber.MaxAge)));
        Assert.Equal(1, site.Security.Refused(PrincipalLimit.Messages));
        site.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in")).Code);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Reading_counts_as_well(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MessagesPerSecond = 1, Burst = 1 });
        await using var sink = await site.Connections.OpenAsync(Coap.Resource<string>("state", Local.Utf8));
        await sink.WriteAsync("1");
        var client = await site.ConnectAsync();
        Assert.Equal("1", Pair.Text(await client.SendAsync(Pair.Request(CoapCode.Get, "state"), CancellationToken.None)));
        var refused = await client.SendAsync(Pair.Request(CoapCode.Get, "state"), CancellationToken.None);
        Assert.Equal((CoapCode.TooManyRequests, 1u), (refused.Code, refused.UInt(CoapOptionNumber.MaxAge)));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Paths_beyond_the_limit_are_refused_until_an_hour_has_passed(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MaxTopics = 1 });
        await using var running = await site.Connections.ListenAsync("in/{x}", new Collector());
        var client = await site.ConnectAsync();
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in/a")).Code);
        var refused = await Guarded.PostAsync(client, "in/b");
        Assert.Equal((CoapCode.TooManyRequests, 3600u), (refused.Code, refused.UInt(CoapOptionNumber.MaxAge)));
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in/a")).Code);
        site.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in/b")).Code);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_body_beyond_the_limit_is_too_large_in_one_message_and_in_blocks(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MaxPayloadBytes = 100 });
        var collector = new Collector();
        await using var running = await site.Connections.ListenAsync("in", collector);
        var client = await site.ConnectAsync();
        foreach (int length in new[] { 101, 3000 })
        {
            var refused = await Guarded.PostAsync(client, "in", new string('x', length));
            Assert.Equal((CoapCode.RequestEntityTooLarge, 100u), (refused.Code, refused.UInt(CoapOptionNumber.Size1)));
        }

        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in", new string('x', 100))).Code);
        Assert.Equal(100, (await collector.NextAsync()).Text.Length);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_is_not_acknowledged_yet_is_bounded(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MaxInFlight = 1 });
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var running = await site.Connections.ListenAsync("in", collector);
        var client = await site.ConnectAsync();
        var first = Guarded.PostAsync(client, "in");
        var received = await collector.NextAsync();
        var refused = await Guarded.PostAsync(client, "in");
        Assert.Equal((CoapCode.TooManyRequests, 2u), (refused.Code, refused.UInt(CoapOptionNumber.MaxAge)));
        received.Acknowledger!.Acknowledge(received.Delivery!);
        Assert.Equal(CoapCode.Changed, (await first).Code);
        var third = Guarded.PostAsync(client, "in");
        received = await collector.NextAsync();
        received.Acknowledger!.Acknowledge(received.Delivery!);
        Assert.Equal(CoapCode.Changed, (await third).Code);
    }

    [Theory]
    [InlineData(Dtls)]
    [InlineData(Tls)]
    public async Task Connections_of_one_identity_are_bounded(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits { MaxConnections = 1 });
        await using var running = await site.Connections.ListenAsync("in", new Collector());
        var first = await site.ConnectAsync();
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(first, "in")).Code);
        string refused = await Guarded.OutcomeAsync(async () => await Guarded.PostAsync(await site.ConnectAsync(), "in"));
        Assert.DoesNotContain("2.04", refused, StringComparison.Ordinal);
        Assert.Equal(1, site.Security.Refused(PrincipalLimit.Connections));
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(first, "in")).Code);
        await site.CloseFirstAsync();
        await Guarded.UntilAsync(() => site.Security.Admitted == 0);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(await site.ConnectAsync(), "in")).Code);
    }

    [Fact]
    public async Task A_connection_that_is_refused_is_told_why()
    {
        await using var site = new Guarded(Tls, new PrincipalLimits { MaxConnections = 1 });
        await using var running = await site.Connections.ListenAsync("in", new Collector());
        await site.ConnectAsync();
        string refused = await Guarded.OutcomeAsync(async () => await Guarded.PostAsync(await site.ConnectAsync(), "in"));
        Assert.Contains("There are too many connections of yours.", refused, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Sessions))]
    public async Task Who_may_not_connect_gets_no_session(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits(), (_, action, _) => new(action != AccessAction.Connect));
        var collector = new Collector();
        await using var running = await site.Connections.ListenAsync("in", collector);
        string refused = await Guarded.OutcomeAsync(async () => await Guarded.PostAsync(await site.ConnectAsync(), "in"));
        Assert.DoesNotContain("2.04", refused, StringComparison.Ordinal);
        Assert.True(collector.IsEmpty);
        Assert.Equal(0, site.Security.Admitted);
    }

    [Theory]
    [MemberData(nameof(Sessions))]
    public async Task A_revoked_identity_loses_its_sessions_and_observations_at_once(string scheme)
    {
        bool isWelcome = true;
        await using var site = new Guarded(scheme, new PrincipalLimits(), (_, _, _) => new(Volatile.Read(ref isWelcome)));
        await using var running = await site.Connections.ListenAsync("in", new Collector());
        await using var state = await site.Connections.OpenAsync(Coap.Resource<string>("state", Local.Utf8));
        await state.WriteAsync("1");
        var observed = new Collector();
        await using var observing = await site.Connections.ObserveAsync(site.Uri("state"), observed);
        await observed.NextAsync();
        var client = await site.ConnectAsync();
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in")).Code);
        Assert.Equal(2, site.Security.Admitted);

        Volatile.Write(ref isWelcome, false);
        site.Security.Revoke(site.Name);
        await Guarded.UntilAsync(() => site.Security.Admitted == 0);
        await observed.UntilAsync(connected: false);
        await state.WriteAsync("2");
        Assert.DoesNotContain("2.04", await Guarded.OutcomeAsync(() => Guarded.PostAsync(client, "in")), StringComparison.Ordinal);
        Assert.True(observed.IsEmpty);

        Volatile.Write(ref isWelcome, true);
        site.Security.Revoke(site.Name);
        Assert.Equal("2", (await observed.NextAsync()).Text);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(await site.ConnectAsync(), "in")).Code);
    }

    [Fact]
    public async Task Over_plain_UDP_observers_are_told_that_they_have_to_ask_again()
    {
        bool isWelcome = true;
        await using var site = new Guarded(Udp, new PrincipalLimits(), (_, _, _) => new(Volatile.Read(ref isWelcome)));
        await using var state = await site.Connections.OpenAsync(Coap.Resource<string>("state", Local.Utf8));
        await state.WriteAsync("1");
        var observed = new Collector();
        await using var observing = await site.Connections.ObserveAsync(site.Uri("state"), observed);
        await observed.NextAsync();
        Volatile.Write(ref isWelcome, false);
        site.Security.Revoke("anonymous");
        Assert.Contains("4.03", await observed.UntilAsync(connected: false), StringComparison.Ordinal);
        await state.WriteAsync("2");
        Assert.True(observed.IsEmpty);
    }

    [Fact]
    public async Task A_session_ends_with_its_certificate()
    {
        await using var site = new Guarded(Tls, new PrincipalLimits(), expiry: TimeSpan.FromMinutes(5));
        await using var running = await site.Connections.ListenAsync("in", new Collector());
        var client = await site.ConnectAsync();
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "in")).Code);
        site.Clock.Advance(TimeSpan.FromMinutes(5));
        await Guarded.UntilAsync(() => site.Security.Admitted == 0);
        Assert.DoesNotContain("2.04", await Guarded.OutcomeAsync(() => Guarded.PostAsync(client, "in")), StringComparison.Ordinal);
    }
}
