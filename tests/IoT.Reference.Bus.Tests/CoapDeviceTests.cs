using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.Devices;
using IoT.Reference.Devices.Fleet;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Bus;

/// <summary>The fleet's devices that speak CoAP, at the real bus: by a token that they get for their secret.</summary>
public sealed class CoapDeviceTests
{
    [Fact]
    public async Task A_device_sends_readings_and_answers_commands()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var readings = await bus.WatchAsync("t/d1");
        Assert.True(await readings.TrySubscribeAsync("acks/d1"));
        await using var devices = await DevicesLayer.StartAsync(new DevicesOptions
        {
            Devices = [new SimulatedDevice("d1", DeviceKind.Coap, "secret")],
            Addresses = new LayerAddresses { Identity = bus.Issuer.Address, BusCoap = bus.Layer.Coap, BusHttp = bus.Layer.Http, BusMqtt = bus.Layer.Mqtt },
            Interval = TimeSpan.FromSeconds(1),
            FaultShare = 0,
        });

        var reading = await NextAsync(readings, "t/d1");
        Assert.Equal("text/plain; charset=utf-8", reading.ContentType);

        var now = TimeProvider.System.GetUtcNow();
        var command = new DeviceCommand("c1", "d1", CommandNames.Locate, null, now, now.AddMinutes(5));
        Assert.True(await readings.TryPublishAsync("commands/d1", JsonSerializer.Serialize(command, WireJson.Default.DeviceCommand)));
        Assert.Equal("c1", JsonSerializer.Deserialize((await NextAsync(readings, "acks/d1")).Body, WireJson.Default.CommandAck)!.Id);
    }

    [Fact]
    public async Task A_device_that_Identity_does_not_know_is_told_so()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        using var identity = new HttpClient { BaseAddress = bus.Issuer.Address };
        await using var link = new CoapLink("d1", bus.Layer.Coap, new DeviceToken("d1", "wrong", identity, TimeProvider.System));

        var error = await Assert.ThrowsAsync<IOException>(() => link.SendAsync("t/d1", "1"u8.ToArray(), "text/plain", CancellationToken.None));
        Assert.Contains("no token", error.Message, StringComparison.Ordinal);

        link.UseSecret("secret");
        await link.SendAsync("t/d1", "1"u8.ToArray(), "text/plain", CancellationToken.None);
    }

    private static async Task<Arrived> NextAsync(MqttPeer watcher, string topic)
    {
        while (true)
        {
            if (await watcher.NextAsync() is { } arrived && arrived.Topic == topic)
            {
                return arrived;
            }
        }
    }
}
