using System.Text.Json;

using IoT.Reference.Analytics.Rules;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Tests;

public sealed class RuleTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_value_that_trembles_around_the_limit_is_one_alert_and_the_fan_goes_on_and_off_once(int shards)
    {
        var harness = new RuleHarness();
        double[] values = [60, 71, 69, 72, 69.5, 66, 73, 64, 60];
        for (int i = 0; i < values.Length; i++)
        {
            harness.Read(i, values[i]);
        }

        var signals = await harness.SignalsAsync(Overheating.Declare, shards);
        Assert.Equal([(false, 60.0), (true, 71), (false, 64)], signals.Select(s => (s.IsRaised, s.Value!.Value)));
        Assert.Equal([1.0, 0], signals.Where(s => s.Wish is not null).Select(s => s.Wish!.Value));
    }

    [Fact]
    [Trait("Requirement", "R128")]
    public async Task A_threshold_that_changes_while_the_rule_runs_keeps_its_state()
    {
        var harness = new RuleHarness().Read(0, 60).Read(1, 75).Read(2, 72);
        harness.Thresholds.Declare("other", "x", 1, 0, 2);
        await harness.SignalsAsync(Overheating.Declare);
        Assert.NotNull(harness.Thresholds.Set(Overheating.Name, JsonDocument.Parse("""{"limit":"hot"}""").RootElement));
        Assert.NotNull(harness.Thresholds.Set(Overheating.Name, JsonDocument.Parse("""{"limit":75,"nonsense":1}""").RootElement));
        Assert.Equal(70, harness.Thresholds.Of(Overheating.Name)[0].Value);
        Assert.Null(harness.Thresholds.Set(Overheating.Name, JsonDocument.Parse("""{"limit":75}""").RootElement));
        Assert.Equal(75, harness.Thresholds.Of(Overheating.Name)[0].Value);
    }

    [Fact]
    public async Task Warm_warmer_and_hot_within_five_minutes_is_rising_heat()
    {
        var signals = await new RuleHarness().Read(0, 40).Read(10, 46).Read(20, 50).Read(30, 62).Read(40, 62).SignalsAsync(RisingHeat.Declare);
        Assert.Equal(62, Assert.Single(signals).Value);
        Assert.Empty(await new RuleHarness().Read(0, 46).Read(200, 50).Read(400, 62).SignalsAsync(RisingHeat.Declare));
    }

    [Fact]
    public async Task A_jump_is_too_fast_a_change()
    {
        var signals = await new RuleHarness().Read(0, 40).Read(10, 45).Read(20, 70).Read(30, 71).SignalsAsync(RateOfChange.Declare);
        Assert.Equal(150, Assert.Single(signals).Value!.Value, 6);
    }

    [Fact]
    public async Task A_reading_far_from_the_median_of_those_before_is_unusual_and_a_wave_is_not()
    {
        var harness = new RuleHarness();
        for (int i = 0; i < 100; i++)
        {
            harness.Read(i, 40 + Math.Sin(i / 5.0) + (i == 80 ? 30 : 0));
        }

        var signal = Assert.Single(await harness.SignalsAsync(Anomaly.Declare));
        Assert.Equal(RuleHarness.Start.AddSeconds(80), signal.Time);
        Assert.True(signal.Value > 20);
    }

    [Fact]
    public async Task A_value_that_creeps_away_is_drift_and_one_that_stays_is_not()
    {
        var harness = new RuleHarness();
        for (int i = 0; i < 120; i++)
        {
            harness.Read(i * 10, 40 + (i * 0.1) + (0.3 * Math.Sin(i)), "drifts").Read(i * 10, 40 + (0.3 * Math.Sin(i)), "stays");
        }

        var signals = await harness.SignalsAsync(Drift.Declare);
        Assert.Contains(signals, s => s is { Device: "drifts", IsRaised: true });
        Assert.DoesNotContain(signals, s => s is { Device: "stays", IsRaised: true });
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task A_device_that_sleeps_is_missed_only_after_its_own_time()
    {
        var harness = new RuleHarness();
        harness.Devices.Rows.Set("sleeper", Device("sleeper", TimeSpan.FromMinutes(10)));
        harness.Read(0, 20, "sleeper").Read(0, 20, "awake").Read(0, 20, "clock");
        for (int i = 1; i <= 60; i++)
        {
            harness.Read(i * 20, 20, "clock");
        }

        harness.Read(1_201, 20, "awake");
        var signals = await harness.SignalsAsync(Missing.Declare);
        Assert.Equal([("awake", true), ("sleeper", true), ("awake", false)], signals.Select(s => (s.Device, s.IsRaised)).OrderBy(s => s is { Item1: "awake", Item2: true } ? 0 : s.Item2 ? 1 : 2));
        Assert.Contains("15 minutes", signals.Single(s => s.Device == "sleeper").Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData(0.6, 1)]
    [InlineData(1.0, 15)]
    [InlineData(60.0, 120)]
    [InlineData(5_000.0, 2_160)]
    public void A_device_is_in_the_first_class_half_as_long_again_as_its_sleep(double? sleepMinutes, double classMinutes) =>
        Assert.Equal(TimeSpan.FromMinutes(classMinutes), Missing.ClassOf(sleepMinutes is { } m ? TimeSpan.FromMinutes(m) : null));

    [Fact]
    [Trait("Requirement", "R27")]
    public async Task A_device_that_leaves_its_place_raises_and_clears_when_it_is_back()
    {
        var harness = new RuleHarness();
        harness.Devices.Rows.Set("dev1", Device("dev1", null) with { Latitude = 52.5, Longitude = 13.4 });
        harness.Notice(0, DeviceEventKinds.Located, latitude: 52.5, longitude: 13.4).Notice(60, DeviceEventKinds.Located, latitude: 52.6, longitude: 13.4)
            .Notice(120, DeviceEventKinds.Located, latitude: 52.5, longitude: 13.4).Notice(120, DeviceEventKinds.Located, "unknown", latitude: 0, longitude: 0);
        Assert.Equal([false, true, false], (await harness.SignalsAsync(Geofence.Declare)).Select(s => s.IsRaised));
    }

    [Fact]
    [Trait("Requirement", "R33")]
    public async Task Berlin_and_new_york_within_an_hour_is_impossible_travel_and_a_walk_is_not()
    {
        var signals = await new RuleHarness()
            .Notice(0, DeviceEventKinds.Located, latitude: 52.52, longitude: 13.405).Notice(60, DeviceEventKinds.Located, latitude: 52.53, longitude: 13.405)
            .Notice(3_600, DeviceEventKinds.Located, latitude: 40.71, longitude: -74.006).SignalsAsync(ImpossibleTravel.Declare);
        Assert.InRange(Assert.Single(signals).Value!.Value, 6_350, 6_420);
    }

    [Fact]
    [Trait("Requirement", "R33")]
    public async Task Five_refusals_within_a_minute_raise_and_five_in_ten_minutes_do_not()
    {
        var harness = new RuleHarness();
        for (int i = 0; i < 5; i++)
        {
            harness.Refuse(i * 2, "guesser");
        }

        for (int i = 0; i < 5; i++)
        {
            harness.Refuse(100 + (i * 120), "clumsy").Refuse(101 + (i * 120), "rule:overheating", "analytics");
        }

        var signals = await harness.SignalsAsync(AuthenticationFailures.Declare);
        Assert.NotEmpty(signals);
        Assert.All(signals, s => Assert.Equal(("guesser", 5.0), (s.Device, s.Value)));
    }

    [Fact]
    [Trait("Requirement", "R33")]
    public async Task A_device_that_floods_is_told_from_one_that_does_not()
    {
        var harness = new RuleHarness();
        for (int i = 0; i < 300; i++)
        {
            harness.Read(i / 30.0, 20, "flood");
            if (i % 30 == 0)
            {
                harness.Read(i / 30.0, 20, "calm");
            }
        }

        var signal = Assert.Single(await harness.SignalsAsync(MessageRate.Declare));
        Assert.Equal(("flood", 30.0), (signal.Device, signal.Value));
    }

    [Fact]
    [Trait("Requirement", "R32")]
    public async Task A_fridge_that_sends_mail_is_found()
    {
        var signal = Assert.Single(await new RuleHarness()
            .Notice(0, DeviceEventKinds.Contacted, "fridge", "broker.example", 8883).Notice(1, DeviceEventKinds.Contacted, "fridge", "mail.example", 25).SignalsAsync(ForbiddenPort.Declare));
        Assert.Equal(("fridge", Severity.Critical, 25.0), (signal.Device, signal.Severity, signal.Value));
    }

    [Fact]
    [Trait("Requirement", "R33")]
    public async Task A_host_that_is_new_is_told_once_the_usual_ones_are_learned()
    {
        var harness = new RuleHarness();
        string[] hosts = ["a.example", "b.example", "a.example", "c.example", "c.example", "b.example"];
        for (int i = 0; i < hosts.Length; i++)
        {
            harness.Notice(i, DeviceEventKinds.Contacted, destination: hosts[i], port: 443);
        }

        Assert.Contains("c.example", Assert.Single(await harness.SignalsAsync(NewDestination.Declare)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_comes_and_goes_is_flapping()
    {
        var harness = new RuleHarness();
        for (int i = 0; i < 5; i++)
        {
            harness.Lose(i * 30).Lose(i * 200, "now-and-then");
        }

        Assert.Equal(["dev1"], (await harness.SignalsAsync(Flapping.Declare)).Select(s => s.Device).Distinct());
    }

    private static DeviceRecord Device(string id, TimeSpan? sleeps) => new(id, "pi", DeviceState.Active, "anna", null, null, null, RuleHarness.Start, null, true, sleeps);
}
