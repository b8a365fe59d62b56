using System.Globalization;
using System.Text;

namespace IoT.Cep.Ingest;

public sealed class MqttIngestPacketTests
{
    public static TheoryData<int> Levels => [3, 4, 5];

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_stream_cut_at_any_byte_gives_the_same_messages_and_answers(int level)
    {
        byte[] stream = Conversation((Level)level);
        var expected = await RunAsync([stream]);
        Assert.Equal(4, expected.Messages.Length);
        for (int cut = 1; cut < stream.Length; cut++)
        {
            var actual = await RunAsync([stream.AsMemory(0, cut), stream.AsMemory(cut)]);
            Assert.Equal(expected.Messages, actual.Messages);
            Assert.Equal(expected.Answers, actual.Answers);
        }

        var single = await RunAsync([.. Enumerable.Range(0, stream.Length).Select(i => (ReadOnlyMemory<byte>)stream.AsMemory(i, 1))]);
        Assert.Equal(expected.Messages, single.Messages);
        Assert.Equal(expected.Answers, single.Answers);
    }

    [Fact]
    public async Task A_conversation_of_version_5_has_exactly_these_answers()
    {
        var (_, answers) = await RunAsync([Conversation(Level.V5)]);
        string rest = answers[(answers.IndexOf("4002", StringComparison.Ordinal))..];
        Assert.Equal(
            "40020001" // PUBACK 1
            + "50020002" // PUBREC 2
            + "70020002" // PUBCOMP 2
            + "7003000392" // PUBCOMP 3: not found
            + "9006000400" + "01008F" // SUBACK 4
            + "B005000500" + "0011" // UNSUBACK 5
            + "D000",
            rest);
    }

    [Theory]
    [InlineData("a first packet that is no CONNECT", "C000", "")]
    [InlineData("reserved flag of CONNECT", "100D00044D515454050300000000" + "00", "2003008100")]
    [InlineData("QoS 3", "36050001610001", "E00181")]
    [InlineData("duplicate flag at QoS 0", "38050001610000", "E00181")]
    [InlineData("packet id 0", "3206000161000000", "E00182")]
    [InlineData("wildcard in a topic", "300400012300", "E00190")]
    [InlineData("empty topic without an alias", "3003000000", "E00190")]
    [InlineData("topic alias 0", "300700016103230000", "E00194")]
    [InlineData("topic alias too large", "300700016103231000", "E00194")]
    [InlineData("topic alias never set", "30060000032300" + "01", "E00182")]
    [InlineData("property twice", "30080001610401000100", "E00182")]
    [InlineData("unknown property", "300600016102" + "7F00", "E00181")]
    [InlineData("property of another packet", "30090001610511" + "00000001", "E00182")]
    [InlineData("invalid UTF-8 in a topic", "30040001FF00", "E00190")]
    [InlineData("shorter than its topic", "300300056100", "E00181")]
    [InlineData("SUBSCRIBE without a filter", "8203000100", "E00182")]
    [InlineData("SUBSCRIBE with wrong flags", "80070001000001" + "6100", "E00181")]
    [InlineData("subscription identifier", "82090001" + "020B01" + "00016100", "E001A1")]
    [InlineData("PINGREQ with a body", "C00100", "E00181")]
    [InlineData("AUTH", "F000", "E00182")]
    [InlineData("second CONNECT", "100D00044D515454050200000000" + "00", "E00182")]
    [InlineData("what only servers send", "20020000", "E00182")]
    [InlineData("length of five bytes", "C0FFFFFFFF7F", "E00181")]
    [InlineData("longer length than needed", "C08000", "E00181")]
    [InlineData("announces more than it may", "30FFFFFF7F", "E00195")]
    [InlineData("session kept after all", "E0070005" + "1100000001", "E00182")]
    public async Task A_malformed_packet_closes_the_connection_with_its_reason(string what, string hex, string answer)
    {
        Assert.NotEmpty(what);
        bool isConnect = hex.StartsWith("100D", StringComparison.Ordinal) && answer.StartsWith('2');
        bool isFirst = isConnect || answer.Length == 0;
        await using var server = IngestServer.Start(new Collector());
        byte[] packet = Convert.FromHexString(hex);
        byte[] answers = await server.ExchangeAsync(isFirst ? packet : (byte[])[.. Packets.Connect(Level.V5, "c"), .. packet]);
        Assert.EndsWith(answer, Convert.ToHexString(answers), StringComparison.Ordinal);
        Assert.Equal(0, server.Endpoint.Statistics.Connections);
        Assert.Equal(1, server.Endpoint.Statistics.Cut + server.Endpoint.Statistics.Refused);
    }

