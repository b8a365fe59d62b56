using IoT.Reference.Access;

namespace IoT.Reference.Bus;

/// <summary>Which ports are open, and which are not.</summary>
[Collection(nameof(Alone))]
public sealed class PortTests
{
    [LinuxFact]
    [Trait("Requirement", "R32")]
    public async Task The_bus_listens_on_its_three_ports_and_on_no_other()
    {
        var issuer = await FakeIssuer.StartAsync();
        var before = OwnPorts.Find();
        await using var bus = await RunningBus.StartAsync(issuer: issuer);

        string[] opened = [.. OwnPorts.Find().Except(before).Order(StringComparer.Ordinal)];

        string[] configured = [$"tcp {bus.Layer.Http.Port}", $"tcp {bus.Layer.Mqtt.Port}", $"udp {bus.Layer.Coap.Port}"];
        Assert.Equal(configured.Order(StringComparer.Ordinal), opened);
    }

    [LinuxFact]
    [Trait("Requirement", "R6")]
    public async Task A_device_is_told_by_what_it_has_opened_itself_and_listens_nowhere()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var before = OwnPorts.Find();
        var device = await bus.ConnectAsync("d1", overWebSocket: true);
        Assert.True(await device.TrySubscribeAsync("commands/d1"));
        var asking = bus.SendAsync(HttpMethod.Get, "commands/d1?wait=30", "d1");
        var service = await bus.ConnectAsync(RunningBus.Watcher);

        Assert.True(await service.TryPublishAsync("commands/d1", TrafficTests.Command("c1", "d1")));

        Assert.Equal("commands/d1", (await device.NextAsync()).Topic);
        using var answer = await asking;
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Empty(OwnPorts.Find().Except(before));
    }
}
