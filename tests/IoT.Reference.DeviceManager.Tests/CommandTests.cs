using System.Net;
using System.Net.Http.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class CommandTests
{
    [Fact]
    [Trait("Requirement", "R13")]
    public async Task A_command_has_an_id_a_time_and_a_state_that_the_device_moves_on()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("fan-1");
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, static _ => null);
        var given = await installation.CommandAsync("fan-1", new CommandRequest("set", Trace: "00-1-2-01", TimeToLive: TimeSpan.FromMinutes(5)));
        await installation.BecomesAsync(given, CommandState.Sent);
        await Wait.Until(() => !fleet.Commands.IsEmpty);
        Assert.Equal((given.Id, given.Created.AddMinutes(5), "00-1-2-01"), (fleet.Commands.First().Id, fleet.Commands.First().Expires, fleet.Commands.First().Trace));

        await installation.AckAsync("fan-1", new CommandAck(given.Id, CommandOutcome.Accepted));
        await installation.BecomesAsync(given, CommandState.Delivered);

        // Another device's answer, and one that is no answer, move nothing.
        await installation.AckAsync("fan-2", new CommandAck(given.Id, CommandOutcome.Failed));
        await installation.Broker.PublishAsync("acks/fan-1", "{"u8.ToArray());
        await installation.Broker.PublishAsync("acks/fan-1", "{}"u8.ToArray());
        await installation.AckAsync("fan-1", new CommandAck(given.Id, CommandOutcome.Done));
        await installation.BecomesAsync(given, CommandState.Acked);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task A_command_that_nobody_answers_is_repeated_under_its_id_and_ends_with_its_time()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var installation = await Installation.StartAsync(o => o with { TimeProvider = time });
        await installation.RegisterAsync("fan-1");
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, static _ => null);
        var given = await installation.CommandAsync("fan-1", new CommandRequest("reboot", TimeToLive: TimeSpan.FromMinutes(10)));
        await Wait.Until(() => fleet.Commands.Count == 1);

        await Wait.Until(() =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            return fleet.Commands.Count >= 2;
        });
        Assert.Single(fleet.Commands.Select(static c => c.Id).Distinct());
        time.Advance(TimeSpan.FromMinutes(10));
        await Wait.Until(async () =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return (await installation.CommandOfAsync("fan-1", given.Id)).State == CommandState.Expired;
        });
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task A_command_for_a_device_that_is_away_waits_until_anything_is_heard_of_it()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("sleepy-1");
        await installation.PresenceAsync("sleepy-1", isOnline: true);
        await Wait.Until(async () => (await installation.DeviceAsync("sleepy-1")).Online);
        await installation.PresenceAsync("sleepy-1", isOnline: false);
        await Wait.Until(async () => !(await installation.DeviceAsync("sleepy-1")).Online);
        await using var fleet = await FakeFleet.StartAsync(installation.Bus);
        var given = await installation.CommandAsync("sleepy-1", new CommandRequest("reboot"));
        Assert.Equal(CommandState.Queued, (await installation.CommandOfAsync("sleepy-1", given.Id)).State);

        await installation.Broker.PublishAsync("t/sleepy-1", "1"u8.ToArray());

        await installation.BecomesAsync(given, CommandState.Acked);
        await Wait.Until(async () => (await installation.DeviceAsync("sleepy-1")).LastSeen is not null);
    }

    [Fact]
    public async Task Commands_that_wait_for_one_device_are_bounded()
    {
        await using var installation = await Installation.StartAsync(o => o with { MaxOpenCommands = 3 });
        await installation.RegisterAsync("fan-1");
        for (int i = 0; i < 3; i++)
        {
            await installation.CommandAsync("fan-1", new CommandRequest("reboot"));
        }

        using var fourth = await installation.Olga.PostAsJsonAsync("v1/devices/fan-1/commands", new CommandRequest("reboot"), WireJson.Default.CommandRequest);
        Assert.Equal(HttpStatusCode.Conflict, fourth.StatusCode);
    }

    [Theory]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":"a/b"}""")]
    [InlineData("""{"name":"wipe"}""")]
    [InlineData("""{"name":"set","arguments":[1]}""")]
    [InlineData("""{"name":"set","timeToLive":"-00:00:01"}""")]
    [InlineData("""{"name":"set","timeToLive":"400.00:00:00"}""")]
    public async Task A_command_that_makes_no_sense_is_refused(string json)
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("fan-1");
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var answer = await installation.Olga.PostAsync(new Uri("v1/devices/fan-1/commands", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }
}
