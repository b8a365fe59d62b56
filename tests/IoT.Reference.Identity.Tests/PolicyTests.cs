using System.Net;
using System.Net.Http.Json;
using IoT.Cep;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Identity;

public sealed class PolicyTests
{
    private static readonly Subject _alice = new("alice", SubjectKind.Person, Scopes.OfPeople), _bob = new("bob", SubjectKind.Person, Scopes.OfPeople);

    [Fact]
    [Trait("Requirement", "R10")]
    [Trait("Requirement", "R39")]
    public async Task The_first_policies_say_who_may_do_what()
    {
        await using var site = await RunningIdentity.StartAsync();
        await site.PutResourceAsync("d1", new ResourceFacts("alice", "gw-1"));
        await site.PutResourceAsync("d2", new ResourceFacts("bob", Locked: true));
        Subject device = new("d1", SubjectKind.Device, [Scopes.UseBus]), other = new("d9", SubjectKind.Device, [Scopes.UseBus]), gateway = new("gw-1", SubjectKind.Device, [Scopes.UseBus], null, ["@gw-1"]);
        Subject operations = new("olga", SubjectKind.Person, Scopes.OfPeople, [Roles.Operator]), admin = new("ada", SubjectKind.Person, Scopes.OfPeople, [Roles.Administrator]);
        Subject bus = new("bus", SubjectKind.Service, [Scopes.Decide, Scopes.RelayBus]);
        (Subject Subject, string Action, string Resource, bool IsPermitted)[] rows =
        [
            (_alice, Actions.Read, "device:d1", true), (_alice, Actions.Command, "device:d1", true), (_alice, Actions.Share, "device:d1", true),
            (_alice, Actions.Read, "device:d2", false), (_bob, Actions.Read, "device:d1", false), (_alice, Actions.Read, "device:unknown", false),
            (_alice with { Scopes = [Scopes.ReadReadings] }, Actions.Read, "device:d1", true), (_alice with { Scopes = [Scopes.ReadReadings] }, Actions.Command, "device:d1", false),
            (_alice, Actions.Publish, "device:d1", false), (_alice, Actions.Deploy, "query:q", false), (_alice, Actions.Read, "query:q", true), (_alice, Actions.Administer, Resources.Policies, false),
            (device, Actions.Connect, Resources.Bus, true), (device, Actions.Publish, "device:d1", true), (device, Actions.Subscribe, "device:d1", true), (device, Actions.Read, "device:d1", false),
            (device with { Scopes = [] }, Actions.Publish, "device:d1", false),
            (other, Actions.Publish, "device:d1", false), (other, Actions.Subscribe, "device:*", false), (other, Actions.Subscribe, "topic:#", false),
            (gateway, Actions.Publish, "device:d1", true), (gateway, Actions.Publish, "device:d2", false),
            (new Subject("d2", SubjectKind.Device, [Scopes.UseBus]), Actions.Connect, Resources.Bus, false), (new Subject("d2", SubjectKind.Device, [Scopes.UseBus]), Actions.Publish, "device:d2", false),
            (operations, Actions.Command, "device:d1", true), (operations, Actions.Deploy, "query:q", true), (operations, Actions.Administer, Resources.Jobs, true), (operations, Actions.Administer, Resources.Policies, false),
            (admin, Actions.Administer, Resources.Policies, true), (admin, Actions.Administer, Resources.People, true), (admin, Actions.Read, "device:d1", false),
            (bus, Actions.Publish, "device:d1", true), (bus, Actions.Subscribe, "device:*", true), (bus, Actions.Publish, "topic:audit/bus", true), (bus, Actions.Connect, Resources.Bus, true),
            (new Subject("portal", SubjectKind.Service, [Scopes.Decide]), Actions.Publish, "device:d1", false),
            (_alice, Actions.Manage, "person:alice", true), (_alice, Actions.Manage, "person:bob", false), (admin, Actions.Manage, "person:bob", true),
        ];
        var answers = await site.ReadAsync(
            HttpMethod.Post, "v1/decisions", await site.ServiceTokenAsync("bus"), WireJson.Default.DecisionArray,
            JsonContent.Create([.. rows.Select(r => new DecisionRequest(r.Subject, r.Action, r.Resource))], WireJson.Default.DecisionRequestArray));

        Assert.Empty(rows.Zip(answers).Where(p => p.First.IsPermitted != p.Second.Permitted).Select(p => $"{p.First.Subject.Id} {p.First.Action} {p.First.Resource} by {p.Second.Policy}"));
    }

    [Fact]
    [Trait("Requirement", "R39")]
    public async Task An_owner_shares_a_device_for_a_time_and_some_actions()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var site = await RunningIdentity.StartAsync(o => o with { TimeProvider = time });
        await site.PutResourceAsync("d1", new ResourceFacts("alice"));
        var (token, _) = await site.LogInAsync("alice");
        var until = time.GetUtcNow().AddMinutes(5);
        JsonContent Wish(string device, DateTimeOffset end) => JsonContent.Create(new ShareRequest(device, "bob", [Actions.Read], end), WireJson.Default.ShareRequest);

        Assert.False(await site.MayAsync(_bob, Actions.Read, "device:d1"));
        var share = await site.ReadAsync(HttpMethod.Post, "v1/shares", token, WireJson.Default.Share, Wish("d1", until));
        Assert.True(await site.MayAsync(_bob, Actions.Read, "device:d1"));
        Assert.False(await site.MayAsync(_bob, Actions.Command, "device:d1"));

