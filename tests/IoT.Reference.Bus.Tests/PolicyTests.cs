using System.Diagnostics;
using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>One decision point behind all entrances.</summary>
public sealed class PolicyTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    [Fact]
    [Trait("Requirement", "R46")]
    [Trait("Requirement", "R67")]
    public async Task A_policy_that_is_changed_once_counts_at_every_entrance()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var entrances = await PublishersAsync(bus, "t/d1");
        Assert.Equal([], await RefusersAsync(entrances));

        bus.Issuer.Permit("d1", Actions.Publish, "device:d1", false);
        bus.Issuer.Tell(ChangeKinds.Policy, "devices");
        await Wait.Until(async () => (await RefusersAsync(entrances)).Count == 4);

        bus.Issuer.Permit("d1", Actions.Publish, "device:d1");
        bus.Issuer.Tell(ChangeKinds.Policy, "devices");
        await Wait.Until(async () => (await RefusersAsync(entrances)).Count == 0);
    }

    [Fact]
    [Trait("Requirement", "R67")]
    public async Task Another_device_s_topics_are_refused_at_every_entrance()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        Assert.Equal(["mqtt", "websocket", "http", "coap"], await RefusersAsync(await PublishersAsync(bus, "t/d2")));

        var device = await bus.ConnectAsync("d1");
        Assert.False(await device.TrySubscribeAsync("commands/d2"));
        Assert.False(await device.TrySubscribeAsync("commands/+"));
        Assert.False(await device.TrySubscribeAsync("audit/bus"));
        Assert.Equal(403, await bus.StatusAsync(HttpMethod.Get, "commands/d2?wait=0", "d1"));
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        Assert.True(await service.TryPublishAsync("desired/d2", """{"version":1,"values":{}}""", isRetained: true));
        await Wait.Until(async () => await bus.StatusAsync(HttpMethod.Get, "desired/d2", RunningBus.Watcher) == 200);
        var refused = await Assert.ThrowsAsync<RequestRefusedException>(() => bus.Coap("d1", CoapMethod.Get).RequestAsync(new Message("desired/d2", default), _patience).AsTask());
        Assert.Equal("4.03", refused.Status);
    }

    [Fact]
    [Trait("Requirement", "R66")]
    public async Task Who_proves_nothing_gets_nowhere()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        Assert.False(await MqttPeer.MayConnectAsync(bus.Layer.Mqtt, "d1", "wrong"));
        Assert.False(await MqttPeer.MayConnectAsync(bus.WebSocket("/mqtt"), "d1", "wrong"));
        using (var response = await bus.SendAsync(HttpMethod.Post, "t/d1", "d1", "{}", secret: "wrong"))
        {
            Assert.Equal(401, (int)response.StatusCode);
        }

        await using var nobody = CoapRequests.Open(bus.Layer.Coap.AbsoluteUri);
        var refused = await Assert.ThrowsAsync<RequestRefusedException>(() => nobody.RequestAsync(new Message("t/d1", "{}"u8.ToArray()), _patience).AsTask());
        Assert.Equal("4.01", refused.Status);
    }

    [Fact]
    [Trait("Requirement", "R37")]
    public async Task One_token_is_good_for_MQTT_HTTP_and_CoAP()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.Issuer.Permit("d1", Actions.Connect, Resources.Bus);
        bus.Permit("d1", "d1");
        string token = bus.Issuer.Token("d1", kind: SubjectKind.Device);
        var watcher = await bus.WatchAsync("t/+");

        await using var mqtt = await MqttPeer.ConnectAsync(bus.Layer.Mqtt, "d1", token);
        Assert.True(await mqtt.TryPublishAsync("t/d1", "1"));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bus.Layer.Http, "t/d1")) { Content = new StringContent("2") };
        request.Headers.Authorization = new("Bearer", token);
        using var response = await http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        await using var coap = CoapRequests.Open(bus.Layer.Coap.AbsoluteUri, new CoapOptions { Token = _ => new(token) });
        await coap.RequestAsync(new Message("t/d1", "3"u8.ToArray()), _patience);

        Assert.Equal("123", (await watcher.NextAsync()).Body + (await watcher.NextAsync()).Body + (await watcher.NextAsync()).Body);
    }

    [Fact]
    [Trait("Requirement", "R23")]
    public async Task A_revoked_device_is_out_of_every_entrance_within_a_second()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        bus.AddDevice("d2");
        var service = await bus.ConnectAsync(RunningBus.Watcher);
        Assert.True(await service.TryPublishAsync("desired/d1", """{"version":1,"values":{}}""", isRetained: true));
        var overMqtt = await bus.ConnectAsync("d1");
        var observing = await bus.ObserveAsync("d1", "desired/d1");
        await observing.NextAsync();
        var coap = bus.Coap("d1");
        await coap.RequestAsync(new Message("t/d1", "1"u8.ToArray()), _patience);
        var asking = bus.SendAsync(HttpMethod.Get, "commands/d1?wait=30", "d1");
        var other = await bus.ConnectAsync("d2");

        bus.Issuer.Secrets.Remove("d1:secret");
        bus.Issuer.Permit("d1", Actions.Connect, Resources.Bus, false);
        long from = Stopwatch.GetTimestamp();
        bus.Issuer.Tell(ChangeKinds.Revoked, "d1", TimeProvider.System.GetUtcNow().AddMinutes(1));
        await overMqtt.Gone.WaitAsync(_patience);
        using (var ended = await asking.WaitAsync(_patience))
        {
            Assert.NotEqual(200, (int)ended.StatusCode);
        }

        Assert.True(Stopwatch.GetElapsedTime(from) < TimeSpan.FromSeconds(1), $"{Stopwatch.GetElapsedTime(from)}");
        Assert.False(await MqttPeer.MayConnectAsync(bus.Layer.Mqtt, "d1"));
        Assert.Equal(401, await bus.StatusAsync(HttpMethod.Post, "t/d1", "d1", "{}"));
        Assert.Equal("4.01", (await Assert.ThrowsAsync<RequestRefusedException>(() => coap.RequestAsync(new Message("t/d1", "2"u8.ToArray()), _patience).AsTask())).Status);
        Assert.True(await service.TryPublishAsync("desired/d1", """{"version":2,"values":{}}""", isRetained: true));
        await Wait.Until(async () =>
        {
            using var latest = await bus.SendAsync(HttpMethod.Get, "desired/d1", RunningBus.Watcher);
            return (await latest.Content.ReadAsStringAsync()).Contains("\"version\":2", StringComparison.Ordinal);
        });
        Assert.True(observing.HasNone);
        Assert.True(await other.TryPublishAsync("t/d2", "1"));
    }

    [Fact]
    [Trait("Requirement", "R23")]
    public async Task A_revoked_device_s_WebSocket_is_closed_within_a_second()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var device = await bus.ConnectAsync("d1", overWebSocket: true);

        bus.Issuer.Secrets.Remove("d1:secret");
        long from = Stopwatch.GetTimestamp();
        bus.Issuer.Tell(ChangeKinds.Revoked, "d1");
        await device.Gone.WaitAsync(_patience);

        Assert.True(Stopwatch.GetElapsedTime(from) < TimeSpan.FromSeconds(1), $"{Stopwatch.GetElapsedTime(from)}");
        Assert.False(await MqttPeer.MayConnectAsync(bus.WebSocket("/mqtt"), "d1"));
    }

    [Fact]
    public async Task What_is_refused_is_told_on_the_audit_topic()
    {
        await using var bus = await RunningBus.StartAsync();
        bus.AddDevice("d1");
        var watcher = await bus.WatchAsync("audit/bus");
        Assert.Equal(403, await bus.StatusAsync(HttpMethod.Post, "t/d2", "d1", "{}"));
        var device = await bus.ConnectAsync("d1");
        Assert.False(await device.TrySubscribeAsync("commands/d2"));

        Assert.Contains("refused", (await watcher.NextAsync()).Body, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_floods_the_bus_does_not_flood_its_audit()
    {
        using var audit = new BusAudit();
        var heard = new List<AuditEntry>();
        using var listening = audit.Entries.Subscribe(new Listener(heard.Add));
        var entry = new AuditEntry(DateTimeOffset.UnixEpoch, "", "d1", Actions.Publish, "device:d2", "refused");
        for (int i = 0; i < 1_000; i++)
        {
            audit.Refused(entry);
        }

        Assert.Equal(50, heard.Count);
        audit.Refused(entry with { Time = entry.Time.AddSeconds(1) });
        Assert.Equal(("bus", 51), (heard[^1].Layer, heard.Count));
    }

    private static async Task<List<(string Name, Func<Task<bool>> Publish)>> PublishersAsync(RunningBus bus, string topic)
    {
        var mqtt = await bus.ConnectAsync("d1");
        var coap = bus.Coap("d1");
        var web = await MqttPeer.ConnectAsync(bus.WebSocket("/mqtt"), "d1", "secret", "d1-web");
        return
        [
            ("mqtt", () => mqtt.TryPublishAsync(topic, "1")),
            ("websocket", () => web.TryPublishAsync(topic, "1")),
            ("http", async () => await bus.StatusAsync(HttpMethod.Post, topic, "d1", "1") < 300),
            ("coap", async () =>
            {
                try
                {
                    await coap.RequestAsync(new Message(topic, "1"u8.ToArray()), _patience);
                    return true;
                }
                catch (RequestRefusedException)
                {
                    return false;
                }
            }),
        ];
    }

    private static async Task<List<string>> RefusersAsync(List<(string Name, Func<Task<bool>> Publish)> entrances)
    {
        List<string> refusers = [];
        foreach (var (name, publish) in entrances)
        {
            if (!await publish())
            {
                refusers.Add(name);
            }
        }

        return refusers;
    }

    private sealed class Listener(Action<AuditEntry> heard) : IObserver<AuditEntry>
    {
        public void OnNext(AuditEntry value) => heard(value);

        public void OnError(Exception error) => Assert.Fail(error.Message);

        public void OnCompleted()
        {
        }
    }
}
