using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Devices.Agent;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.DeviceManager.Tests;

/// <summary>The manager and a real agent, with a broker between them.</summary>
public sealed class AgentTests
{
    [Fact]
    [Trait("Requirement", "R26")]
    public async Task A_capability_is_disabled_and_the_device_says_that_it_is()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("cam-1");
        await using var agent = await StartAsync(installation, "cam-1");

        using var content = new StringContent("""{"capabilities.camera":false,"outputs.fan":1}""", System.Text.Encoding.UTF8, "application/json");
        using var desired = await installation.Olga.PutAsync(new Uri("v1/devices/cam-1/desired", UriKind.Relative), content);

        Assert.True(desired.IsSuccessStatusCode);
        await Wait.Until(async () => await installation.GetAsync("v1/devices/cam-1/state", WireJson.Default.DeviceTwin) is { Desired.Version: var version, Reported: { } reported, Differs: [] } && reported.Version == version);
        Assert.False(agent.State.Capabilities["camera"]);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    [Trait("Requirement", "R27")]
    public async Task A_lost_device_says_where_it_is_and_is_found_again_by_its_place()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("bike-1");
        await using var agent = await StartAsync(installation, "bike-1");

        var located = await installation.BecomesAsync(await installation.DoAsync("v1/devices/bike-1/locate"), CommandState.Acked);

        Assert.Equal(48.137, located.Result!.Value.GetProperty("latitude").GetDouble());
        var device = await installation.DeviceAsync("bike-1");
        Assert.Equal((48.137, 11.575), (device.Latitude, device.Longitude));
        Assert.Single(await installation.GetAsync("v1/devices?near=48.14,11.58,1000", WireJson.Default.ListDeviceRecord));
        Assert.Empty(await installation.GetAsync("v1/devices?near=48.14,11.60,1000", WireJson.Default.ListDeviceRecord));
    }

    [Fact]
    [Trait("Requirement", "R29")]
    public async Task Network_settings_that_do_not_work_are_taken_back_by_the_device()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("box-1");
        await using var agent = await StartAsync(installation, "box-1");

        await installation.BecomesAsync(await installation.DoAsync("v1/devices/box-1/network", """{"profile":"hall-wifi"}"""), CommandState.Acked);
        var failed = await installation.BecomesAsync(
            await installation.DoAsync("v1/devices/box-1/network", """{"profile":"unreachable","confirmWithinSeconds":1}"""), CommandState.Failed);

        Assert.Contains("back to 'hall-wifi'", failed.Detail, StringComparison.Ordinal);
        Assert.Equal("hall-wifi", agent.State.Network);
    }

    [Fact]
    [Trait("Requirement", "R25")]
    public async Task A_new_secret_reaches_the_device_and_nobody_else()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("box-1");
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, devices: "box-1");
        string before = installation.Issuer.Credentials["box-1"];

        var done = await installation.BecomesAsync(await installation.DoAsync("v1/devices/box-1/rotate", """{"overlap":"1.00:00:00"}"""), CommandState.Acked);

        string secret = installation.Issuer.Credentials["box-1"];
        Assert.NotEqual(before, secret);
        Assert.Equal(secret, fleet.Commands.Single().Arguments!.Value.GetProperty("secret").GetString());
        Assert.Null(done.Arguments);
        await installation.CloseAsync();
        Assert.DoesNotContain(Directory.EnumerateFiles(installation.Folder), file => Files.Contain(file, secret));
        await installation.OpenAsync();
    }

    [Fact]
    [Trait("Requirement", "R71")]
    public async Task A_locked_device_takes_nothing_but_what_a_lost_device_needs()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("phone-1");
        await using var agent = await StartAsync(installation, "phone-1");

        await installation.BecomesAsync(await installation.DoAsync("v1/devices/phone-1/lock"), CommandState.Acked);
        Assert.True(agent.State.IsLocked);
        using var content = JsonContent("""{"name":"reboot"}""");
        using var refused = await installation.Olga.PostAsync(new Uri("v1/devices/phone-1/commands", UriKind.Relative), content);
        Assert.Equal(409, (int)refused.StatusCode);
        await installation.BecomesAsync(await installation.DoAsync("v1/devices/phone-1/locate"), CommandState.Acked);
        await installation.BecomesAsync(await installation.DoAsync("v1/devices/phone-1/unlock"), CommandState.Acked);
        await installation.BecomesAsync(await installation.CommandAsync("phone-1", new CommandRequest("reboot")), CommandState.Acked);

        Assert.False(agent.State.IsLocked);
        Assert.Equal(DeviceState.Active, (await installation.DeviceAsync("phone-1")).State);
    }

    [Fact]
    [Trait("Requirement", "R28")]
    [Trait("Requirement", "R71")]
    public async Task A_stolen_device_that_is_off_wipes_itself_when_it_comes_back_even_after_a_restart_of_the_manager()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("phone-1");
        await installation.PresenceAsync("phone-1", isOnline: true);
        await Wait.Until(async () => (await installation.DeviceAsync("phone-1")).Online);
        await installation.PresenceAsync("phone-1", isOnline: false);
        await Wait.Until(async () => !(await installation.DeviceAsync("phone-1")).Online);

        var locked = await installation.DoAsync("v1/devices/phone-1/lock?reason=stolen");
        var wipe = await installation.DoAsync("v1/devices/phone-1/wipe?reason=stolen");
        Assert.Equal(CommandState.Queued, (await installation.CommandOfAsync("phone-1", wipe.Id)).State);
        await installation.CloseAsync();
        await installation.OpenAsync();
        Assert.Equal(CommandState.Queued, (await installation.CommandOfAsync("phone-1", wipe.Id)).State);

        await using var agent = await StartAsync(installation, "phone-1");
        await installation.PresenceAsync("phone-1", isOnline: true);

        await installation.BecomesAsync(wipe, CommandState.Acked);
        await installation.BecomesAsync(locked, CommandState.Acked);
        Assert.True(agent.State.IsWiped);
        Assert.Equal(DeviceState.Wiped, (await installation.DeviceAsync("phone-1")).State);
        await Wait.Until(() => installation.Issuer.Facts["phone-1"].Locked);
        var audit = await installation.GetAsync("v1/audit?device=phone-1", WireJson.Default.ListAuditEntry);
        Assert.Contains(audit, static e => e is { Subject: "olga", Action: "command:wipe", Outcome: "done", Detail: "stolen" });
        Assert.Contains(audit, static e => e is { Subject: "device:phone-1", Action: "answer:wipe", Outcome: "done" });
    }

    internal static async Task<DeviceAgent> StartAsync(Installation installation, string device, Func<AgentOptions, AgentOptions>? change = null)
    {
        var options = new AgentOptions { Device = device, Type = "pi", Location = (48.137, 11.575) };
#pragma warning disable CA2000 // The agent disposes its link.
        var agent = new DeviceAgent(change?.Invoke(options) ?? options, new MqttLink(device, "secret", installation.Bus, isSmall: false, new Random(1), TimeProvider.System));
#pragma warning restore CA2000
        await agent.StartAsync(CancellationToken.None);
        return agent;
    }

    private static StringContent JsonContent(string json) => new(json, System.Text.Encoding.UTF8, "application/json");
}
