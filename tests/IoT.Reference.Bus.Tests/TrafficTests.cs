using System.Text;
using System.Text.Json;
using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>Which way messages go.</summary>
public sealed class TrafficTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    [Trait("Requirement", "R42")]
    [Trait("Requirement", "R60")]
    public async Task A_reading_arrives_on_one_topic_whatever_it_came_by()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var watcher = await bus.WatchAsync("t/+");
        var device = await bus.ConnectAsync("d1");
        Assert.True(await device.TryPublishAsync("t/d1", """{"v":1}""", trace: Trace));
        Assert.Equal(new Arrived("t/d1", """{"v":1}""", "application/json", Trace, false), await watcher.NextAsync());

        using (var posted = await bus.SendAsync(HttpMethod.Post, "t/d1", "d1", """{"v":2}""", "application/senml+json", Trace))
        {
            Assert.True(posted.IsSuccessStatusCode, $"{posted.StatusCode}");
        }

        Assert.Equal(new Arrived("t/d1", """{"v":2}""", "application/senml+json", Trace, false), await watcher.NextAsync());

        using (var asked = await bus.SendAsync(HttpMethod.Post, "t/d1?v=21.5", "d1", ""))
        {
            Assert.True(asked.IsSuccessStatusCode, $"{asked.StatusCode}");
        }

        Assert.Equal(new Arrived("t/d1", "v=21.5", "application/x-www-form-urlencoded", null, false), await watcher.NextAsync());

        var reading = new Message("t/d1", """{"v":3}"""u8.ToArray()) { ContentType = "application/json", Headers = [new("traceparent", Trace)] };
        await bus.Coap("d1").RequestAsync(reading, TimeSpan.FromSeconds(30));
        Assert.Equal(new Arrived("t/d1", """{"v":3}""", "application/json", Trace, false), await watcher.NextAsync());
    }

    [Fact]
    [Trait("Requirement", "R6")]
    public async Task A_device_behind_a_web_proxy_sends_and_is_told_over_a_WebSocket()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var watcher = await bus.WatchAsync("t/+");
        var device = await bus.ConnectAsync("d1", overWebSocket: true);
        Assert.True(await device.TrySubscribeAsync("commands/d1"));

        Assert.True(await device.TryPublishAsync("t/d1", "1", "text/plain", Trace));
        Assert.Equal(new Arrived("t/d1", "1", "text/plain", Trace, false), await watcher.NextAsync());

        string command = Command("c1", "d1");
        Assert.True(await watcher.TryPublishAsync("commands/d1", command));
        Assert.Equal(command, (await device.NextAsync()).Body);
    }

    [Fact]
    [Trait("Requirement", "R42")]
    public async Task A_command_reaches_a_device_by_each_protocol()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        var device = await bus.ConnectAsync("d1");
        Assert.True(await device.TrySubscribeAsync("commands/d1"));
        var asking = bus.SendAsync(HttpMethod.Get, "commands/d1?wait=30", "d1");

        string command = Command("c1", "d1");
        Assert.True(await service.TryPublishAsync("commands/d1", command));

        Assert.Equal(command, (await device.NextAsync()).Body);
        using (var answer = await asking)
        {
            Assert.Equal(command, await answer.Content.ReadAsStringAsync());
            Assert.Equal(204, await bus.StatusAsync(HttpMethod.Get, "commands/d1?wait=0&ack=" + answer.Headers.GetValues("Command-Id").First(), "d1"));
        }

        var observer = await bus.ObserveAsync("d1", "commands/d1");
        Assert.Equal(command, await observer.NextAsync());
        string next = Command("c2", "d1");
        Assert.True(await service.TryPublishAsync("commands/d1", next));
        Assert.Equal(next, await observer.NextAsync());
    }

    [Fact]
    public async Task What_is_no_command_reaches_nobody_who_asks()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        Assert.True(await service.TryPublishAsync("commands/d1", "no command"));
        Assert.True(await service.TryPublishAsync("commands/d1", Command("c1", "d1")));

        using var answer = await bus.SendAsync(HttpMethod.Get, "commands/d1?wait=30", "d1");
        Assert.Equal(Command("c1", "d1"), await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    [Trait("Requirement", "R62")]
    public async Task A_command_to_a_device_behind_a_gateway_arrives_on_the_gateway_s_session()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("gw-1", "d1", "d2");
        bus.AddDevice("gw-2", "d9");
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        var gateway = await bus.ConnectAsync("gw-1");
        var other = await bus.ConnectAsync("gw-2");
        Assert.True(await gateway.TrySubscribeAsync("commands/d1"));
        Assert.True(await gateway.TrySubscribeAsync("commands/d2"));
        Assert.False(await other.TrySubscribeAsync("commands/d1"));

        Assert.True(await service.TryPublishAsync("commands/d2", Command("c1", "d2")));
        Assert.True(await service.TryPublishAsync("commands/d1", Command("c2", "d1")));

        Assert.Equal(("commands/d2", Command("c1", "d2")), (await gateway.NextAsync()) is var first ? (first.Topic, first.Body) : default);
        Assert.Equal("commands/d1", (await gateway.NextAsync()).Topic);
        Assert.True(other.HasNone);
    }

    [Fact]
    public async Task The_desired_state_is_there_for_who_asks_later_by_HTTP_and_CoAP()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        bus.AddDevice("d2");
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        const string Desired = """{"version":1,"values":{"interval":5}}""";
        Assert.Equal(204, await bus.StatusAsync(HttpMethod.Get, "desired/d1", "d1"));

        Assert.True(await service.TryPublishAsync("desired/d1", Desired, isRetained: true));

        await Wait.Until(async () => await bus.StatusAsync(HttpMethod.Get, "desired/d1", "d1") == 200);
        using (var answer = await bus.SendAsync(HttpMethod.Get, "desired/d1", "d1"))
        {
            Assert.Equal(Desired, await answer.Content.ReadAsStringAsync());
        }

        Assert.Equal(Desired, (await bus.Coap("d1", CoapMethod.Get).RequestAsync(new Message("desired/d1", default), TimeSpan.FromSeconds(30))).Text);
        Assert.Equal(403, await bus.StatusAsync(HttpMethod.Get, "desired/d1", "d2"));
        Assert.Equal(401, await bus.StatusAsync(HttpMethod.Get, "desired/d1", "nobody"));
    }

    [Fact]
    public async Task Who_comes_and_goes_is_told_and_kept_for_who_asks_later()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var watcher = await bus.WatchAsync("presence/+");
        var device = await bus.ConnectAsync("d1");
        var online = await watcher.NextAsync();
        Assert.Equal(("presence/d1", true), (online.Topic, JsonSerializer.Deserialize(online.Body, WireJson.Default.Presence)!.Online));

        await device.DisposeAsync();
        Assert.False(JsonSerializer.Deserialize((await watcher.NextAsync()).Body, WireJson.Default.Presence)!.Online);

        Assert.True(await watcher.TrySubscribeAsync("presence/d1"));
        var kept = await watcher.NextAsync();
        Assert.True(kept.IsRetained);
        Assert.False(JsonSerializer.Deserialize(kept.Body, WireJson.Default.Presence)!.Online);
    }

    [MosquittoFact]
    [Trait("Requirement", "R60")]
    [Trait("Requirement", "R42")]
    public async Task Another_broker_takes_the_place_of_the_embedded_one()
    {
        await using var mosquitto = await Mosquitto.StartAsync();
        var broker = new Uri($"mqtt://127.0.0.1:{mosquitto.Port}");
        await using var bus = await RunningBus.StartAsync(broker);
        bus.AddDevice("d1");
        await using var outside = await MqttPeer.ConnectAsync(broker, "outside");
        Assert.True(await outside.TrySubscribeAsync("t/+"));

        using (var posted = await bus.SendAsync(HttpMethod.Post, "t/d1", "d1", """{"v":2}""", trace: Trace))
        {
            Assert.True(posted.IsSuccessStatusCode, $"{posted.StatusCode}");
        }

        Assert.Equal(new Arrived("t/d1", """{"v":2}""", "application/json", Trace, false), await outside.NextAsync());
        Assert.Equal(403, await bus.StatusAsync(HttpMethod.Post, "t/d2", "d1", "{}"));
        var asking = bus.SendAsync(HttpMethod.Get, "commands/d1?wait=30", "d1");
        Assert.True(await outside.TryPublishAsync("commands/d1", Command("c1", "d1")));
        using var answer = await asking;
        Assert.Equal(Command("c1", "d1"), await answer.Content.ReadAsStringAsync());
    }

    internal static string Command(string id, string device) => Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(
        new DeviceCommand(id, device, CommandNames.Locate, null, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100)), WireJson.Default.DeviceCommand));
}
