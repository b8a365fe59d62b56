using System.Net;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class ListenerSecurityTests
{
    private static readonly ClientCredentials _local = new(IPAddress.Loopback, IsEncrypted: false), _remote = new(IPAddress.Parse("192.0.2.1"), IsEncrypted: true);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task Without_settings_this_machine_may_do_everything_and_others_nothing()
    {
        var security = ListenerSecurity.LoopbackOnly;
        Assert.Same(Identity.Anonymous, await security.AuthenticateAsync(_local));
        Assert.Null(await security.AuthenticateAsync(_remote));
        Assert.Null(await security.AuthenticateAsync(new ClientCredentials(null, IsEncrypted: true)));
        Assert.Throws<InvalidOperationException>(() => security.ThrowIfUnsafe("test", IPAddress.Any, isEncrypted: true));
        security.ThrowIfUnsafe("test", IPAddress.IPv6Loopback, isEncrypted: false);
    }

    [Theory]
    [InlineData(true, false, false, "Authorize")]
    [InlineData(true, true, false, "clear text")]
    [InlineData(false, true, true, "nothing proves")]
    public void An_address_that_others_reach_needs_proof_permission_and_encryption(bool proves, bool authorizes, bool encrypted, string problem)
    {
        var security = new ListenerSecurity
        {
            Password = proves ? (_, _) => default : null,
            Authorize = authorizes ? (_, _, _) => new ValueTask<bool>(true) : null,
        };
        var error = Assert.Throws<InvalidOperationException>(() => security.ThrowIfUnsafe("test", IPAddress.Any, encrypted));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_over_an_open_network_is_not_even_looked_at()
    {
        int asked = 0;
        var security = new ListenerSecurity { Password = (user, _) => { asked++; return new(new Identity(user, AuthenticationMethod.Password)); } };
        var credentials = new ClientCredentials(IPAddress.Parse("192.0.2.1"), IsEncrypted: false) { UserName = "a", Password = "b" };
        Assert.Null(await security.AuthenticateAsync(credentials));
        Assert.Equal(0, asked);
        Assert.NotNull(await security.AuthenticateAsync(credentials with { IsEncrypted = true }));
        Assert.DoesNotContain("hunter2", (credentials with { Password = "hunter2", Token = "hunter2" }).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_that_fails_lets_nobody_in()
    {
        var security = new ListenerSecurity
        {
            Password = (_, _) => throw new InvalidOperationException("store down"),
            Authorize = (_, _, _) => throw new InvalidOperationException("policy down"),
        };
        Assert.Null(await security.AuthenticateAsync(_local with { UserName = "a", Password = "b" }));
        Assert.False(await security.AuthorizeAsync(Identity.Anonymous, AccessAction.Publish, "a"));
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task A_decision_is_remembered_for_a_short_time_and_no_longer_than_until_it_is_revoked()
    {
        int asked = 0;
        bool answer = true;
        var security = Security(o => (_, _, _) => { asked++; return new(answer); });
        var who = new Identity("a", AuthenticationMethod.Token);
        Assert.True(await security.AuthorizeAsync(who, AccessAction.Publish, "t"));
        answer = false;
        Assert.True(await security.AuthorizeAsync(who, AccessAction.Publish, "t"));
        Assert.False(await security.AuthorizeAsync(who, AccessAction.Subscribe, "t"));
        Assert.False(await security.AuthorizeAsync(new Identity("a", AuthenticationMethod.Token), AccessAction.Publish, "t"));
        Assert.Equal(3, asked);

        security.Revoke("a");
        Assert.False(await security.AuthorizeAsync(who, AccessAction.Publish, "t"));
        answer = true;
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(await security.AuthorizeAsync(who, AccessAction.Publish, "t"));
    }

    [Fact]
    public async Task A_decision_that_was_asked_for_before_a_revocation_is_not_remembered()
    {
        var answers = new TaskCompletionSource<bool>();
        int asked = 0;
        var security = Security(_ => (_, _, _) => asked++ == 0 ? new ValueTask<bool>(answers.Task) : new ValueTask<bool>(false));
        var who = new Identity("a", AuthenticationMethod.Token);
        var first = security.AuthorizeAsync(who, AccessAction.Publish, "t");
        security.Revoke("a");
        answers.SetResult(true);
        await first;
        Assert.False(await security.AuthorizeAsync(who, AccessAction.Publish, "t"));
    }

    [Fact]
    public async Task Many_resources_do_not_make_the_memory_of_decisions_grow()
    {
        var decisions = new Decisions(100, TimeSpan.FromSeconds(10), _time);
        var who = new Identity("a", AuthenticationMethod.Token);
        for (int i = 0; i < 1_000; i++)
        {
            decisions.Keep(who, AccessAction.Publish, $"{i}", isAllowed: true, decisions.Generation);
        }

        Assert.InRange(Enumerable.Range(0, 1_000).Count(i => decisions.Find(who, AccessAction.Publish, $"{i}") is true), 50, 100);
        Assert.True(decisions.Find(who, AccessAction.Publish, "999"));
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_revoked_identity_has_to_go_and_others_stay()
    {
        var security = Security(_ => (_, _, _) => new ValueTask<bool>(true));
        using var one = await security.AdmitAsync(_local with { Token = "a" }, "one");
        using var other = await security.AdmitAsync(_local with { Token = "b" }, "other");
        string? told = null;
        security.Revoked += name => told = name;
        var ended = new TaskCompletionSource();
        one.Ended.Register(ended.SetResult);

        security.Revoke("a");
        await ended.Task.WaitAsync(Collector.Patience);
        Assert.True(one.HasEnded);
        Assert.False(other.HasEnded);
        Assert.Equal("a", told);
        one.Dispose();
        Assert.Equal(1, security.Admitted);
    }

    [Fact]
    public async Task A_client_that_proved_itself_while_it_was_revoked_proves_itself_again()
    {
        bool isValid = true;
        ListenerSecurity security = null!;
        security = new ListenerSecurity
        {
            TimeProvider = _time,
            Token = name =>
            {
                var identity = isValid ? new Identity(name, AuthenticationMethod.Token) : null;
                isValid = false;
                security.Revoke(name);
                return new(identity);
            },
        };
        using var admission = await security.AdmitAsync(_local with { Token = "a" }, "one");
        Assert.Equal(AdmissionRefusal.NotAuthenticated, admission.Refusal);
        Assert.Equal(0, security.Admitted);
    }

    [Fact]
    public async Task A_connection_ends_when_the_proof_ends()
    {
        var security = new ListenerSecurity { TimeProvider = _time, Token = name => new(new Identity(name, AuthenticationMethod.Token, expires: _time.GetUtcNow().AddSeconds(60))) };
        using var admission = await security.AdmitAsync(_local with { Token = "a" }, "one");
        var ended = new TaskCompletionSource();
        admission.Ended.Register(ended.SetResult);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(admission.HasEnded);
        Assert.True(await security.AuthorizeAsync(admission.Identity, AccessAction.Publish, "t"));
        _time.Advance(TimeSpan.FromSeconds(1));
        await ended.Task.WaitAsync(Collector.Patience);
        Assert.False(await security.AuthorizeAsync(admission.Identity, AccessAction.Publish, "t"));
    }

    [Fact]
    public async Task Who_may_not_connect_or_has_too_many_connections_is_refused_by_name()
    {
        var security = new ListenerSecurity
        {
            TimeProvider = _time,
            Token = name => new(new Identity(name, AuthenticationMethod.Token)),
            Authorize = (who, action, resource) => new(action == AccessAction.Connect && who.Name == resource),
            Limits = new PrincipalLimits { MaxConnections = 2 },
        };
        Assert.Equal(AdmissionRefusal.NotAuthorized, (await security.AdmitAsync(_local with { Token = "a" }, "b")).Refusal);
        Assert.Equal(AdmissionRefusal.NotAuthenticated, (await security.AdmitAsync(_local, "a")).Refusal);
        var first = await security.AdmitAsync(_local with { Token = "a" }, "a");
        using var second = await security.AdmitAsync(_local with { Token = "a" }, "a");
        Assert.Equal(AdmissionRefusal.TooManyConnections, (await security.AdmitAsync(_local with { Token = "a" }, "a")).Refusal);
        first.Dispose();
        using var third = await security.AdmitAsync(_local with { Token = "a" }, "a");
        Assert.True(third.IsAdmitted);
        Assert.Equal(1, security.Refused(PrincipalLimit.Connections));
    }

    [Fact]
    public void A_device_speaks_for_itself_and_a_gateway_for_those_behind_it()
    {
        var security = new ListenerSecurity { DevicePlace = "device" };
        var template = TopicTemplate.Parse("plant/{line}/{device}/data");
        var gateway = new Identity("gw", AuthenticationMethod.Certificate, ["s1"]);
        Assert.True(security.MaySpeakFor(gateway, template, "plant/1/s1/data"));
        Assert.True(security.MaySpeakFor(gateway, template, "plant/1/gw/data"));
        Assert.False(security.MaySpeakFor(gateway, template, "plant/1/s2/data"));
        Assert.False(security.MaySpeakFor(gateway, template, "else/1/s1/data"));
    }

    [Theory]
    [InlineData("plant/1/s1/data", true)]
    [InlineData("plant/+/s1/data", true)]
    [InlineData("plant/+/s1/#", true)]
    [InlineData("plant/1/s1/+", true)]
    [InlineData("plant/1/s2/data", false)]
    [InlineData("plant/+/+/data", false)]
    [InlineData("plant/#", false)]
    [InlineData("+/+/+/+", false)]
    [InlineData("#", false)]
    [InlineData("else/s1", false)]
    [InlineData("commands/gw/#", true)]
    [InlineData("commands/gw", true)]
    [InlineData("commands/s1/reset/now", true)]
    [InlineData("commands/s9/reset", false)]
    [InlineData("commands/#", false)]
    [InlineData("+/s1/#", false)]
    public void A_filter_takes_no_more_than_the_devices_that_the_identity_speaks_for(string filter, bool isAllowed)
    {
        var security = new ListenerSecurity { DevicePlace = "device" };
        TopicTemplate[] templates = [TopicTemplate.Parse("plant/{line}/{device}/data"), TopicTemplate.Parse("commands/{device}/{*rest}"), TopicTemplate.Parse("commands/{device}")];
        Assert.Equal(isAllowed, security.MayReceive(new Identity("gw", AuthenticationMethod.Certificate, ["s1"]), templates, filter));
        Assert.True(security.MayReceive(Identity.Anonymous, templates, filter));
    }

    [Theory]
    [InlineData("plant/1/s1/data", true)]
    [InlineData("plant/1/s2/data", false)]
    [InlineData("elsewhere", false)]
    public void A_topic_belongs_to_the_device_that_it_names_and_an_unknown_one_to_nobody(string topic, bool isAllowed)
    {
        var security = new ListenerSecurity { DevicePlace = "device" };
        TopicTemplate[] templates = [TopicTemplate.Parse("#"), TopicTemplate.Parse("plant/{line}/{device}/data")];
        Assert.Equal(isAllowed, security.MaySend(new Identity("s1", AuthenticationMethod.Certificate), templates, topic));
    }

    private ListenerSecurity Security(Func<int, Authorize> authorize) => new()
    {
        TimeProvider = _time,
        Token = name => new(new Identity(name, AuthenticationMethod.Token)),
        Authorize = authorize(0),
    };
}
