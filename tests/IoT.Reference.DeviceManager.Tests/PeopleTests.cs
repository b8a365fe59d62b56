using System.Net.Http.Json;
using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class PeopleTests
{
    private const string Person = "annabella-weidenfeller", Nickname = "bellas-bedroom-lamp", Reason = "because-granny-asked", Place = "48.98765";

    [Fact]
    public async Task A_person_takes_everything_along_and_is_found_in_no_file_afterwards()
    {
        await using var installation = await Installation.StartAsync();
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, static c => new CommandAck(
            c.Id, CommandOutcome.Done, Result: System.Text.Json.JsonDocument.Parse($$"""{"latitude":{{Place}},"longitude":11}""").RootElement));
        await installation.RegisterAsync("lamp-1", owner: null);
        installation.Issuer.Permit(Person, Actions.Manage, Resources.Person(Person));
        installation.Issuer.Permit(Person, Actions.Administer, Resources.Jobs);
        await RunALifeAsync(installation);

        using var person = installation.As(Person);
        var export = await person.GetFromJsonAsync($"v1/people/{Person}/export", WireJson.Default.PersonalDevices);
        Assert.Equal("lamp-1", export!.Devices.Single().Id);
        Assert.Equal(Nickname, export.Devices.Single().Attributes!["nickname"]);
        Assert.Contains(export.Commands, static c => c.Reason == Reason);
        Assert.NotEmpty(export.Owned);
        Assert.NotEmpty(export.Jobs);
        Assert.NotEmpty(export.Audit);

        using var erased = await person.DeleteAsync(new Uri($"v1/people/{Person}", UriKind.Relative));
        Assert.Equal(["lamp-1"], (await erased.Content.ReadFromJsonAsync(WireJson.Default.ListString))!);

        await Wait.Until(() => installation.Issuer.Facts["lamp-1"].Owner is null);
        var device = await installation.DeviceAsync("lamp-1");
        Assert.Equal((DeviceState.Registered, null, null, null), (device.State, device.Owner, device.Attributes, device.Latitude));
        await installation.CloseAsync();
        foreach (string file in Directory.EnumerateFiles(installation.Folder, "*", SearchOption.AllDirectories))
        {
            Assert.All((string[])[Person, Nickname, Reason, Place], word => Assert.False(Files.Contain(file, word), $"{word} is in {file}"));
        }

        await installation.OpenAsync();
        var audit = await installation.GetAsync("v1/audit?device=lamp-1", WireJson.Default.ListAuditEntry);
        Assert.Single(audit.Where(static e => e.Subject.StartsWith("erased-", StringComparison.Ordinal)).Select(static e => e.Subject).Distinct());
    }

    private static async Task RunALifeAsync(Installation installation)
    {
        using var given = await installation.Olga.PutAsJsonAsync("v1/devices/lamp-1/owner", new OwnerRequest(Person), WireJson.Default.OwnerRequest);
        Assert.True(given.IsSuccessStatusCode);
        await Wait.Until(() => installation.Issuer.Facts["lamp-1"].Owner == Person);
        using var person = installation.As(Person);
        var patch = new DevicePatch(Attributes: new Dictionary<string, string> { ["nickname"] = Nickname });
        using var named = await person.PatchAsJsonAsync("v1/devices/lamp-1", patch, WireJson.Default.DevicePatch);
        using var located = await person.PostAsync(new Uri("v1/devices/lamp-1/locate?reason=" + Reason, UriKind.Relative), null);
        var job = new JobRequest(Nickname, new CommandRequest("blink", Reason: Reason), Devices: ["lamp-1"]);
        using var started = await person.PostAsJsonAsync("v1/jobs", job, WireJson.Default.JobRequest);
        using var desired = await person.PutAsJsonAsync("v1/devices/lamp-1/desired", System.Text.Json.JsonDocument.Parse($$"""{"name":"{{Nickname}}"}""").RootElement, WireJson.Default.JsonElement);
        Assert.True(named.IsSuccessStatusCode && located.IsSuccessStatusCode && started.IsSuccessStatusCode && desired.IsSuccessStatusCode);
        await installation.Broker.PublishAsync("reported/lamp-1", System.Text.Encoding.UTF8.GetBytes($$"""{"version":1,"values":{"name":"{{Nickname}}"} }"""), MqttQualityOfService.AtLeastOnce);
        await Wait.Until(async () => (await installation.DeviceAsync("lamp-1")).Latitude is not null);
        await Wait.Until(async () => (await installation.GetAsync("v1/devices/lamp-1/commands", WireJson.Default.ListCommandRecord)).TrueForAll(static c => c.State == CommandState.Acked)
            && (await installation.GetAsync("v1/devices/lamp-1/state", WireJson.Default.DeviceTwin)).Reported is not null);
        await Wait.Until(async () => (await installation.GetAsync("v1/jobs", WireJson.Default.ListJobRecord))[0].State == JobState.Done);
    }
}