        time.Advance(TimeSpan.FromMinutes(6));
        Assert.False(await site.MayAsync(_bob, Actions.Read, "device:d1"));

        var second = await site.ReadAsync(HttpMethod.Post, "v1/shares", token, WireJson.Default.Share, Wish("d1", until.AddHours(1)));
        Assert.True(await site.MayAsync(_bob, Actions.Read, "device:d1"));
        Assert.Equal(HttpStatusCode.NoContent, await site.StatusAsync(HttpMethod.Delete, "v1/shares/" + second.Id, token));
        Assert.False(await site.MayAsync(_bob, Actions.Read, "device:d1"));
        Assert.NotEqual(share.Id, second.Id);

        var (others, _) = await site.LogInAsync("bob");
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Post, "v1/shares", others, Wish("d1", until.AddHours(1))));
        Assert.Equal(HttpStatusCode.BadRequest, await site.StatusAsync(HttpMethod.Post, "v1/shares", token, Wish("d1", until.AddYears(3))));
    }

    [Fact]
    [Trait("Requirement", "R46")]
    [Trait("Requirement", "R67")]
    public async Task A_policy_that_is_changed_once_counts_at_a_web_server_and_at_a_listener()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await TokenTests.StartAccessAsync(site);
        await site.PutResourceAsync("d1", new ResourceFacts("alice"));
        var issued = await site.IssueAsync(new CredentialRequest("d1", SubjectKind.Device));
        var security = access.ForListeners();
        using var device = await security.AdmitAsync(new ClientCredentials(IPAddress.Loopback, false) { UserName = "d1", Password = issued.Secret }, "d1");
        Assert.True(device.IsAdmitted);
        Assert.True(await security.AuthorizeAsync(device.Identity, AccessAction.Publish, "t/d1"));
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);

        var (admin, _) = await site.LogInAsync("ada");
        string deny = """
            <Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="closed" Version="1.0"
                    RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides"><Target/><Rule RuleId="all" Effect="Deny"/></Policy>
            """;
        Assert.Equal(HttpStatusCode.OK, await site.StatusAsync(HttpMethod.Put, "v1/policies/closed", admin, new StringContent(deny)));

        await Access.Wait.Until(async () => !await security.AuthorizeAsync(device.Identity, AccessAction.Publish, "t/d1"));
        Assert.False((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Get, "v1/policies", admin));
    }

    [Fact]
    [Trait("Requirement", "R39")]
    public async Task A_policy_that_can_not_be_read_changes_nothing_and_versions_are_kept()
    {
        await using var site = await RunningIdentity.StartAsync();
        var (admin, _) = await site.LogInAsync("ada");
        string owners = await (await site.SendAsync(HttpMethod.Get, "v1/policies/owners", admin)).Content.ReadAsStringAsync();

        using var refused = await site.SendAsync(HttpMethod.Put, "v1/policies/owners", admin, new StringContent(owners.Replace("string-at-least-one-member-of", "no-such", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("Line ", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, await site.StatusAsync(HttpMethod.Put, "v1/policies/another", admin, new StringContent(owners)));

        Assert.Equal(HttpStatusCode.OK, await site.StatusAsync(HttpMethod.Put, "v1/policies/owners", admin, new StringContent(owners + "<!-- 2 -->")));
        Assert.Equal(owners, await (await site.SendAsync(HttpMethod.Get, "v1/policies/owners?version=1", admin)).Content.ReadAsStringAsync());
        Assert.EndsWith("<!-- 2 -->", await (await site.SendAsync(HttpMethod.Get, "v1/policies/owners", admin)).Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var (alice, _) = await site.LogInAsync("alice");
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Put, "v1/policies/owners", alice, new StringContent(owners)));
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task A_device_that_is_registered_behind_a_connected_gateway_is_spoken_for_at_once_and_not_while_it_is_locked()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await TokenTests.StartAccessAsync(site);
        var issued = await site.IssueAsync(new CredentialRequest("gw-1", SubjectKind.Device, SpeaksFor: []));
        var security = access.ForListeners();
        string token = (await site.MachineTokenAsync("gw-1", issued.Secret))!;
        using var byToken = await security.AdmitAsync(new ClientCredentials(IPAddress.Loopback, false) { Token = token }, "gw-1");
        using var bySecret = await security.AdmitAsync(new ClientCredentials(IPAddress.Loopback, false) { UserName = "gw-1", Password = issued.Secret }, "gw-1");
        foreach (var gateway in new[] { byToken, bySecret })
        {
            Assert.True(gateway.IsAdmitted && gateway.Identity.MaySpeakFor("s1"));
            Assert.False(await security.AuthorizeAsync(gateway.Identity, AccessAction.Publish, "t/s1"));
        }

        await site.PutResourceAsync("s1", new ResourceFacts("alice", "gw-1"));
        await Access.Wait.Until(async () => await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "t/s1"));
        Assert.True(await security.AuthorizeAsync(bySecret.Identity, AccessAction.Publish, "t/s1"));
        Assert.False(await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "t/s2"));

        await site.PutResourceAsync("gw-1", new ResourceFacts("alice", Locked: true));
        await Access.Wait.Until(async () => !await security.AuthorizeAsync(byToken.Identity, AccessAction.Publish, "t/s1"));
    }
}
