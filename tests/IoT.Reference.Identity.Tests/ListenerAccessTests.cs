using System.Net;
using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

public sealed class ListenerAccessTests
{
    private static readonly ClientCredentials _here = new(IPAddress.Loopback, false);

    [Fact]
    [Trait("Requirement", "R67")]
    [Trait("Requirement", "R37")]
    public async Task A_listener_asks_for_each_connect_publish_and_subscribe()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await AccessPointTests.StartAsync(issuer);
        var security = access.ForListeners();
        issuer.Secrets["d1:right"] = new VerifiedSubject("d1", SubjectKind.Device, [Scopes.UseBus], []);
        issuer.Permit("d1", Actions.Connect, Resources.Bus);
        issuer.Permit("d1", Actions.Publish, "device:d1");
        issuer.Permit("d1", Actions.Subscribe, "device:d1");

        using var byPassword = await security.AdmitAsync(_here with { UserName = "d1", Password = "right" }, "any-client-id");
        using var byToken = await security.AdmitAsync(_here with { Token = issuer.Token("d1", kind: SubjectKind.Device) }, "any-client-id");
        using var wrong = await security.AdmitAsync(_here with { UserName = "d1", Password = "wrong" }, "any-client-id");

        Assert.True(byPassword.IsAdmitted && byToken.IsAdmitted);
        Assert.Equal(AdmissionRefusal.NotAuthenticated, wrong.Refusal);
        Assert.True(await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "t/d1"));
        Assert.True(await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "/t/d1"));
        Assert.True(await security.AuthorizeAsync(byToken.Identity, AccessAction.Subscribe, "commands/d1"));
        Assert.False(await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "t/d2"));
        Assert.False(await security.AuthorizeAsync(byToken.Identity, AccessAction.Subscribe, "commands/+"));
        Assert.False(await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "audit/bus"));
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task Who_is_revoked_has_to_go_and_others_stay()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await AccessPointTests.StartAsync(issuer);
        var security = access.ForListeners();
        issuer.Permit("d1", Actions.Connect, Resources.Bus);
        issuer.Permit("d2", Actions.Connect, Resources.Bus);
        using var first = await security.AdmitAsync(_here with { Token = issuer.Token("d1") }, "c1");
        using var second = await security.AdmitAsync(_here with { Token = issuer.Token("d2") }, "c2");

        issuer.Tell(ChangeKinds.Revoked, "d1", TimeProvider.System.GetUtcNow().AddSeconds(1));
        await Wait.Until(() => first.HasEnded);

        Assert.False(second.HasEnded);
        using var again = await security.AdmitAsync(_here with { Token = issuer.Token("d1") }, "c1");
        Assert.Equal(AdmissionRefusal.NotAuthenticated, again.Refusal);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task A_subscription_that_a_changed_policy_refuses_ends()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await AccessPointTests.StartAsync(issuer);
        var security = access.ForListeners();
        issuer.Permit("app", Actions.Connect, Resources.Bus);
        issuer.Permit("app", Actions.Subscribe, "device:d1");
        using var admission = await security.AdmitAsync(_here with { Token = issuer.Token("app", kind: SubjectKind.App) }, "c1");
        Assert.True(await security.AuthorizeAsync(admission.Identity, AccessAction.Subscribe, "t/d1"));

        issuer.Permit("app", Actions.Subscribe, "device:d1", false);
        issuer.Tell(ChangeKinds.Policy, "apps");
        await Wait.Until(() => admission.HasEnded);
    }

    [Theory]
    [InlineData("t/d1", "device:d1")]
    [InlineData("/commands/d1", "device:d1")]
    [InlineData("t/+", "device:*")]
    [InlineData("t/#", "device:*")]
    [InlineData("#", "topic:#")]
    [InlineData("+/d1", "topic:+/d1")]
    [InlineData("t/D1", "topic:t/D1")]
    [InlineData("t/d1/more", "topic:t/d1/more")]
    [InlineData("audit/bus", "topic:audit/bus")]
    public void A_topic_is_the_device_that_it_names_and_else_itself(string topic, string resource) => Assert.Equal(resource, BusResources.Of(topic));
}
