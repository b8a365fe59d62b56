using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingest;

public sealed class MqttIngestEngineTests
{
    [Fact]
    public async Task A_device_publishes_into_a_query_and_gets_its_command()
    {
        var endpoint = new MqttIngestEndpoint(new MqttIngestOptions { Port = 0 });
        await using var engine = new CepEngine(cep =>
        {
            var readings = cep.From(endpoint.Subscribe("plant/{line}/{sensor}", new Temperatures()));
            readings.Where(r => r.Celsius > 85).To(endpoint.Publish<Measured>(r => $"cmd/{r.Sensor}", r => r.Celsius.ToString(CultureInfo.InvariantCulture)));
        });
        await engine.StartAsync();
        await endpoint.WaitUntilListeningAsync();
        using var device = await Device.ConnectAsync(endpoint.Port, Level.V311, "s1");
        await device.SendAsync(Packets.Subscribe(Level.V311, 1, ("cmd/s1", 1)));
        await device.NextAsync(0x90);
        await device.SendAsync(Packets.Publish(Level.V311, "plant/1/s1", "20", 1, 1), Packets.Publish(Level.V311, "plant/1/s1", "90", 1, 2), Packets.Publish(Level.V311, "plant/1/s1", "no number", 2, 3));
        var answers = new List<(byte First, string Text)>();
        for (int i = 0; i < 4; i++)
        {
            var (first, body) = (await device.ReadAsync())!.Value;
            answers.Add((first, first == 0x32 ? Encoding.UTF8.GetString(body.AsSpan(10)) : $"{body[1]}"));
        }

        Assert.Equal<(byte, string)>([(0x32, "90"), (0x40, "1"), (0x40, "2"), (0x50, "3")], answers.Order());
        Assert.Equal(1, engine.Sources[0].DeadLetters);
    }

    [Fact]
    public async Task Stopping_the_engine_tells_devices_and_frees_the_port()
    {
        var endpoint = new MqttIngestEndpoint(new MqttIngestOptions { Port = 0 });
        var engine = new CepEngine(cep => cep.From(endpoint.Subscribe("#", new Temperatures())).To(new Nowhere()));
        await engine.StartAsync();
        await endpoint.WaitUntilListeningAsync();
        int port = endpoint.Port;
        using var device = await Device.ConnectAsync(port, Level.V5, "s1");
        await engine.DisposeAsync();
        Assert.Equal([0x8B], await device.NextAsync(0xE0));
        Assert.Null(await device.ReadAsync());
        await using var next = IngestServer.Start(new Collector(), o => o.Port = port);
        Assert.Equal(port, next.Port);
    }

    [Fact]
    public async Task One_identity_that_sends_too_much_is_read_more_slowly_and_loses_nothing()
    {
        var security = new ListenerSecurity
        {
            Password = (user, _) => new(new Identity(user, AuthenticationMethod.Password)),
            Limits = new PrincipalLimits { MessagesPerSecond = 1_000, Burst = 100, MaxInFlight = 2, MaxTopics = 2, MaxConnections = 1 },
        };
        var collector = new Collector();
        await using var server = IngestServer.Start(collector, o => o.Security = security);
        using var device = await Device.OpenAsync(server.Port);
        await device.SendAsync(Packets.Connect(Level.V5, "c", user: "u", password: "p"));
        Assert.Contains("210002", Convert.ToHexString(await device.NextAsync(0x20)), StringComparison.Ordinal);
        for (int i = 0; i < 400; i++)
        {
            await device.SendAsync(Packets.Publish(Level.V5, $"t/{i % 3}", $"{i}"));
        }

        // The third topic is one too many.
        var messages = await collector.TakeAsync(267);
        Assert.All(messages, m => Assert.NotEqual("t/2", m.Topic));
        Assert.True(security.Refused(PrincipalLimit.Messages) > 0);
        Assert.True(security.Refused(PrincipalLimit.Topics) > 0);
        using var second = await Device.OpenAsync(server.Port);
        await second.SendAsync(Packets.Connect(Level.V5, "other", user: "u", password: "p"));
        Assert.Equal(0x97, (await second.NextAsync(0x20))[1]);
        security.Revoke("u");
        Assert.Equal([0x87], await device.NextAsync(0xE0));
    }

    private readonly record struct Measured(string Sensor, double Celsius);

    private sealed class Temperatures : Decoder<Measured>
    {
        public override void Decode(in Payload payload, EventBuffer<Measured> output)
        {
            Span<Range> places = stackalloc Range[2];
            payload.Template!.TryMatch(payload.Topic, places);
            string sensor = payload.Template.Names.Count == 2 ? payload.Topic[places[1]] : payload.Topic;
            output.Add(new Measured(sensor, double.Parse(Encoding.UTF8.GetString(payload.Bytes.FirstSpan), CultureInfo.InvariantCulture)));
        }
    }

    private sealed class Nowhere : IInlineSink<Measured>
    {
        public string Name => "nowhere";

        public void Write(in Batch<Measured> batch)
        {
        }
    }
}
