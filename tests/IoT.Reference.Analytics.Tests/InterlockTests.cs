using IoT.Reference.Analytics.Commands;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Contracts;

using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Analytics.Tests;

public sealed class InterlockTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    [Theory]
    [Trait("Requirement", "R34")]
    [InlineData("fan", 1, true)]
    [InlineData("fan", 1.01, false)]
    [InlineData("fan", -0.01, false)]
    [InlineData("fan", double.NaN, false)]
    [InlineData("fan", double.PositiveInfinity, false)]
    [InlineData("oven", 1, false)]
    public void What_is_out_of_bounds_or_not_known_is_refused(string output, double value, bool isSent) =>
        Assert.Equal(isSent ? Verdict.Send : Verdict.Refuse, New().Ask(Wish() with { Output = output, Value = value }).Verdict);

    [Fact]
    [Trait("Requirement", "R34")]
    public void A_device_gets_so_many_commands_a_minute_and_no_other_pays_for_it()
    {
        var interlock = New(new InterlockSettings(Fan(), CommandsPerMinute: 3));
        Assert.Equal([Verdict.Send, Verdict.Send, Verdict.Send, Verdict.Refuse], Enumerable.Range(0, 4).Select(_ => interlock.Ask(Wish()).Verdict));
        Assert.Equal(Verdict.Send, interlock.Ask(Wish() with { Device = "dev2" }).Verdict);
        _clock.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal([Verdict.Send, Verdict.Refuse], Enumerable.Range(0, 2).Select(_ => interlock.Ask(Wish()).Verdict));
    }

    [Fact]
    [Trait("Requirement", "R34")]
    public void A_wish_that_is_older_than_a_command_may_be_is_refused()
    {
        var interlock = New(new InterlockSettings(Fan(), TimeToLive: TimeSpan.FromSeconds(30)));
        var wish = Wish();
        _clock.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(Verdict.Refuse, interlock.Ask(wish).Verdict);
    }

    [Fact]
    [Trait("Requirement", "R34")]
    public void A_dangerous_output_needs_two_different_rules_within_a_minute()
    {
        var interlock = New(new InterlockSettings(new Dictionary<string, OutputLimits> { ["fan"] = new(0, 1, NeedsTwo: true) }));
        Assert.Equal(Verdict.Wait, interlock.Ask(Wish()).Verdict);
        Assert.Equal(Verdict.Wait, interlock.Ask(Wish()).Verdict);
        Assert.Equal(Verdict.Send, interlock.Ask(Wish() with { Rule = "second" }).Verdict);
        Assert.Equal(Verdict.Wait, interlock.Ask(Wish()).Verdict);
        _clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(Verdict.Wait, interlock.Ask(Wish() with { Rule = "second" }).Verdict);
    }

    [Fact]
    [Trait("Requirement", "R34")]
    public void In_simulation_nothing_is_sent_and_the_same_is_refused()
    {
        var interlock = New(new InterlockSettings(Fan(), IsSimulation: true));
        Assert.Equal(Verdict.Simulate, interlock.Ask(Wish()).Verdict);
        Assert.Equal(Verdict.Refuse, interlock.Ask(Wish() with { Value = 5 }).Verdict);
    }

    [Fact]
    public void Settings_that_make_no_sense_are_told()
    {
        Assert.Null(Interlock.Check(Interlock.Default));
        Assert.NotNull(Interlock.Check(new InterlockSettings(new Dictionary<string, OutputLimits> { ["fan"] = new(2, 1) })));
        Assert.NotNull(Interlock.Check(new InterlockSettings(Fan(), CommandsPerMinute: double.NaN)));
        Assert.NotNull(Interlock.Check(new InterlockSettings(Fan(), TimeToLive: TimeSpan.Zero)));
    }

    private static Dictionary<string, OutputLimits> Fan() => new() { ["fan"] = new(0, 1) };

    private Interlock New(InterlockSettings? settings = null) => new(settings ?? Interlock.Default, _clock);

    private CommandWish Wish() => new("dev1", "fan", 1, "overheating", _clock.GetUtcNow());
}
