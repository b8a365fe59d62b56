using System.Net.Http.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class JobTests
{
    [Fact]
    [Trait("Requirement", "R69")]
    public async Task A_command_for_ten_thousand_devices_goes_out_in_stages_and_stops_at_the_group_that_fails()
    {
        await using var installation = await Installation.StartAsync();
        await RegisterAsync(installation, 10_000);

        // Those from 3,000 on are of a batch that can't do it: the first two stages, to 20 percent, do not meet them.
        await using var fleet = await FakeFleet.StartAsync(
            installation.Bus, c => new CommandAck(c.Id, string.CompareOrdinal(c.Device, "d-03000") < 0 ? CommandOutcome.Done : CommandOutcome.Failed));

        var job = await StartAsync(installation, new JobRequest("blink", new CommandRequest("blink"), Type: "sensor", Stages: [1, 20, 100], PerSecond: 2_000, ErrorThreshold: 0.05));
        var ended = await installation.EndOfAsync(job.Id);

        Assert.Equal((JobState.Stopped, 2, 10_000), (ended.State, ended.Stage, ended.Total));
        Assert.Contains("stage 3", ended.Detail, StringComparison.Ordinal);

        // Five percent of the last stage's 8,000 may fail; what is on its way when that is known is not more than some ticks' commands.
        Assert.InRange(ended.Failed, 401, 6_000);
        Assert.True(ended.Waiting > 0);
        Assert.True(fleet.Commands.Count < 10_000);
        Assert.Equal(fleet.Commands.Count, fleet.Commands.Select(static c => c.Device).Distinct().Count());
    }

    [Fact]
    [Trait("Requirement", "R69")]
    public async Task A_job_goes_on_after_a_restart_and_each_device_gets_its_command_under_one_id()
    {
        await using var installation = await Installation.StartAsync();
        await RegisterAsync(installation, 2_000);
        await using var fleet = await FakeFleet.StartAsync(installation.Bus);
        var job = await StartAsync(installation, new JobRequest("blink", new CommandRequest("blink"), Type: "sensor", PerSecond: 1_500));
        await Wait.Until(() => fleet.Commands.Count > 300);

        await installation.CloseAsync();
        int before = fleet.Commands.Count;
        Assert.InRange(before, 301, 1_999);
        await installation.OpenAsync();
        var ended = await installation.EndOfAsync(job.Id);

        Assert.Equal((JobState.Done, 2_000, 0), (ended.State, ended.Done, ended.Failed));
        var ids = fleet.Commands.GroupBy(static c => c.Device).ToDictionary(static g => g.Key, static g => g.Select(static c => c.Id).Distinct().Count());
        Assert.Equal(2_000, ids.Count);
        Assert.All(ids.Values, static count => Assert.Equal(1, count));
    }

    [Fact]
    [Trait("Requirement", "R69")]
    public async Task No_more_commands_go_out_in_a_second_than_the_rate()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var installation = await Installation.StartAsync(o => o with { TimeProvider = time });
        await RegisterAsync(installation, 50);
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, static _ => null);
        var job = await StartAsync(installation, new JobRequest("blink", new CommandRequest("blink"), Type: "sensor", PerSecond: 10, StageTimeout: TimeSpan.FromHours(1)));

        await PassAsync(installation, time, job.Id, TimeSpan.FromSeconds(2));
        Assert.InRange((await JobAsync(installation, job.Id)).Sent, 1, 20);
        await Wait.Until(async () =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return (await JobAsync(installation, job.Id)).Sent == 50;
        });

        // Nobody answers: the stage is over after its time, and all have failed.
        time.Advance(TimeSpan.FromHours(1));
        await Wait.Until(async () =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return (await JobAsync(installation, job.Id)).State == JobState.Stopped;
        });
        Assert.Equal(50, (await JobAsync(installation, job.Id)).Failed);
    }

    [Fact]
    [Trait("Requirement", "R69")]
    public async Task A_job_is_paused_resumed_and_cancelled()
    {
        await using var installation = await Installation.StartAsync();
        await RegisterAsync(installation, 60);
        await using var fleet = await FakeFleet.StartAsync(installation.Bus);
        var job = await StartAsync(installation, new JobRequest("blink", new CommandRequest("blink"), Group: "g-1", PerSecond: 100));
        Assert.Equal(JobState.Paused, (await MoveAsync(installation, job.Id, "pause")).State);
        var paused = await JobAsync(installation, job.Id);
        Assert.True(paused.Waiting > 0);

        await MoveAsync(installation, job.Id, "resume");
        Assert.Equal(JobState.Done, (await installation.EndOfAsync(job.Id)).State);

        var second = await StartAsync(installation, new JobRequest("blink", new CommandRequest("blink"), Devices: ["d-00001", "d-00002", "no-such"], PerSecond: 0.5));
        Assert.Equal(2, second.Total);
        Assert.Equal(JobState.Cancelled, (await MoveAsync(installation, second.Id, "cancel")).State);
        using var again = await installation.Olga.PostAsync(new Uri($"v1/jobs/{second.Id}/resume", UriKind.Relative), null);
        Assert.Equal(409, (int)again.StatusCode);
    }

    [Theory]
    [InlineData("""{"name":"x","command":{"name":"blink"}}""")]
    [InlineData("""{"name":"x","command":{"name":"blink"},"type":"sensor","stages":[10,5,100]}""")]
    [InlineData("""{"name":"x","command":{"name":"blink"},"type":"sensor","stages":[50]}""")]
    [InlineData("""{"name":"x","command":{"name":"blink"},"type":"sensor","perSecond":0}""")]
    [InlineData("""{"name":"x","command":{"name":"blink"},"type":"sensor","errorThreshold":2}""")]
    [InlineData("""{"name":"x","command":{"name":"wipe"},"type":"sensor"}""")]
    [InlineData("""{"name":"x","type":"sensor"}""")]
    [InlineData("""not json""")]
    public async Task A_job_that_makes_no_sense_is_refused(string json)
    {
        await using var installation = await Installation.StartAsync();
        await RegisterAsync(installation, 1);
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var answer = await installation.Olga.PostAsync(new Uri("v1/jobs", UriKind.Relative), content);
        Assert.Equal(400, (int)answer.StatusCode);
    }

    internal static async Task RegisterAsync(Installation installation, int count)
    {
        var batch = Enumerable.Range(0, count).Select(static i => new RegisterRequest($"d-{i:00000}", "sensor", "anna", "g-" + (i % 3))).ToList();
        var registered = await Installation.PostAsync(installation.Olga, "v1/devices/batch", batch, WireJson.Default.ListRegisterRequest, WireJson.Default.ListRegistered);
        Assert.Equal(count, registered.Count);
    }

    private static Task<JobRecord> StartAsync(Installation installation, JobRequest request) =>
        Installation.PostAsync(installation.Olga, "v1/jobs", request, WireJson.Default.JobRequest, WireJson.Default.JobRecord);

    private static Task<JobRecord> JobAsync(Installation installation, string id) => installation.GetAsync("v1/jobs/" + id, WireJson.Default.JobRecord);

    private static async Task<JobRecord> MoveAsync(Installation installation, string id, string how)
    {
        using var response = await installation.Olga.PostAsync(new Uri($"v1/jobs/{id}/{how}", UriKind.Relative), null);
        return (await response.Content.ReadFromJsonAsync(WireJson.Default.JobRecord))!;
    }

    // A tick of the manager is 100 ms of its clock; each is waited for by what it did, or by the next request if it did nothing.
    private static async Task PassAsync(Installation installation, FakeTimeProvider time, string job, TimeSpan span)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromMilliseconds(100))
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await JobAsync(installation, job);
        }
    }
}
