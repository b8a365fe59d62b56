using System.Net;
using System.Text;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.ApiGateway;

public sealed class DeveloperTests
{
    [Fact]
    [Trait("Requirement", "R84")]
    public async Task A_developer_finds_explores_signs_in_subscribes_and_calls()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var offer = await gateway.ReadAsync(HttpMethod.Get, "/developers/api/apis");
        string document = offer.GetProperty("apis")[0].GetProperty("versions")[0].GetProperty("document").GetString()!;
        var described = await gateway.ReadAsync(HttpMethod.Get, document);
        Assert.True(described.GetProperty("paths").TryGetProperty("/api/v1/devices", out _));

        var (cookie, csrf) = await SignInAsync(gateway);
        using var subscribed = await SendAsync(gateway, "/developers/api/subscriptions", cookie, csrf, """{"api":"iot","name":"cookie app","plan":"basic","scopes":["devices.read"]}""");
        Assert.Equal(HttpStatusCode.Created, subscribed.StatusCode);
        using var issued = System.Text.Json.JsonDocument.Parse(await subscribed.Content.ReadAsStringAsync());
        Assert.NotEqual("401", await gateway.CallAsync(issued.RootElement.GetProperty("key").GetString()!));
        var app = gateway.Identity.Apps.Values.Single().Request;
        Assert.Equal(("alice", SubjectKind.App, Scopes.ReadDevices), (app.Owner, app.Kind, app.Scopes!.Single()));
    }

    [Fact]
    public async Task What_changes_something_with_a_cookie_needs_the_pages_token_and_another_site_never_has_it()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (cookie, csrf) = await SignInAsync(gateway);
        const string wish = """{"api":"iot","name":"x","plan":"basic","scopes":["devices.read"]}""";

        using var without = await SendAsync(gateway, "/developers/api/subscriptions", cookie, "", wish);
        using var elsewhere = await SendAsync(gateway, "/developers/api/subscriptions", cookie, csrf, wish, "cross-site");

        Assert.Equal(HttpStatusCode.Forbidden, without.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, elsewhere.StatusCode);
        Assert.Empty(gateway.Identity.Apps);
    }

    [Fact]
    public async Task A_way_back_from_a_login_that_this_browser_did_not_begin_signs_nobody_in()
    {
        await using var gateway = await RunningGateway.StartAsync();
        using var login = await gateway.SendAsync(HttpMethod.Get, "/developers/login");
        using var asked = await NoRedirects().GetAsync(login.Headers.Location);

        using var stolen = await gateway.Client.GetAsync(asked.Headers.Location);

        Assert.Equal("/developers?failed=1", stolen.Headers.Location!.ToString());
        Assert.DoesNotContain(stolen.Headers.GetValues("Set-Cookie"), c => c.StartsWith("iot-developer=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Revoked_at_identity_a_session_ends()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (cookie, _) = await SignInAsync(gateway);
        gateway.Identity.Revoke("alice");
        await Wait.Until(async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/developers/api/session") { Headers = { { "Cookie", cookie } } };
            using var answer = await gateway.Client.SendAsync(request);
            return answer.StatusCode == HttpStatusCode.Unauthorized;
        });
    }

    [Fact]
    public async Task Nobody_gives_an_app_what_his_own_token_has_not_and_apps_subscribe_to_nothing()
    {
        await using var gateway = await RunningGateway.StartAsync();
        const string wish = """{"api":"iot","name":"x","plan":"basic","scopes":["readings.read"]}""";
        using var narrow = await gateway.SendAsync(HttpMethod.Post, "/developers/api/subscriptions", gateway.Identity.Token("alice", SubjectKind.Person, Scopes.ReadDevices), json: wish);
        using var app = await gateway.SendAsync(HttpMethod.Post, "/developers/api/subscriptions", gateway.Identity.Token("app-1", SubjectKind.App, Scopes.ReadReadings), json: wish);
        Assert.Equal(HttpStatusCode.BadRequest, narrow.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, app.StatusCode);
    }

    [Fact]
    [Trait("Requirement", "R84")]
    public async Task Keys_are_listed_rotated_with_an_overlap_and_revoked_by_their_owner_only()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, _, key) = await gateway.SubscribeAsync();
        string alice = gateway.Identity.Person("alice"), path = $"/developers/api/subscriptions/{app}";
        var rotated = await gateway.ReadAsync(HttpMethod.Post, path + "/keys", alice, """{"overlapHours":1}""");
        string next = rotated.GetProperty("key").GetString()!;
        await gateway.RestartAsync();
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: next));

        using var bobs = await gateway.SendAsync(HttpMethod.Delete, $"{path}/keys/{key[..12]}", gateway.Identity.Person("bob"));
        Assert.Equal(HttpStatusCode.NotFound, bobs.StatusCode);
        using var own = await gateway.SendAsync(HttpMethod.Delete, $"{path}/keys/{key[..12]}", alice);
        Assert.Equal(HttpStatusCode.NoContent, own.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices", key: key));

        using var ended = await gateway.SendAsync(HttpMethod.Delete, path, alice);
        Assert.Equal(HttpStatusCode.NoContent, ended.StatusCode);
        Assert.Empty(gateway.Identity.Apps);
        Assert.Equal(HttpStatusCode.Unauthorized, await gateway.StatusAsync("/api/v1/devices", key: next));
    }

    [Fact]
    public async Task An_app_revoked_at_identity_reaches_nothing_with_its_key()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, _, key) = await gateway.SubscribeAsync();
        await gateway.CallAsync(key);
        gateway.Identity.Apps.Clear();
        gateway.Identity.Revoke(app);
        await Wait.Until(async () => await gateway.CallAsync(key) == "401");
    }

    [Fact]
    public async Task While_identity_is_away_nothing_is_half_done_and_known_keys_go_on()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (_, _, key) = await gateway.SubscribeAsync();
        string alice = gateway.Identity.Person("alice");
        await gateway.CallAsync(key);
        await gateway.ReadAsync(HttpMethod.Get, "/developers/api/subscriptions", alice);
        gateway.Identity.IsAway = true;
        using var refused = await gateway.SendAsync(HttpMethod.Post, "/developers/api/subscriptions", alice, json: """{"api":"iot","name":"x","plan":"basic","scopes":["devices.read"]}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await gateway.StatusAsync("/api/v1/devices", key: key));
    }

    [Fact]
    public async Task Neither_keys_nor_secrets_are_in_any_file_and_an_erased_person_is_in_none()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, secret, key) = await gateway.SubscribeAsync("erasmus");
        string before = await EverythingAsync(gateway);
        Assert.DoesNotContain(key, before, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, before, StringComparison.Ordinal);
        Assert.Contains("erasmus", before, StringComparison.Ordinal);

        using var others = await gateway.SendAsync(HttpMethod.Delete, "/v1/people/erasmus", gateway.Identity.Person("bob"));
        using var erased = await gateway.SendAsync(HttpMethod.Delete, "/v1/people/erasmus", gateway.Identity.Person("ada", Roles.Administrator));

        Assert.Equal(HttpStatusCode.Forbidden, others.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, erased.StatusCode);
        string after = await EverythingAsync(gateway);
        Assert.DoesNotContain("erasmus", after, StringComparison.Ordinal);
        Assert.DoesNotContain(app, after, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_developer_sees_the_calls_of_his_app_by_hour()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var (app, _, key) = await gateway.SubscribeAsync();
        await gateway.CallAsync(key);
        await gateway.CallAsync(key);
        string alice = gateway.Identity.Person("alice");
        await Wait.Until(async () =>
        {
            var hours = await gateway.ReadAsync(HttpMethod.Get, $"/developers/api/subscriptions/{app}/usage", alice);
            return hours.EnumerateArray().Sum(h => h.GetProperty("calls").GetInt64()) == 2;
        });
    }

    [Fact]
    public async Task The_page_has_nothing_inline_and_nothing_from_elsewhere()
    {
        await using var gateway = await RunningGateway.StartAsync();
        using var page = await gateway.SendAsync(HttpMethod.Get, "/developers");
        string html = await page.Content.ReadAsStringAsync();
        string script = await gateway.Client.GetStringAsync(new Uri("/developers/developers.js", UriKind.Relative));

        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        string policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("style=", html, StringComparison.Ordinal);
        Assert.DoesNotContain("http", html, StringComparison.Ordinal);
        Assert.DoesNotContain("innerHTML", script, StringComparison.Ordinal);
    }

    private static HttpClient NoRedirects() => new(new HttpClientHandler { AllowAutoRedirect = false });

    private static async Task<(string Cookie, string Csrf)> SignInAsync(RunningGateway gateway)
    {
        using var login = await gateway.SendAsync(HttpMethod.Get, "/developers/login");
        string began = login.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var browser = NoRedirects();
        using var asked = await browser.GetAsync(login.Headers.Location);
        using var back = new HttpRequestMessage(HttpMethod.Get, asked.Headers.Location) { Headers = { { "Cookie", began } } };
        using var signedIn = await gateway.Client.SendAsync(back);
        Assert.Equal("/developers", signedIn.Headers.Location!.ToString());
        string given = signedIn.Headers.GetValues("Set-Cookie").Single(c => c.StartsWith("iot-developer=", StringComparison.Ordinal));
        Assert.Contains("httponly", given, StringComparison.OrdinalIgnoreCase);
        string cookie = given.Split(';')[0];
        using var session = new HttpRequestMessage(HttpMethod.Get, "/developers/api/session") { Headers = { { "Cookie", cookie } } };
        using var answer = await gateway.Client.SendAsync(session);
        using var json = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return (cookie, json.RootElement.GetProperty("csrf").GetString()!);
    }

    private static async Task<HttpResponseMessage> SendAsync(RunningGateway gateway, string path, string cookie, string csrf, string json, string site = "same-origin")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, null, "application/json") };
        request.Headers.Add("Cookie", cookie);
        request.Headers.Add("X-CSRF-Token", csrf);
        request.Headers.Add("Sec-Fetch-Site", site);
        return await gateway.Client.SendAsync(request);
    }

    // As bytes of files that are open elsewhere.
    private static async Task<string> EverythingAsync(RunningGateway gateway)
    {
        var all = new StringBuilder();
        foreach (string file in Directory.GetFiles(gateway.Folder, "*", SearchOption.AllDirectories))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            all.Append(await reader.ReadToEndAsync());
        }

        return all.ToString();
    }
}
