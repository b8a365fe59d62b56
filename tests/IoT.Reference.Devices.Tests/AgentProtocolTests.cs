using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Tests;

/// <summary>What docs/device-agent.md says, asked of every agent there is.</summary>
[Trait("Requirement", "R72")]
public sealed class AgentProtocolTests
{
    public static TheoryData<string> Agents { get; } = ["csharp", "python"];

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task An_agent_tells_what_the_device_is_like_when_it_starts(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        ReportedState reported = await agent.Bus.ReportAsync();

        Assert.Equal(0, reported.Version);
        Assert.Equal("1.0.0", reported.Values.GetProperty("software").GetString());
        Assert.False(reported.Values.GetProperty("locked").GetBoolean());
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task A_command_is_done_answered_and_shows_in_the_next_report(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);
        await agent.Bus.ReportAsync();

        agent.Bus.Command(Command("c1", "set", new { output = "fan", value = 1 }));
        ReportedState reported = await agent.Bus.ReportAsync();
        CommandAck ack = await agent.Bus.AckAsync();

        Assert.Equal((("c1", CommandOutcome.Done)), (ack.Id, ack.Outcome));
        Assert.Equal(1, reported.Values.GetProperty("outputs").GetProperty("fan").GetDouble());
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task A_command_that_comes_again_is_answered_again_and_not_done_again(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        await agent.DoAsync("set", new { output = "fan", value = 1 }, id: "same");
        CommandAck again = await agent.DoAsync("set", new { output = "valve", value = 1 }, id: "same");
        await agent.DoAsync("reboot");
        ReportedState reported = await LastReportAsync(agent);

        Assert.Equal(CommandOutcome.Done, again.Outcome);
        Assert.False(reported.Values.GetProperty("outputs").TryGetProperty("valve", out _));
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task A_command_that_comes_too_late_is_not_done(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        CommandAck ack = await agent.DoAsync("set", new { output = "fan", value = 1 }, left: TimeSpan.FromSeconds(-1));

        Assert.Equal(CommandOutcome.Expired, ack.Outcome);
    }

    [Theory]
    [MemberData(nameof(Agents))]
    [Trait("Requirement", "R71")]
    public async Task A_locked_device_takes_few_commands(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        await agent.DoAsync("lock");
        CommandAck refused = await agent.DoAsync("set", new { output = "fan", value = 1 });
        CommandAck located = await agent.DoAsync("locate");
        await agent.DoAsync("unlock");
        CommandAck done = await agent.DoAsync("set", new { output = "fan", value = 1 });

        Assert.Equal((CommandOutcome.Refused, CommandOutcome.Done, CommandOutcome.Done), (refused.Outcome, located.Outcome, done.Outcome));
        Assert.Equal(48.137, located.Result!.Value.GetProperty("latitude").GetDouble());
    }

    [Theory]
    [MemberData(nameof(Agents))]
    [Trait("Requirement", "R26")]
    public async Task A_capability_that_is_desired_off_is_off(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);
        await agent.Bus.ReportAsync();

        agent.Bus.Desire(new DesiredState(3, System.Text.Json.JsonSerializer.SerializeToElement(new Dictionary<string, bool> { ["capabilities.camera"] = false })));
        ReportedState reported = await agent.Bus.ReportAsync();
        CommandAck refused = await agent.DoAsync("set", new { output = "camera", value = 1 });

        Assert.Equal(3, reported.Version);
        Assert.False(reported.Values.GetProperty("capabilities").GetProperty("camera").GetBoolean());
        Assert.Equal(CommandOutcome.Refused, refused.Outcome);
    }

    [Theory]
    [MemberData(nameof(Agents))]
    [Trait("Requirement", "R29")]
    public async Task Network_settings_that_cut_the_device_off_are_taken_back(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        CommandAck failed = await agent.DoAsync("network", new { profile = "unreachable-wifi", confirmWithinSeconds = 0.1 });
        CommandAck done = await agent.DoAsync("network", new { profile = "plant-wifi" });

        Assert.Equal(CommandOutcome.Failed, failed.Outcome);
        Assert.Contains("back to 'factory'", failed.Detail, StringComparison.Ordinal);
        Assert.Equal(CommandOutcome.Done, done.Outcome);
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task A_new_secret_is_used_from_then_on(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        await agent.DoAsync("rotate-credential", new { secret = "another" });
        await agent.DoAsync("reboot");

        Assert.Equal("Basic " + Convert.ToBase64String("dev7:another"u8), agent.Bus.Proof);
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task Wiping_takes_settings_and_outputs_away(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);
        await agent.DoAsync("set", new { output = "fan", value = 1 });

        agent.Bus.Command(Command("w", "wipe", null));
        ReportedState reported = await ReportAsync(agent, r => r.Values.GetProperty("wiped").GetBoolean());

        Assert.Empty(reported.Values.GetProperty("outputs").EnumerateObject());
    }

    [Theory]
    [MemberData(nameof(Agents))]
    public async Task What_an_agent_does_not_know_it_refuses(string kind)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync(kind);

        CommandAck unknown = await agent.DoAsync("self-destruct");
        CommandAck incomplete = await agent.DoAsync("set", new { output = "fan" });

        Assert.Equal((CommandOutcome.Refused, CommandOutcome.Refused), (unknown.Outcome, incomplete.Outcome));
    }

    private static DeviceCommand Command(string id, string name, object? arguments)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return new DeviceCommand(
            id, RunningAgent.Device, name, arguments is null ? null : System.Text.Json.JsonSerializer.SerializeToElement(arguments), now, now + TimeSpan.FromMinutes(5));
    }

    // The device reports after each command that it has done; the one behind it in the order is asked for by one more.
    private static async Task<ReportedState> LastReportAsync(RunningAgent agent)
    {
        agent.Bus.Command(Command("last", "set", new { output = "last", value = 1 }));
        return await ReportAsync(agent, r => r.Values.GetProperty("outputs").TryGetProperty("last", out _));
    }

    private static async Task<ReportedState> ReportAsync(RunningAgent agent, Func<ReportedState, bool> isIt)
    {
        ReportedState reported;
        do
        {
            reported = await agent.Bus.ReportAsync();
        }
        while (!isIt(reported));
        return reported;
    }
}
