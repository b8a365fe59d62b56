using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Access;

public sealed class AccessPointTests
{
    private static readonly Subject _alice = new("alice", SubjectKind.Person, [Scopes.ReadDevices]);

    [Fact]
    [Trait("Requirement", "R66")]
    public async Task A_token_that_is_not_right_is_nobodys()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        var hour = TimeSpan.FromHours(1);

        Assert.Equal("alice", (await access.AuthenticateAsync(issuer.Token("alice", scope: "devices.read")))?.Id);
        Assert.Null(await access.AuthenticateAsync(issuer.Token("alice", audience: "others")));
        Assert.Null(await access.AuthenticateAsync(issuer.Token("alice", issuer: "http://elsewhere/")));
        Assert.Null(await access.AuthenticateAsync(issuer.Token("alice", issued: TimeProvider.System.GetUtcNow() - hour)));
        Assert.Null(await access.AuthenticateAsync(issuer.Token("alice", key: FakeIssuer.NewKey())));
        Assert.Null(await access.AuthenticateAsync("not.a.token"));
        Assert.Null(await access.AuthenticateAsync(""));
    }

    [Fact]
    [Trait("Requirement", "R66")]
    [Trait("Requirement", "R38")]
    public async Task Keys_are_read_once_and_again_when_they_roll_over()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var issuer = await FakeIssuer.StartAsync(time);
        await using var access = await StartAsync(issuer, time);
        string old = issuer.Token("alice");

        Assert.NotNull(await access.AuthenticateAsync(old));
        Assert.NotNull(await access.AuthenticateAsync(issuer.Token("bob")));
        Assert.Equal(1, issuer.KeyReads);

        issuer.RollKeys();
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.NotNull(await access.AuthenticateAsync(issuer.Token("alice")));
        Assert.NotNull(await access.AuthenticateAsync(old));
        Assert.Equal(2, issuer.KeyReads);
    }

    [Fact]
    [Trait("Requirement", "R66")]
    [Trait("Requirement", "R38")]
    public async Task A_revoked_token_is_void_at_once_and_a_newer_one_is_not()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        var now = TimeProvider.System.GetUtcNow();
        string old = issuer.Token("alice", issued: now);
        Assert.NotNull(await access.AuthenticateAsync(old));

        issuer.Tell(ChangeKinds.Revoked, "alice", now.AddMilliseconds(20));
        await Wait.Until(async () => await access.AuthenticateAsync(old) is null);

        Assert.NotNull(await access.AuthenticateAsync(issuer.Token("alice", issued: now.AddMilliseconds(21))));
        Assert.NotNull(await access.AuthenticateAsync(issuer.Token("bob", issued: now)));
    }

    [Fact]
    [Trait("Requirement", "R66")]
    public async Task Who_was_revoked_before_the_start_is_known_from_the_list()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        issuer.Revocations.Add(new Revocation("alice", TimeProvider.System.GetUtcNow().AddMinutes(1)));
        await using var access = await StartAsync(issuer);

        Assert.Null(await access.AuthenticateAsync(issuer.Token("alice")));
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task A_decision_is_kept_for_its_time_and_asked_for_again_after_it()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var issuer = await FakeIssuer.StartAsync(time);
        await using var access = await StartAsync(issuer, time);
        issuer.Permit("alice", Actions.Read, "device:d1");

        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
        Assert.Equal(1, issuer.Questions);
        Assert.False((await access.DecideAsync(_alice, Actions.Command, "device:d1")).Permitted);

        issuer.Permit("alice", Actions.Read, "device:d1", false);
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.False((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task Without_a_decision_point_everything_that_was_not_decided_is_denied()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var issuer = await FakeIssuer.StartAsync(time);
        await using var access = await StartAsync(issuer, time);
        issuer.Permit("alice", Actions.Read, "device:d1");
        issuer.Permit("alice", Actions.Read, "device:d2");
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);

        issuer.IsAway = true;
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
        Assert.False((await access.DecideAsync(_alice, Actions.Read, "device:d2")).Permitted);
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.False((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);

        issuer.IsAway = false;
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d2")).Permitted);
    }

    [Theory]
    [InlineData(ChangeKinds.Policy, "owner")]
    [InlineData(ChangeKinds.Share, "s1")]
    [InlineData(ChangeKinds.Resource, "d1")]
    [InlineData(ChangeKinds.Revoked, "alice")]
    [Trait("Requirement", "R67")]
    public async Task A_change_makes_decisions_void_that_were_asked_for_before_it(string kind, string id)
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        issuer.Permit("alice", Actions.Read, "device:d1");
        Assert.True((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);

        issuer.Permit("alice", Actions.Read, "device:d1", false);
        issuer.Tell(kind, id);
        await Wait.Until(async () => !(await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task An_answer_that_was_on_its_way_when_a_change_came_is_not_kept()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        var heard = new TaskCompletionSource();
        using var listening = access.Changes.Subscribe(new Listener(_ => heard.TrySetResult()));
        var gate = new TaskCompletionSource();
        issuer.Permit("alice", Actions.Read, "device:d1");
        issuer.Gate = gate.Task;
        var asked = access.DecideAsync(_alice, Actions.Read, "device:d1").AsTask();
        await Wait.Until(() => Volatile.Read(ref issuer.Asked) == 1);

        issuer.Permit("alice", Actions.Read, "device:d1", false);
        issuer.Tell(ChangeKinds.Resource, "d1");
        await heard.Task;
        gate.SetResult();

        Assert.True((await asked).Permitted);
        Assert.False((await access.DecideAsync(_alice, Actions.Read, "device:d1")).Permitted);
    }

    [Fact]
    public async Task Many_questions_go_in_few_requests()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        issuer.Permit("alice", Actions.Read, "device:d7");

        bool[] permitted = await access.FilterAsync(_alice, Actions.Read, [.. Enumerable.Range(0, 1_000).Select(i => "device:d" + i)]);

        Assert.Equal([7], permitted.Index().Where(p => p.Item).Select(p => p.Index));
        Assert.Equal(1_000, issuer.Questions);
        Assert.True(issuer.Asked < 50, $"{issuer.Asked} requests");
    }

    [Fact]
    public async Task A_secret_that_was_right_is_asked_for_once_and_forgotten_when_its_subject_is_revoked()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        await using var access = await StartAsync(issuer);
        issuer.Secrets["d1:right"] = new VerifiedSubject("d1", SubjectKind.Device, [Scopes.UseBus], []);

        Assert.Equal("d1", (await access.VerifyAsync("d1", "right", null))?.Id);
        Assert.NotNull(await access.VerifyAsync("d1", "right", null));
        Assert.Equal(1, issuer.Verified);
        Assert.Null(await access.VerifyAsync("d1", "wrong", null));

        issuer.Secrets.Clear();
        issuer.Tell(ChangeKinds.Revoked, "d1");
        await Wait.Until(async () => await access.VerifyAsync("d1", "right", null) is null);
    }

    internal static async Task<AccessPoint> StartAsync(FakeIssuer issuer, TimeProvider? time = null)
    {
        var access = await AccessPoint.StartAsync(new AccessOptions { Identity = issuer.Address, Service = FakeIssuer.Service, TimeProvider = time ?? TimeProvider.System });
        await Wait.Until(() => access.IsConnected);
        return access;
    }

    private sealed class Listener(Action<Change> heard) : IObserver<Change>
    {
        public void OnNext(Change value) => heard(value);

        public void OnError(Exception error) => Assert.Fail(error.Message);

        public void OnCompleted() => Assert.Fail("It never ends.");
    }
}
