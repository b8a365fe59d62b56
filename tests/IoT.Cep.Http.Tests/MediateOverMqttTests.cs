using System.Diagnostics;
using System.Net;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class MediateOverMqttTests
{
    public static TheoryData<bool, MqttProtocol> Brokers
    {
        get
        {
            var brokers = new TheoryData<bool, MqttProtocol>();
            foreach (var protocol in Enum.GetValues<MqttProtocol>())
            {
                brokers.Add(true, protocol);
                if (Needs.WithoutMosquitto is null)
                {
                    brokers.Add(false, protocol);
                }
            }

            return brokers;
        }
    }

    [Theory]
    [MemberData(nameof(Brokers))]
    [Trait("Requirement", "R63")]
    [Trait("Requirement", "R108")]
    public async Task A_post_becomes_a_command_and_the_devices_answer_the_response(bool embedded, MqttProtocol protocol)
    {
        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        await using var devices = MqttRequests.Open(To(broker, protocol));
        await devices.AnswerAsync("devices/{device}/commands", (m, _) => new(new Message("", Encoding.UTF8.GetBytes($"{m.Topic}:{m.Text}"))
        {
            ContentType = m.ContentType + "; charset=utf-8",
            Headers = [new("version", "7")],
        }));
        await using var requests = MqttRequests.Open(To(broker, protocol), new MqttRequestOptions { AnswerFilter = "devices/+/commands/response/+" });
        await using var door = await Door.StartAsync(requests, o => o.AnswerHeaders.Add("version"));
        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => door.PostAsync($"/devices/dev{i % 5}/cmd", $"open {i}")));

        Assert.Equal(
            Enumerable.Range(0, 20).Select(i => $"devices/dev{i % 5}/commands:open {i}"), await Task.WhenAll(responses.Select(r => r.Content.ReadAsStringAsync())));
        bool isV5 = protocol == MqttProtocol.V5;
        Assert.All(responses, r => Assert.Equal((isV5 ? "text/plain" : "application/octet-stream", isV5), (r.Content.Headers.ContentType?.MediaType, r.Headers.Contains("version"))));
    }

    [CurlFact]
    [Trait("Requirement", "R63")]
    public async Task Curl_commands_a_device_that_is_mosquittos_own_programs()
    {
        if (Needs.WithoutMosquitto is not null)
        {
            return;
        }

        await using var broker = await Mosquitto.StartAsync();
        await using var requests = MqttRequests.Open(To(broker));
        await using var door = await Door.StartAsync(requests);
        string connection = $"-h 127.0.0.1 -p {broker.Port} -V mqttv5";
        using var device = Process.Start("bash", ["-c",
            $"""mosquitto_sub {connection} -t devices/dev7/commands -C 1 -F '%R %D %p' | (read r d p; mosquitto_pub {connection} -t "$r" -D publish correlation-data "$d" -m "did $p")"""])!;

        // 503 as long as nobody subscribes, which the broker tells.
        string answer;
        do
        {
            answer = await CurlAsync(new Uri(door.Address, "/devices/dev7/cmd"), "open");
        }
        while (answer.EndsWith("503", StringComparison.Ordinal));

        Assert.Equal("did open 200", answer);
        await device.WaitForExitAsync();
    }

    [Fact]
    [Trait("Requirement", "R62")]
    public async Task A_command_to_a_device_behind_a_gateway_arrives_on_the_gateways_session()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var gateways = new Dictionary<string, string> { ["dev7"] = "gw1", ["dev8"] = "gw2" };
        await using var gateway1 = await GatewayAsync(broker, "gw1");
        await using var gateway2 = await GatewayAsync(broker, "gw2");
        await using var requests = MqttRequests.Open(To(broker));
        await using var door = await Door.StartAsync(http => http.Mediate(
            "/devices/{device}/cmd", r => gateways.TryGetValue(r["device"], out string? gateway) ? $"gateways/{gateway}/{r["device"]}/cmd" : null, requests));
        using var first = await door.PostAsync("/devices/dev7/cmd", "open");
        using var second = await door.PostAsync("/devices/dev8/cmd", "open");
        using var unknown = await door.PostAsync("/devices/dev9/cmd", "open");

        Assert.Equal("gw1 did gateways/gw1/dev7/cmd", await first.Content.ReadAsStringAsync());
        Assert.Equal("gw2 did gateways/gw2/dev8/cmd", await second.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task A_device_that_refuses_says_why()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var device = MqttRequests.Open(To(broker));
        await device.AnswerAsync("devices/dev7/commands", (_, _) => new(new Message("", "no"u8.ToArray()) { Headers = [new("status", "409"), new("detail", "The door is locked.")] }));
        await using var requests = MqttRequests.Open(To(broker));
        await using var door = await Door.StartAsync(requests);
        using var refused = await door.PostAsync("/devices/dev7/cmd", "open");

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Equal("no", await refused.Content.ReadAsStringAsync());
        var error = await Assert.ThrowsAsync<RequestRefusedException>(async () => await requests.RequestAsync(new Message("devices/dev7/commands", default), Collector.Patience));
        Assert.Equal(("409", "The door is locked."), (error.Status, error.Message));
    }

    [Theory]
    [MemberData(nameof(Brokers))]
    public async Task A_device_that_is_not_there_is_told_at_once_where_the_broker_says_so(bool embedded, MqttProtocol protocol)
    {
        if (protocol != MqttProtocol.V5)
        {
            return;
        }

        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        await using var requests = MqttRequests.Open(To(broker));
        await using var door = await Door.StartAsync(requests);
        using var absent = await door.PostAsync("/devices/dev8/cmd", "open");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, 1), (absent.StatusCode, door.Mediator.Statistics.NotSent));
        Assert.NotNull(absent.Headers.RetryAfter);
    }

    [Theory]
    [InlineData(MqttProtocol.V5)]
    [InlineData(MqttProtocol.V311)]
    public async Task An_answer_that_comes_too_late_is_counted_and_reaches_nobody(MqttProtocol protocol)
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var clock = new FakeTimeProvider();
        TaskCompletionSource asked = new(), released = new();
        await using var device = MqttRequests.Open(To(broker, protocol));
        await device.AnswerAsync("devices/dev7/commands", async (m, _) =>
        {
            asked.TrySetResult();
            await (m.Text == "slow" ? released.Task : Task.CompletedTask);
            return new Message("", m.Body);
        });
        await using var requests = MqttRequests.Open(To(broker, protocol), new MqttRequestOptions { TimeProvider = clock });
        await using var door = await Door.StartAsync(requests);
        var slow = door.PostAsync("/devices/dev7/cmd", "slow");
        await asked.Task.WaitAsync(Collector.Patience);
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await slow).StatusCode);
        released.SetResult();
        await Until.TrueAsync(() => requests.LateAnswers == 1);

        using var next = await door.PostAsync("/devices/dev7/cmd", "next");
        Assert.Equal("next", await next.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Without_a_broker_the_request_is_known_not_to_be_sent()
    {
        var clock = new FakeTimeProvider();
        await using var requests = MqttRequests.Open(new MqttOptions { Host = "127.0.0.1", Port = Mosquitto.FreePort() }, new MqttRequestOptions { TimeProvider = clock });
        var request = requests.RequestAsync(new Message("a", default), TimeSpan.FromSeconds(3)).AsTask();
        clock.Advance(TimeSpan.FromSeconds(3));
        await Assert.ThrowsAsync<IOException>(() => request.WaitAsync(Collector.Patience));
    }

    [Fact]
    [Trait("Requirement", "R108")]
    public async Task An_mqtt_request_becomes_an_http_call_and_its_response_the_answer()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var far = new Device(m => m.Topic.Contains("/8/", StringComparison.Ordinal)
            ? throw new RequestRefusedException("404", "No such line.") : new Message("", Encoding.UTF8.GetBytes($"{m.Topic}:{m.Text}")) { ContentType = "text/plain" });
        await using var door = await Door.StartAsync(h => h.Mediate("/api/lines/{line}/recipe", "lines/{line}/recipe", far));
        await using var http = Http.Requests(new Uri(door.Address, "/api"), o => o.AllowPrivateNetworks = true);
        await using var front = MqttRequests.Open(To(broker));
        var mediator = await front.MediateAsync("plant/{line}/recipe", "lines/{line}/recipe", http);
        await using var console = MqttRequests.Open(To(broker));
        var answer = await console.RequestAsync(new Message("plant/7/recipe", "bread"u8.ToArray()), Collector.Patience);

        Assert.Equal(("lines/7/recipe:bread", "text/plain"), (answer.Text, answer.ContentType));
        Assert.Equal("404", (await Assert.ThrowsAsync<RequestRefusedException>(async () => await console.RequestAsync(new Message("plant/8/recipe", default), Collector.Patience))).Status);
        Assert.Equal((1, 1), (mediator.Statistics.Answered, mediator.Statistics.Refused));
    }

    [Fact]
    public async Task A_topic_is_data_in_an_address_and_an_address_that_nobody_answers_was_not_asked()
    {
        await using var far = new Device(m => new Message("", Encoding.UTF8.GetBytes(m.Topic)));
        await using var door = await Door.StartAsync(h => h.Mediate("/api/{name}", "{name}", far));
        await using var http = Http.Requests(new Uri(door.Address, "/api"), o => o.AllowPrivateNetworks = true);

        Assert.Equal("a b?c=d&e", (await http.RequestAsync(new Message("a b?c=d&e", default), Collector.Patience)).Text);
        await Assert.ThrowsAsync<ArgumentException>(async () => await http.RequestAsync(new Message("a/../b", default), Collector.Patience));
        await using var nobody = Http.Requests(new Uri($"http://127.0.0.1:{Mosquitto.FreePort()}"), o => o.AllowPrivateNetworks = true);
        await Assert.ThrowsAsync<IOException>(async () => await nobody.RequestAsync(new Message("a", default), Collector.Patience));
    }

    private static async Task<MqttRequests> GatewayAsync(EmbeddedBroker broker, string name)
    {
        var gateway = MqttRequests.Open(To(broker));
        await gateway.AnswerAsync($"gateways/{name}/+/cmd", (m, _) => new(new Message("", Encoding.UTF8.GetBytes($"{name} did {m.Topic}"))));
        return gateway;
    }

    private static async Task<string> CurlAsync(Uri address, string body)
    {
        using var curl = Process.Start(new ProcessStartInfo("curl", ["-s", "--max-time", "30", "-d", body, "-w", " %{http_code}", address.ToString()]) { RedirectStandardOutput = true })!;
        return await curl.StandardOutput.ReadToEndAsync();
    }

    private static MqttOptions To(IBroker broker, MqttProtocol protocol = MqttProtocol.V5) =>
        new() { Host = "127.0.0.1", Port = broker.Port, ProtocolVersion = protocol, ReconnectMin = TimeSpan.FromMilliseconds(50) };
}
