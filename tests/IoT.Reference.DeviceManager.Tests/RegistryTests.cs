using System.Net;
using System.Net.Http.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class RegistryTests
{
    [Fact]
    [Trait("Requirement", "R73")]
    public async Task Who_gives_the_code_on_the_box_becomes_the_owner_and_the_code_is_used_up()
    {
        await using var installation = await Installation.StartAsync();
        var registered = await installation.RegisterAsync("cam-1", owner: null);
        Assert.Equal(DeviceState.Registered, registered.Device.State);
        Assert.Equal(installation.Issuer.Credentials["cam-1"], registered.Secret);

        using var anna = installation.As("anna");
        using var wrong = await anna.PostAsJsonAsync("v1/claims", new ClaimRequest("cam-1", "WRONG"), WireJson.Default.ClaimRequest);
        using var unknown = await anna.PostAsJsonAsync("v1/claims", new ClaimRequest("cam-2", "WRONG"), WireJson.Default.ClaimRequest);
        using var right = await anna.PostAsJsonAsync("v1/claims", new ClaimRequest("cam-1", registered.ClaimCode!.ToLowerInvariant()), WireJson.Default.ClaimRequest);
        using var bert = installation.As("bert");
        using var again = await bert.PostAsJsonAsync("v1/claims", new ClaimRequest("cam-1", registered.ClaimCode), WireJson.Default.ClaimRequest);

        Assert.Equal(HttpStatusCode.Forbidden, wrong.StatusCode);
        Assert.Equal(await wrong.Content.ReadAsStringAsync(), await unknown.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, again.StatusCode);
        var device = await installation.DeviceAsync("cam-1");
        Assert.Equal((DeviceState.Active, "anna"), (device.State, device.Owner));
    }

    [Fact]
    [Trait("Requirement", "R73")]
    [Trait("Requirement", "R74")]
    public async Task Who_gave_a_device_away_has_no_access_at_the_next_request_and_the_history_tells_of_both()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("pump-1", owner: "anna");
        using var anna = installation.As("anna");
        using var bert = installation.As("bert");
        await Wait.Until(async () => (await StatusAsync(anna, "v1/devices/pump-1")) == HttpStatusCode.OK);

        using var given = await anna.PutAsJsonAsync("v1/devices/pump-1/owner", new OwnerRequest("bert"), WireJson.Default.OwnerRequest);

        Assert.Equal(HttpStatusCode.OK, given.StatusCode);
        await Wait.Until(async () => (await StatusAsync(bert, "v1/devices/pump-1")) == HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(anna, "v1/devices/pump-1"));
        var owners = await installation.GetAsync("v1/devices/pump-1/owners", WireJson.Default.ListOwnership);
        Assert.Equal(["anna", "bert"], owners.Select(static o => o.Owner));
        Assert.Equal([true, false], owners.Select(static o => o.Until is not null));
    }

    [Fact]
    [Trait("Requirement", "R73")]
    public async Task Everybody_sees_what_he_may_read_page_by_page()
    {
        await using var installation = await Installation.StartAsync();
        var batch = Enumerable.Range(0, 30).Select(static i => new RegisterRequest($"d-{i:00}", "sensor", i % 3 == 0 ? "anna" : "bert", i < 15 ? "hall" : "yard")).ToList();
        var registered = await Installation.PostAsync(installation.Olga, "v1/devices/batch", batch, WireJson.Default.ListRegisterRequest, WireJson.Default.ListRegistered);
        Assert.Equal(30, registered.Count);
        await Wait.Until(() => installation.Issuer.Facts.Count == 30);

        // A batch that is sent again does not tell secrets a second time.
        Assert.Empty(await Installation.PostAsync(installation.Olga, "v1/devices/batch", batch, WireJson.Default.ListRegisterRequest, WireJson.Default.ListRegistered));
        using var anna = installation.As("anna");
        var seen = new List<string>();
        for (string? after = ""; after is not null;)
        {
            using var page = await anna.GetAsync(new Uri($"v1/devices?limit=4&after={after}", UriKind.Relative));
            seen.AddRange((await page.Content.ReadFromJsonAsync(WireJson.Default.ListDeviceRecord))!.Select(static d => d.Id));
            after = page.Headers.TryGetValues("Next-After", out var next) ? next.Single() : null;
        }

        Assert.Equal(Enumerable.Range(0, 10).Select(static i => $"d-{i * 3:00}"), seen);
        var inHall = await anna.GetFromJsonAsync("v1/devices?group=hall&type=sensor&state=Active", WireJson.Default.ListDeviceRecord);
        Assert.Equal(5, inHall!.Count);
    }

    [Fact]
    public async Task Identity_hears_in_order_what_happened_while_it_was_away()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("lamp-1", owner: "anna");
        await Wait.Until(() => !installation.Issuer.Said.IsEmpty);
        installation.Issuer.Said.Clear();

        installation.Issuer.IsRegistryAway = true;
        foreach (string owner in (string[])["bert", "carl", "dora"])
        {
            using var given = await installation.Olga.PutAsJsonAsync("v1/devices/lamp-1/owner", new OwnerRequest(owner), WireJson.Default.OwnerRequest);
            Assert.Equal(HttpStatusCode.OK, given.StatusCode);
        }

        using var refused = await installation.Olga.PostAsJsonAsync("v1/devices", new RegisterRequest("lamp-2", "lamp"), WireJson.Default.RegisterRequest);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        await installation.CloseAsync();
        installation.Issuer.IsRegistryAway = false;
        await installation.OpenAsync();

        await Wait.Until(() => installation.Issuer.Facts["lamp-1"].Owner == "dora");
        Assert.Equal(["bert", "carl", "dora"], installation.Issuer.Said.Select(static s => s["lamp-1: ".Length..]).Distinct());
    }

    [Fact]
    [Trait("Requirement", "R23")]
    public async Task Revoking_makes_the_credentials_void_at_Identity_at_once_and_nothing_waits_for_the_device_any_more()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("rogue-1");
        await installation.PresenceAsync("rogue-1", isOnline: false);
        var waiting = await installation.CommandAsync("rogue-1", new CommandRequest("reboot"));

        using var revoked = await installation.Olga.PostAsync(new Uri("v1/devices/rogue-1/revoke", UriKind.Relative), null);

        // When the answer is there, Identity has told all entrances: they cut its connections.
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        Assert.False(installation.Issuer.Credentials.ContainsKey("rogue-1"));
        Assert.Contains("revoke rogue-1", installation.Issuer.Said);
        Assert.Equal(DeviceState.Revoked, (await installation.DeviceAsync("rogue-1")).State);
        Assert.Equal(CommandState.Refused, (await installation.CommandOfAsync("rogue-1", waiting.Id)).State);
        using var refused = await installation.Olga.PostAsJsonAsync("v1/devices/rogue-1/commands", new CommandRequest("reboot"), WireJson.Default.CommandRequest);
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);

        var again = await installation.RegisterAsync("rogue-1", owner: null);
        Assert.Equal((DeviceState.Registered, installation.Issuer.Credentials["rogue-1"]), (again.Device.State, again.Secret));
    }

    [Theory]
    [InlineData("Not-Valid", "pi")]
    [InlineData("", "pi")]
    [InlineData("ok-1", "")]
    [InlineData("../x", "pi")]
    public async Task What_is_no_device_is_refused(string id, string type)
    {
        await using var installation = await Installation.StartAsync();
        using var answer = await installation.Olga.PostAsJsonAsync("v1/devices", new RegisterRequest(id, type), WireJson.Default.RegisterRequest);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(new Uri(path, UriKind.Relative));
        return response.StatusCode;
    }

    [Fact]
    public async Task A_device_without_a_connection_counts_as_there_while_it_is_heard_of()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("board-1");
        Assert.False((await installation.DeviceAsync("board-1")).Online);

        await installation.Broker.PublishAsync(Topics.Of(Topics.Telemetry, "board-1"), "20"u8.ToArray());

        await Wait.Until(async () => (await installation.DeviceAsync("board-1")).Online);
    }
}
