using IoT.Reference.Analytics.Alerts;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Analytics.Tests;

public sealed class AlertTests : IDisposable
{
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TempFolder _folder = new();
    private readonly FakeTimeProvider _clock = new(_start);
    private readonly Store _store;
    private readonly AlertBook _book;

    public AlertTests()
    {
        _store = new Store(_folder.File("alerts.db"));
        _book = NewBook();
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [Trait("Requirement", "R130")]
    [InlineData(AlertState.Raised, AlertTriggers.Wait, AlertState.Escalated)]
    [InlineData(AlertState.Raised, AlertTriggers.Acknowledge, AlertState.Acknowledged)]
    [InlineData(AlertState.Raised, AlertTriggers.Clear, AlertState.Cleared)]
    [InlineData(AlertState.Escalated, AlertTriggers.Wait, null)]
    [InlineData(AlertState.Escalated, AlertTriggers.Acknowledge, AlertState.Acknowledged)]
    [InlineData(AlertState.Escalated, AlertTriggers.Clear, AlertState.Cleared)]
    [InlineData(AlertState.Acknowledged, AlertTriggers.Wait, null)]
    [InlineData(AlertState.Acknowledged, AlertTriggers.Acknowledge, null)]
    [InlineData(AlertState.Acknowledged, AlertTriggers.Clear, AlertState.Cleared)]
    [InlineData(AlertState.Cleared, AlertTriggers.Wait, null)]
    [InlineData(AlertState.Cleared, AlertTriggers.Acknowledge, null)]
    [InlineData(AlertState.Cleared, AlertTriggers.Clear, null)]
    public void An_alert_goes_where_its_state_machine_says(AlertState from, AlertTriggers trigger, AlertState? to) =>
        Assert.Equal(to, AlertStates.Next(from, Enum.Parse<AlertTrigger>(trigger.ToString())));

    [Fact]
    [Trait("Requirement", "R130")]
    public void An_alert_is_raised_escalated_acknowledged_and_cleared_and_each_step_is_told_and_stored()
    {
        var told = new List<AlertState>();
        _book.Changed += a => told.Add(a.State);
        var alert = Assert.Single(_book.Apply([Raise("dev1")]));
        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.Empty(_book.Tick());
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(AlertState.Escalated, Assert.Single(_book.Tick()).State);
        var (acknowledged, changed) = _book.Acknowledge(alert.Id, "anna")!.Value;
        Assert.True(changed);
        Assert.Equal("anna", acknowledged.AcknowledgedBy);
        Assert.False(_book.Acknowledge(alert.Id, "bert")!.Value.Changed);
        _book.Apply([Raise("dev1") with { IsRaised = false }]);
        Assert.Equal([AlertState.Raised, AlertState.Escalated, AlertState.Acknowledged, AlertState.Cleared], told);
        Assert.Equal((AlertState.Cleared, "anna"), (_book.Find(alert.Id)!.State, _book.Find(alert.Id)!.AcknowledgedBy));
        Assert.False(_book.Acknowledge(alert.Id, "bert")!.Value.Changed);
    }

    [Fact]
    public void What_a_rule_says_again_is_the_same_alert_and_what_is_not_open_cannot_clear()
    {
        Assert.Empty(_book.Apply([Raise("dev1") with { IsRaised = false }]));
        Assert.Single(_book.Apply([Raise("dev1"), Raise("dev1"), Raise("dev1")]));
        Assert.Single(_book.Apply([Raise("dev2")]));
        Assert.Equal(2, _book.List(null, 10, null, null).Count);
    }

    [Fact]
    public void An_occurrence_without_an_end_is_over_after_its_time_and_each_repetition_prolongs_it()
    {
        _book.Apply([Raise("dev1") with { Lasts = TimeSpan.FromMinutes(1) }]);
        _clock.Advance(TimeSpan.FromSeconds(50));
        _book.Apply([Raise("dev1") with { Lasts = TimeSpan.FromMinutes(1) }]);
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Empty(_book.Tick());
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(AlertState.Cleared, Assert.Single(_book.Tick()).State);
    }

    [Fact]
    public void Open_alerts_are_open_after_a_restart()
    {
        var alert = Assert.Single(_book.Apply([Raise("dev1")]));
        var again = NewBook();
        Assert.Equal(1, again.OpenCount);
        Assert.Empty(again.Apply([Raise("dev1")]));
        Assert.True(again.Acknowledge(alert.Id, "anna")!.Value.Changed);
    }

    private static Signal Raise(string device) => new("rule", device, true, Severity.Warning, "hot", 80, _start, _start);

    private AlertBook NewBook() => new(_store, _clock, TimeSpan.FromMinutes(5));

    /// <summary>The internal enum by its names: a theory is public.</summary>
    public enum AlertTriggers
    {
        Wait,
        Acknowledge,
        Clear,
    }
}