    [Theory]
    [InlineData(3, "20020004")]
    [InlineData(4, "20020004")]
    [InlineData(5, "2003008600")]
    public async Task A_wrong_password_is_answered_in_each_version(int level, string answer)
    {
        var security = new ListenerSecurity { Password = (_, password) => new(password == "right" ? new Identity("u", AuthenticationMethod.Password) : null) };
        await using var server = IngestServer.Start(new Collector(), o => o.Security = security);
        Assert.Equal(answer, Convert.ToHexString(await server.ExchangeAsync(Packets.Connect((Level)level, "c", user: "u", password: "wrong"))));
        byte[] right = await server.ExchangeAsync(Packets.Connect((Level)level, "c", user: "u", password: "right"));
        Assert.Equal(0, right[3]);
    }

    [Fact]
    public async Task Enhanced_authentication_is_refused_by_its_own_reason()
    {
        await using var server = IngestServer.Start(new Collector());
        byte[] properties = [21, .. Packets.Text("SCRAM-SHA-1")];
        Assert.Equal("2003008C00", Convert.ToHexString(await server.ExchangeAsync(Packets.Connect(Level.V5, "c", properties: properties))));
    }

    [Fact]
    public async Task A_hundred_thousand_damaged_streams_end_cleanly()
    {
        const int Streams = 100_000, Seed = 20_261_123;
        var random = new Random(Seed);
        var collector = new Counter();
        await using var server = IngestServer.Start(collector, o => o.MaxSessions = 100);
        byte[][] good = [Conversation(Level.V31), Conversation(Level.V311), Conversation(Level.V5)];
        for (int i = 0; i < Streams; i++)
        {
            byte[] stream = Damage(good[i % good.Length], random);
            await server.ExchangeAsync(stream);
        }

        Assert.Equal(0, server.Endpoint.Statistics.Connections);
        Assert.InRange(server.Endpoint.Statistics.Sessions, 0, 100);

        // And it still works.
        long before = collector.Count;
        await server.ExchangeAsync(Conversation(Level.V5));
        Assert.Equal(before + 4, collector.Count);
    }

    internal static byte[] Conversation(Level level)
    {
        bool v5 = level == Level.V5;
        byte[] will = [.. v5 ? (byte[])[5, 24, 0, 0, 0, 1] : [], .. Packets.Text("will/topic"), .. Packets.Text("gone")];
        return
        [
            .. Packets.Connect(level, "device-1", keepAlive: 60, properties: [33, 0, 10, 38, .. Packets.Text("a"), .. Packets.Text("b")], will: will, willFlags: 8),
            .. Packets.Publish(level, "plant/1/temperature", "one"),
            .. Packets.Publish(level, "plant/1/temperature", "two", quality: 1, packetId: 1, properties: [35, 0, 1, 3, .. Packets.Text("text/plain")]),
            .. Packets.Publish(level, v5 ? "" : "plant/1/temperature", new string('x', 200), quality: 2, packetId: 2, properties: [35, 0, 1]),
            .. Packets.Release(2),
            .. Packets.Release(3),
            .. Packets.Subscribe(level, 4, ("cmd/1", 1), ("cmd/+/x", 0), ("a#", 1)),
            .. Packets.Unsubscribe(level, 5, "cmd/1", "never"),
            .. Packets.Ping,
            .. Packets.Publish(level, "plant/2/temperature", "last", retained: true),
            .. Packets.Disconnect,
        ];
    }

    private static byte[] Damage(byte[] good, Random random)
    {
        var bytes = new List<byte>(good);
        for (int changes = random.Next(1, 6); changes > 0; changes--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(at, Enumerable.Range(0, random.Next(1, 9)).Select(_ => (byte)random.Next(256)));
                    break;
                default:
                    bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count / 2), random.Next(1, bytes.Count / 3)));
                    break;
            }

            if (bytes.Count == 0)
            {
                bytes.Add(0x10);
            }
        }

        return [.. bytes];
    }

    private static async Task<(string[] Messages, string Answers)> RunAsync(ReadOnlyMemory<byte>[] pieces)
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        byte[] answers = await server.ExchangeAsync(pieces);
        var messages = new List<string>();
        while (!collector.IsEmpty)
        {
            var message = await collector.NextAsync();
            messages.Add(string.Create(CultureInfo.InvariantCulture, $"{message.Topic} {message.Text}"));
        }

        return ([.. messages], Convert.ToHexString(answers));
    }
}
