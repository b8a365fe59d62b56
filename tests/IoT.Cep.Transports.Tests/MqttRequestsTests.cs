using System.Text;

namespace IoT.Cep;

public sealed class MqttRequestsTests
{
    public static TheoryData<bool, MqttProtocol> Brokers
    {
        get
        {
            var data = new TheoryData<bool, MqttProtocol>();
            foreach (var protocol in Enum.GetValues<MqttProtocol>())
            {
                data.Add(true, protocol);
                if (Needs.WithoutMosquitto is null)
                {
                    data.Add(false, protocol);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Brokers))]
    public async Task Each_request_gets_its_own_answer(bool embedded, MqttProtocol protocol)
    {
        await using IBroker broker = embedded ? await EmbeddedBroker.StartAsync() : await Mosquitto.StartAsync();
        await using var machine = MqttRequests.Open(Options(broker.Port, protocol), new MqttRequestOptions { MaxInFlight = 3 });
        await using var console = MqttRequests.Open(Options(broker.Port, protocol), new MqttRequestOptions { MaxInFlight = 5 });
        int atOnce = 0, most = 0;
        await machine.AnswerAsync("machine/+/set", async request =>
        {
            InterlockedMax(ref most, Interlocked.Increment(ref atOnce));
            await Task.Yield();
            Interlocked.Decrement(ref atOnce);
            return Encoding.UTF8.GetBytes($"{request.Topic.Split('/')[1]}:{Encoding.UTF8.GetString(request.Payload.Span)}");
        });
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
            Encoding.UTF8.GetString(await console.RequestAsync($"machine/{i % 4}/set", Encoding.UTF8.GetBytes($"{i}")))));

        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"{i % 4}:{i}"), answers);
        Assert.InRange(most, 1, 3);
    }

    [Fact]
    public async Task A_request_without_an_answer_ends_with_its_timeout_and_a_failing_function_answers_nothing()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var machine = MqttRequests.Open(Options(broker.Port));
        await using var console = MqttRequests.Open(Options(broker.Port), new MqttRequestOptions { TimeProvider = clock });
        var asked = new TaskCompletionSource();
        await machine.AnswerAsync("fails", _ =>
        {
            asked.TrySetResult();
            throw new InvalidOperationException("secret");
        });
        var request = console.RequestAsync("fails", default);
        await asked.Task.WaitAsync(Collector.Patience);
        clock.Advance(TimeSpan.FromSeconds(10));
        var error = await Assert.ThrowsAsync<TimeoutException>(() => request.WaitAsync(Collector.Patience));
        Assert.Contains("'fails'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_goes_only_where_answers_may_go()
    {
        await using var broker = await EmbeddedBroker.StartAsync();
        await using var machine = MqttRequests.Open(Options(broker.Port));
        int asked = 0;
        await machine.AnswerAsync("m", _ => new ValueTask<ReadOnlyMemory<byte>>(new byte[] { (byte)Interlocked.Increment(ref asked) }));
        var (client, _) = await RawMqtt.ConnectAsync(broker.Port);
        using var raw = client;
        await raw.SubscribeAsync(5, "#");
        await raw.NextAsync(RawMqtt.SubAck);
        await AskAsync("commands/door");
        await AskAsync("responses/me");
        byte[] body;
        do
        {
            body = await raw.NextAsync(RawMqtt.Publish);
        }
        while (!Encoding.UTF8.GetString(body).Contains("responses/me", StringComparison.Ordinal) || body[1] == 1);

        Assert.Equal(1, asked);

        // 0x08: response topic.
        Task AskAsync(string responseTopic) => raw.SendAsync(0x30, [.. RawMqtt.Text("m"), (byte)(3 + responseTopic.Length), 8, .. RawMqtt.Text(responseTopic)]);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (int seen = most; value > seen && Interlocked.CompareExchange(ref most, value, seen) != seen; seen = most)
        {
        }
    }

    private static MqttOptions Options(int port, MqttProtocol protocol = MqttProtocol.V5) =>
        new() { Host = "127.0.0.1", Port = port, ProtocolVersion = protocol, ReconnectMin = TimeSpan.FromMilliseconds(50) };
}
