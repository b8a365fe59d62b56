using System.Net;
using IoT.Reference.Contracts;
using Microsoft.IdentityModel.JsonWebTokens;

namespace IoT.Reference.Identity;

public sealed class TokenTests
{
    [Fact]
    [Trait("Requirement", "R37")]
    public async Task A_person_logs_in_with_code_and_PKCE_and_the_token_says_who_and_what_for()
    {
        await using var site = await RunningIdentity.StartAsync();
        var (access, _) = await site.LogInAsync("olga");

        var token = new JsonWebToken(access);
        Assert.Equal("olga", token.Subject);
        Assert.Contains(Claims.Audience, token.Audiences);
        Assert.Equal(site.Layer.Address.AbsoluteUri, token.Issuer);
        Assert.Equal("person", token.GetClaim(Claims.Kind).Value);
        Assert.Equal(Roles.Operator, token.GetClaim(Claims.Role).Value);
        Assert.Contains(Scopes.SendCommands, token.GetClaim("scope").Value.Split(' '));
        Assert.Equal(HttpStatusCode.OK, await site.StatusAsync(HttpMethod.Get, "v1/shares", access));
    }

    [Fact]
    [Trait("Requirement", "R37")]
    public async Task A_device_gets_a_token_by_its_secret_and_no_scope_it_was_not_given()
    {
        await using var site = await RunningIdentity.StartAsync();
        var issued = await site.IssueAsync(new CredentialRequest("gw-1", SubjectKind.Device, SpeaksFor: []));

        var token = new JsonWebToken((await site.MachineTokenAsync("gw-1", issued.Secret))!);
        Assert.Equal("gw-1", token.Subject);
        Assert.Equal("device", token.GetClaim(Claims.Kind).Value);
        Assert.Equal("@gw-1", token.GetClaim(Claims.SpeaksFor).Value);
        Assert.Equal(Scopes.UseBus, token.GetClaim("scope").Value);
        Assert.Null(await site.MachineTokenAsync("gw-1", issued.Secret, Scopes.Decide));
        Assert.Null(await site.MachineTokenAsync("gw-1", "wrong"));
        Assert.Null(await site.MachineTokenAsync("nobody", issued.Secret));
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task A_refresh_token_is_used_once_and_using_it_again_ends_all_that_came_of_it()
    {
        await using var site = await RunningIdentity.StartAsync();
        var first = await site.LogInAsync("alice");
        var second = await site.RefreshAsync(first.Refresh);
        Assert.NotEqual("", second.Refresh);
        Assert.NotEqual(first.Refresh, second.Refresh);

        Assert.Equal("", (await site.RefreshAsync(first.Refresh)).Access);
        Assert.Equal("", (await site.RefreshAsync(second.Refresh)).Access);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task A_code_is_used_once_and_only_with_its_verifier()
    {
        await using var site = await RunningIdentity.StartAsync();
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        string verifier = RunningIdentity.NewVerifier();
        string code = await browser.AuthorizeAsync("alice", site.Layer.FirstPasswords["alice"], "openid", verifier);
        KeyValuePair<string, string>[] Form(string with) => [
            new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", RunningIdentity.Redirect.AbsoluteUri), new("code_verifier", with),
            new("client_id", "portal"), new("client_secret", site.SecretOf("portal"))];

        Assert.Equal("", (await site.TokensAsync(Form(RunningIdentity.NewVerifier()))).Access);
        Assert.NotEqual("", (await site.TokensAsync(Form(verifier))).Access);
        Assert.Equal("", (await site.TokensAsync(Form(verifier))).Access);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task A_rotated_secret_holds_for_the_overlap_beside_the_new_one()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var site = await RunningIdentity.StartAsync(o => o with { TimeProvider = time });
        var old = await site.IssueAsync(new CredentialRequest("dev-1", SubjectKind.Device));
        var renewed = await site.ReadAsync(
            HttpMethod.Post, "v1/credentials/dev-1/rotate", await site.ServiceTokenAsync("device-manager"), WireJson.Default.IssuedCredential,
            System.Net.Http.Json.JsonContent.Create(new RotateRequest(TimeSpan.FromMinutes(5)), WireJson.Default.RotateRequest));

        Assert.NotNull(await site.MachineTokenAsync("dev-1", old.Secret));
        Assert.NotNull(await site.MachineTokenAsync("dev-1", renewed.Secret));
        time.Advance(TimeSpan.FromMinutes(6));
        Assert.Null(await site.MachineTokenAsync("dev-1", old.Secret));
        Assert.NotNull(await site.MachineTokenAsync("dev-1", renewed.Secret));
    }

    [Fact]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task A_deleted_credential_makes_its_tokens_void_everywhere_at_once()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await StartAccessAsync(site);
        var issued = await site.IssueAsync(new CredentialRequest("dev-1", SubjectKind.Device));
        string token = (await site.MachineTokenAsync("dev-1", issued.Secret))!;
        Assert.NotNull(await access.AuthenticateAsync(token));
        Assert.NotNull(await access.VerifyAsync("dev-1", issued.Secret, null));

        Assert.Equal(HttpStatusCode.NoContent, await site.StatusAsync(HttpMethod.Delete, "v1/credentials/dev-1", await site.ServiceTokenAsync("device-manager")));

        await Access.Wait.Until(async () => await access.AuthenticateAsync(token) is null);
        Assert.Null(await access.VerifyAsync("dev-1", issued.Secret, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await site.StatusAsync(HttpMethod.Get, "v1/shares", token));
        Assert.Null(await site.MachineTokenAsync("dev-1", issued.Secret));
        var again = await site.IssueAsync(new CredentialRequest("dev-1", SubjectKind.Device));
        Assert.NotNull(await access.AuthenticateAsync((await site.MachineTokenAsync("dev-1", again.Secret))!));
    }

    [Fact]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task A_token_that_its_holder_revokes_is_void_everywhere()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await StartAccessAsync(site);
        var (token, refresh) = await site.LogInAsync("alice");
        Assert.NotNull(await access.AuthenticateAsync(token));

        foreach (string gone in new[] { token, refresh })
        {
            using var response = await site.PostFormAsync("connect/revoke", [new("token", gone), new("client_id", "portal"), new("client_secret", site.SecretOf("portal"))]);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        await Access.Wait.Until(async () => await access.AuthenticateAsync(token) is null);
        Assert.Equal(HttpStatusCode.Unauthorized, await site.StatusAsync(HttpMethod.Get, "v1/shares", token));
        Assert.Equal("", (await site.RefreshAsync(refresh)).Access);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task After_a_new_signing_key_old_and_new_tokens_hold()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await StartAccessAsync(site);
        var (old, _) = await site.LogInAsync("alice");
        Assert.NotNull(await access.AuthenticateAsync(old));

        site.Layer.RotateSigningKey();
        var (renewed, _) = await site.LogInAsync("alice");

        Assert.NotEqual(new JsonWebToken(old).Kid, new JsonWebToken(renewed).Kid);
        Assert.Equal(HttpStatusCode.OK, await site.StatusAsync(HttpMethod.Get, "v1/shares", old));
        Assert.Equal(HttpStatusCode.OK, await site.StatusAsync(HttpMethod.Get, "v1/shares", renewed));
        Assert.NotNull(await access.AuthenticateAsync(old));
        await Access.Wait.Until(async () => await access.AuthenticateAsync(renewed) is not null);
    }

    [Fact]
    public async Task Everything_is_still_there_after_a_restart_and_passwords_are_told_once()
    {
        string folder = Path.Combine(Path.GetTempPath(), "identity-" + Guid.NewGuid().ToString("n"));
        try
        {
            string password, secret;
            IReadOnlyList<ServiceCredential> services;
            await using (var site = await RunningIdentity.StartAsync(null, folder))
            {
                Assert.Equal(["ada", "alice", "bob", "olga"], site.Layer.FirstPasswords.Keys.Order());
                password = site.Layer.FirstPasswords["alice"];
                secret = (await site.IssueAsync(new CredentialRequest("dev-1", SubjectKind.Device))).Secret;
                services = site.Layer.Services;
                if (!OperatingSystem.IsWindows())
                {
                    foreach (string file in Directory.GetFiles(Path.Combine(folder, "keys"), "*.pem").Concat(Directory.GetFiles(folder)))
                    {
                        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
                    }
                }
            }

            await using var again = await RunningIdentity.StartAsync(null, folder);
            Assert.Empty(again.Layer.FirstPasswords);
            Assert.Equal(services, again.Layer.Services);
            Assert.NotNull(await again.MachineTokenAsync("dev-1", secret));
            Assert.NotEqual("", (await again.LogInAsync("alice", password)).Access);
            Assert.DoesNotContain(password, string.Concat(Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Select(f => System.Text.Encoding.Latin1.GetString(ReadShared(f)))), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] all = new byte[file.Length];
        file.ReadExactly(all);
        return all;
    }

    internal static async Task<Access.AccessPoint> StartAccessAsync(RunningIdentity site)
    {
        var access = await Access.AccessPoint.StartAsync(new Access.AccessOptions { Identity = site.Layer.Address, Service = site.Layer.Services.Single(s => s.Id == "bus") });
        await Access.Wait.Until(() => access.IsConnected);
        return access;
    }
}
