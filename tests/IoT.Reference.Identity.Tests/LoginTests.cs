using System.Net;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Identity;

public sealed class LoginTests
{
    [Fact]
    public async Task A_form_that_did_not_come_from_here_is_refused()
    {
        await using var site = await RunningIdentity.StartAsync();
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        using var response = await browser.PostAsync("/login", new() { ["user"] = "alice", ["password"] = site.Layer.FirstPasswords["alice"] });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.False(response.Headers.Contains("Location"));
    }

    [Fact]
    public async Task Pages_run_no_script_and_stand_in_no_frame()
    {
        await using var site = await RunningIdentity.StartAsync();
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        using var response = await browser.GetAsync("/login?returnUrl=" + Uri.EscapeDataString("/\"><script>alert(1)</script>"));
        string policy = response.Headers.GetValues("Content-Security-Policy").Single(), page = await response.Content.ReadAsStringAsync();

        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.Contains("<label for=\"user\">", page, StringComparison.Ordinal);
        Assert.Contains("lang=\"en\"", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://elsewhere.example/")]
    [InlineData("//elsewhere.example")]
    [InlineData("/\\elsewhere.example")]
    public async Task After_the_log_in_nobody_is_sent_elsewhere(string returnUrl)
    {
        await using var site = await RunningIdentity.StartAsync();
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        using var response = await browser.LogInAsync("/login?returnUrl=" + Uri.EscapeDataString(returnUrl), "alice", site.Layer.FirstPasswords["alice"]);

        Assert.Equal("/", response.Headers.Location?.ToString());
    }

    [Fact]
    public async Task After_wrong_passwords_in_a_row_an_account_rests_and_the_audit_says_so()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var heard = new System.Collections.Concurrent.ConcurrentQueue<AuditEntry>();
        await using var site = await RunningIdentity.StartAsync(o => o with { TimeProvider = time, MaxFailures = 3, Audit = heard.Enqueue });
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        for (int i = 0; i < 3; i++)
        {
            using var wrong = await browser.LogInAsync("/login", "alice", "wrong");
            Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        }

        using (var locked = await browser.LogInAsync("/login", "alice", site.Layer.FirstPasswords["alice"]))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, locked.StatusCode);
        }

        time.Advance(TimeSpan.FromMinutes(6));
        using var right = await browser.LogInAsync("/login", "alice", site.Layer.FirstPasswords["alice"]);
        Assert.Equal(HttpStatusCode.Redirect, right.StatusCode);
        Assert.Contains(heard, e => e is { Subject: "alice", Action: "login", Outcome: "refused", Detail: "locked for a while" });
    }

    [Fact]
    public async Task One_address_tries_only_so_often_in_a_minute()
    {
        await using var site = await RunningIdentity.StartAsync(o => o with { LoginsPerMinute = 2 });
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        for (int i = 0; i < 2; i++)
        {
            using var wrong = await browser.LogInAsync("/login", "nobody" + i, "wrong");
            Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        }

        using var third = await browser.LogInAsync("/login", "nobody3", "wrong");
        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.True(third.Headers.Contains("Retry-After"));
    }

    [Fact]
    public async Task An_application_of_others_gets_what_the_person_agrees_to_and_nothing_otherwise()
    {
        await using var site = await RunningIdentity.StartAsync();
        using var browser = new RunningIdentity.Browser(site.Layer.Address);
        using (var login = await browser.LogInAsync("/login", "alice", site.Layer.FirstPasswords["alice"]))
        {
            Assert.Equal(HttpStatusCode.Redirect, login.StatusCode);
        }

        string verifier = RunningIdentity.NewVerifier(), back = "http://127.0.0.1:40123/signin";
        string path = RunningIdentity.Browser.AuthorizePath("openid " + Scopes.ReadReadings, verifier, "cli", back);
        using (var refused = await browser.SubmitAsync(path, "/connect/authorize", new() { ["consent"] = "no" }))
        {
            Assert.Equal("", RunningIdentity.Browser.CodeOf(refused.Headers.Location!));
        }

        using var agreed = await browser.SubmitAsync(path, "/connect/authorize", new() { ["consent"] = "yes" });
        string code = RunningIdentity.Browser.CodeOf(agreed.Headers.Location!);
        var (access, _) = await site.TokensAsync([new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", back), new("code_verifier", verifier), new("client_id", "cli")]);
        Assert.NotEqual("", access);
        Assert.Equal(HttpStatusCode.Forbidden, await site.StatusAsync(HttpMethod.Get, "v1/people", access));
    }
}
