using System.Net;
using System.Text;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Endpoints;

namespace IoT.Reference.Identity;

public sealed class ErasureTests
{
    [Fact]
    [Trait("Requirement", "R10")]
    public async Task Who_is_erased_is_in_no_file_any_more_and_his_tokens_are_void()
    {
        await using var site = await RunningIdentity.StartAsync();
        var (admin, _) = await site.LogInAsync("ada");
        var created = await site.ReadAsync(
            HttpMethod.Post, "v1/people", admin, WireJson.Default.IssuedCredential,
            System.Net.Http.Json.JsonContent.Create(new NewPerson("zacharias", "Zacharias Quillfeather"), IdentityJson.Default.NewPerson));
        var (token, refresh) = await site.LogInAsync("zacharias", created.Secret);
        await site.PutResourceAsync("dev-z", new ResourceFacts("zacharias"));
        await site.IssueAsync(new CredentialRequest("app-z", SubjectKind.App, [Scopes.ReadReadings], null, "zacharias"));
        var share = new ShareRequest("dev-z", "bob", [Actions.Read], TimeProvider.System.GetUtcNow().AddHours(1));
        using (var shared = await site.SendAsync(HttpMethod.Post, "v1/shares", token, share, WireJson.Default.ShareRequest))
        {
            Assert.Equal(HttpStatusCode.Created, shared.StatusCode);
        }

        string export = await (await site.SendAsync(HttpMethod.Get, "v1/people/zacharias/export", token)).Content.ReadAsStringAsync();
        Assert.All(["Zacharias Quillfeather", "dev-z", "app-z", "bob", "refresh_token"], word => Assert.Contains(word, export, StringComparison.Ordinal));
        Assert.True(Occurs(site.Folder, "zacharias") && Occurs(site.Folder, "Quillfeather"));
        var (bob, _) = await site.LogInAsync("bob");
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Get, "v1/people/zacharias/export", bob));
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Delete, "v1/people/zacharias", bob));

        Assert.Equal(HttpStatusCode.NoContent, await site.StatusAsync(HttpMethod.Delete, "v1/people/zacharias", token));

        Assert.False(Occurs(site.Folder, "zacharias") || Occurs(site.Folder, "Quillfeather"));
        Assert.Equal(HttpStatusCode.Unauthorized, await site.StatusAsync(HttpMethod.Get, "v1/shares", token));
        Assert.Equal("", (await site.RefreshAsync(refresh)).Access);
        Assert.False(await site.MayAsync(new Subject("bob", SubjectKind.Person), Actions.Read, "device:dev-z"));
        Assert.Equal(HttpStatusCode.NotFound, await site.StatusAsync(HttpMethod.Get, "v1/people/zacharias/export", admin));
        Assert.Equal(HttpStatusCode.BadRequest, await site.StatusAsync(
            HttpMethod.Post, "v1/people", admin, System.Net.Http.Json.JsonContent.Create(new NewPerson("zacharias", "Another"), IdentityJson.Default.NewPerson)));
    }

    private static bool Occurs(string folder, string word) =>
        Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Any(f => Encoding.Latin1.GetString(TokenTests.ReadShared(f)).Contains(word, StringComparison.OrdinalIgnoreCase));
}
