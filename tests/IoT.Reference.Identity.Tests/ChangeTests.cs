using System.Net;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity;

public sealed class ChangeTests
{
    [Fact]
    [Trait("Requirement", "R38")]
    public void Who_comes_back_hears_what_was_told_in_between()
    {
        var feed = new ChangeFeed(TimeProvider.System);
        var first = feed.Listen(null, out long? start)!;
        feed.Tell(ChangeKinds.Policy, "a");
        feed.Leave(first);
        Assert.True(first.Reader.TryRead(out var heard));
        feed.Tell(ChangeKinds.Revoked, "b");

        var again = feed.Listen(heard.Number, out long? reset)!;

        Assert.Null(reset);
        Assert.True(again.Reader.TryRead(out var missed));
        Assert.Equal("b", missed.Id);
        Assert.Equal(start + 2, missed.Number);
        Assert.False(again.Reader.TryRead(out _));
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(long.MaxValue)]
    [InlineData(null)]
    public void Who_heard_what_is_not_remembered_any_more_is_told_to_forget_all(long? last)
    {
        var feed = new ChangeFeed(TimeProvider.System);
        feed.Tell(ChangeKinds.Policy, "a");
        feed.Listen(last, out long? reset);
        Assert.NotNull(reset);
    }

    [Fact]
    public void Who_does_not_keep_up_is_cut_off_and_the_others_go_on()
    {
        var feed = new ChangeFeed(TimeProvider.System);
        var slow = feed.Listen(null, out _)!;
        var quick = feed.Listen(null, out _)!;
        for (int i = 0; i < 4_000; i++)
        {
            feed.Tell(ChangeKinds.Resource, "d" + i);
            Assert.True(quick.Reader.TryRead(out _));
        }

        while (slow.Reader.TryRead(out _))
        {
        }

        Assert.True(slow.Reader.Completion.IsCompleted);
        Assert.False(quick.Reader.Completion.IsCompleted);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task An_enforcement_point_finds_its_way_back_after_a_restart_and_knows_who_was_revoked_meanwhile()
    {
        string folder = Path.Combine(Path.GetTempPath(), "identity-" + Guid.NewGuid().ToString("n"));
        try
        {
            var site = await RunningIdentity.StartAsync(null, folder);
            int port = site.Layer.Address.Port;
            var issued = await site.IssueAsync(new CredentialRequest("dev-1", SubjectKind.Device));
            string token = (await site.MachineTokenAsync("dev-1", issued.Secret))!;
            await using var access = await TokenTests.StartAccessAsync(site);
            Assert.NotNull(await access.AuthenticateAsync(token));
            await site.DisposeAsync();
            await Access.Wait.Until(() => !access.IsConnected);

            await using var again = await RunningIdentity.StartAsync(o => o with { Port = port }, folder);
            Assert.Equal(HttpStatusCode.NoContent, await again.StatusAsync(HttpMethod.Delete, "v1/credentials/dev-1", await again.ServiceTokenAsync("device-manager")));

            await Access.Wait.Until(async () => access.IsConnected && await access.AuthenticateAsync(token) is null);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
