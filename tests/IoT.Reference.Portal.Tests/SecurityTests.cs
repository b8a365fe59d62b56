using System.Net;
using System.Text;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal;

/// <summary>Sessions and what protects them.</summary>
public sealed class SecurityTests
{
    private static readonly Uri _command = new("api/v1/devices/pi-1/commands", UriKind.Relative), _devices = new("api/v1/devices", UriKind.Relative);

    [Fact]
    [Trait("Requirement", "R81")]
    public async Task Log_in_gives_a_cookie_without_a_token_and_requests_go_on_with_the_persons_own_token()
    {
        await using var portal = await RunningPortal.StartAsync();
        var cookies = new CookieContainer();
        using var browser = await portal.LogInAsync(cookies);
        string list = await browser.GetStringAsync(_devices);
        Assert.Contains("pi-1", list, StringComparison.Ordinal);
        Assert.Contains(portal.Upstream.Requests, r => r.Request.StartsWith("GET /manager/v1/devices", StringComparison.Ordinal) && r.Subject == "alice");
        var cookie = cookies.GetCookies(portal.Address)["iot.session"]!;
        Assert.True(cookie.HttpOnly);
        Assert.DoesNotContain("eyJ", await browser.GetStringAsync(new Uri("session", UriKind.Relative)), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Requirement", "R81")]
    public async Task What_changes_something_needs_the_csrf_token_of_its_session()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = await portal.LogInAsync();
        using var other = await portal.LogInAsync();
        foreach (string? wrong in (string?[])[null, "guessed", await RunningPortal.CsrfOfAsync(other)])
        {
            using var refused = await SendAsync(browser, wrong);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }

        string csrf = await RunningPortal.CsrfOfAsync(browser);
        using var foreign = await SendAsync(browser, csrf, "cross-site");
        Assert.Equal(HttpStatusCode.Forbidden, foreign.StatusCode);
        Assert.Equal(0, portal.Upstream.Count("POST /manager"));
        using var sent = await SendAsync(browser, csrf, "same-origin");
        Assert.Equal(HttpStatusCode.Accepted, sent.StatusCode);
        using var stays = await browser.PostAsync(new Uri("logout", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Forbidden, stays.StatusCode);
    }

    [Fact]
    public async Task Token_is_renewed_once_however_many_requests_wait_for_it()
    {
        await using var portal = await RunningPortal.StartAsync();
        portal.Upstream.AccessSeconds = 30;
        using var browser = await portal.LogInAsync();
        portal.Upstream.AccessSeconds = 600;
        portal.Upstream.UsedRefreshTokens.Clear();
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => browser.GetStringAsync(_devices)));
        Assert.All(answers, a => Assert.Contains("pi-1", a, StringComparison.Ordinal));
        Assert.Single(portal.Upstream.UsedRefreshTokens);
    }

    [Fact]
    public async Task Session_whose_token_is_not_renewed_has_ended()
    {
        await using var portal = await RunningPortal.StartAsync();
        portal.Upstream.AccessSeconds = 30;
        using var browser = await portal.LogInAsync();
        portal.Upstream.RefusesRefresh = true;
        using var refused = await browser.GetAsync(_devices);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var page = await browser.GetAsync(new Uri("devices", UriKind.Relative));
        Assert.StartsWith("/welcome", page.Headers.Location!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Instances_that_share_a_folder_share_log_ins_and_the_file_has_no_token()
    {
        await using var portal = await RunningPortal.StartAsync();
        var cookies = new CookieContainer();
        using var first = await portal.LogInAsync(cookies);
        await using var another = await portal.StartAnotherAsync();
        using var second = RunningPortal.Browser(another.Address, cookies);
        Assert.Contains("pi-1", await second.GetStringAsync(_devices), StringComparison.Ordinal);
        foreach (string file in Directory.GetFiles(portal.Folder, "sessions.db*"))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            Assert.DoesNotContain("eyJ", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Log_out_ends_the_session_here_and_the_refresh_token_there()
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = await portal.LogInAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("logout", UriKind.Relative)) { Headers = { { "X-CSRF-Token", await RunningPortal.CsrfOfAsync(browser) } } };
        using var response = await browser.SendAsync(request);
        Assert.Contains("connect/logout", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var refused = await browser.GetAsync(_devices);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal(1, portal.Upstream.Count("POST /identity/connect/revoke"));
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example")]
    public async Task Log_in_leads_to_no_other_site(string wish)
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = RunningPortal.Browser(portal.Address);
        using var last = await RunningPortal.FollowAsync(browser, new Uri(portal.Address, "login?returnUrl=" + Uri.EscapeDataString(wish)));
        Assert.Equal("/", last.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(portal.Address.Authority, last.RequestMessage.RequestUri.Authority);
    }

    [Theory]
    [InlineData("")]
    [InlineData("welcome")]
    [InlineData("js/app.js")]
    [InlineData("api/v1/devices")]
    [InlineData("nothing/here")]
    public async Task Every_answer_has_the_headers_that_hold_browsers_off(string path)
    {
        await using var portal = await RunningPortal.StartAsync();
        using var browser = RunningPortal.Browser(portal.Address);
        using var answer = await browser.GetAsync(new Uri(path, UriKind.Relative));
        string policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'; script-src 'self'; style-src 'self'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("DENY", answer.Headers.GetValues("X-Frame-Options").Single());
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Too_many_requests_of_one_token_are_told_when_to_come_back()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { RequestsPerSecond = 1 });
        using var program = portal.Program();
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => program.GetAsync(new Uri("api/v1/me", UriKind.Relative))));
        var refused = answers.First(a => a.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.True(refused.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        using var other = portal.Program("app-2");
        using var served = await other.GetAsync(new Uri("api/v1/me", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
    }

    [Fact]
    public async Task Log_in_says_so_when_Identity_is_away()
    {
        await using var portal = await RunningPortal.StartAsync();
        portal.Upstream.Intercept = context =>
        {
            context.Abort();
            return Task.FromResult(true);
        };
        using var browser = RunningPortal.Browser(portal.Address);
        using var answer = await browser.GetAsync(new Uri("login", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("Identity", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beyond_loopback_needs_a_certificate()
    {
        var options = new PortalOptions { DataFolder = Path.GetTempPath(), Service = new ServiceCredential("portal", "x"), Address = IPAddress.Any };
        await Assert.ThrowsAsync<InvalidOperationException>(() => PortalLayer.StartAsync(options));
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient browser, string? csrf, string? site = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _command) { Content = new StringContent("""{"name":"reboot"}""", Encoding.UTF8, "application/json") };
        if (csrf is not null)
        {
            request.Headers.Add("X-CSRF-Token", csrf);
        }

        if (site is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }

        return await browser.SendAsync(request);
    }
}
