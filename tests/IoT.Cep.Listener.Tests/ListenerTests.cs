using System.Globalization;
using System.Net;
using System.Net.Sockets;

using System.Text.Json;

namespace IoT.Cep.Listener.Tests;

public sealed class ListenerTests
{
    private const string Mqtt = "mqtt", MqttIngest = "mqtt-ingest", Http = "http", Coap = "coap", Tcp = "tcp", Udp = "udp", Broker = "broker", FileTail = "file";

    // The same reading: sensor s1, half past midnight, 21.5 degrees.
    private static readonly (string ContentType, string Format, byte[] Payload)[] _payloads =
    [
        ("application/json", "json", """{"sensor":"s1","time":"2026-01-01T00:30:00Z","temperature":21.5}"""u8.ToArray()),
        ("application/json", "json array", """[{"deviceId":"s1","ts":1767227400,"temperature":2.15e1}]"""u8.ToArray()),
        ("application/json", "json with a name", """{"id":"s1","timestamp":1767227400000,"name":"temperature","value":21.5}"""u8.ToArray()),
        ("application/senml+json", "senml", """[{"bn":"s1/","bt":1767227400,"n":"temperature","v":21.5}]"""u8.ToArray()),
        ("application/cbor", "cbor", Convert.FromHexString("A36673656E736F72627331" + "6474696D65C11A6955C008" + "6B74656D7065726174757265FB4035800000000000")),
        ("application/senml+cbor", "senml in cbor", Convert.FromHexString("81A42163" + "73312F" + "221A6955C008" + "006B74656D7065726174757265" + "02FB4035800000000000")),
        ("text/csv", "csv", "time,sensor,temperature\n2026-01-01T00:30:00Z,s1,21.5\n"u8.ToArray()),
        ("text/plain", "line protocol", "s1 temperature=21.5 1767227400000000000"u8.ToArray()),
    ];

    public static TheoryData<string> Transports => [Mqtt, MqttIngest, Http, Coap, Tcp, Udp, Broker, FileTail];

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task The_same_reading_in_every_format_gives_the_same_event(string transport)
    {
        if (Missing(transport) is { } program)
        {
            // xunit 2 has no skipping in the middle of a test: the reason is told, and CI installs it.
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", $"{program} is not installed.");
            return;
        }

        await using var sender = await Sender.StartAsync(transport);
        foreach (var (contentType, format, payload) in _payloads)
        {
            if (transport is Tcp or FileTail && payload.AsSpan().ContainsAny((byte)'\n', (byte)0))
            {
                continue;
            }

            await sender.SendAsync("plant/1/temp", contentType, payload);
            var line = await sender.Listener.NextAsync();
            Assert.Equal(transport, line.GetProperty("transport").GetString());
            Assert.Equal($"{format}: s1 temperature 2026-01-01T00:30:00Z 21.5", $"{format}: {Show(line)}");
            if (transport is not (Tcp or Udp or FileTail))
            {
                Assert.Equal("plant/1/temp", line.GetProperty("resource").GetString());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_payload_that_cannot_be_read_is_a_dead_letter_with_nothing_raw(string transport)
    {
        if (Missing(transport) is not null)
        {
            return;
        }

        await using var sender = await Sender.StartAsync(transport, "--format", "json");
        await sender.SendAsync("plant/1", "application/json", "{\"x\u001b[2J\":"u8.ToArray(), mayFail: true);
        var letter = (await sender.Listener.NextAsync()).GetProperty("deadLetter");

        Assert.Equal((transport, "Malformed"), (letter.GetProperty("transport").GetString(), letter.GetProperty("reason").GetString()));
        Assert.Contains("""{"x\u001B[2J""", letter.GetProperty("payload").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_ends_after_so_many_lines_and_by_a_signal_and_after_its_time()
    {
        await using var counting = await Sender.StartAsync(Udp, "--count", "3");
        await counting.SendAsync("", "", """{"a":1,"b":true,"c":"x","d":[1,2]}"""u8.ToArray());
        Assert.Equal(0, await counting.Listener.ExitAsync());
        Assert.Equal(["a 1", "b true", "c x"], (await counting.Listener.RestAsync()).Select(l => JsonDocument.Parse(l).RootElement).Select(l => $"{l.GetProperty("name")} {Value(l)}"));

        await using var interrupted = Run.Start("--udp", "0");
        await interrupted.PortAsync(Udp);
        await interrupted.InterruptAsync();
        Assert.Equal(0, await interrupted.ExitAsync());

        await using var timed = Run.Start("--tcp", "0", "--duration", "0.2");
        Assert.Equal(0, await timed.ExitAsync());
    }

    [Theory]
    [InlineData("", "Say where to listen")]
    [InlineData("--mqtt 70000", "expected a port")]
    [InlineData("--frob 1", "no option")]
    [InlineData("--tcp 0 --tcp 1", "given twice")]
    [InlineData("--tcp", "needs a value")]
    [InlineData("--http 0 --format yaml", "expected auto, json")]
    [InlineData("--topic a/#", "Say where to listen")]
    [InlineData("--tcp 0 --topic a/#", "--broker")]
    [InlineData("--coap 0 --token 12345678", "no place for a token")]
    [InlineData("--http 0 --tls nowhere.pem", "no such file")]
    public async Task A_wrong_command_line_is_told(string args, string said)
    {
        await using var run = Run.Start(args.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, await run.ExitAsync());
        Assert.Contains(said, run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_told()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var run = Run.Start("--tcp", port.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(1, await run.ExitAsync());
        Assert.Contains($"can't listen on 127.0.0.1:{port}", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sender_without_the_token_is_refused()
    {
        await using var run = Run.Start("--http", "0", "--token", "correct horse");
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{await run.PortAsync(Http)}") };
        using var wrong = await client.PostAsync("/a", new StringContent("1"));
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        client.DefaultRequestHeaders.Authorization = new("Bearer", "correct horse");
        using var right = await client.PostAsync("/a", new StringContent("1"));
        Assert.True(right.IsSuccessStatusCode, right.StatusCode.ToString());
        Assert.Equal("1", Value(await run.NextAsync()));
    }

    private static string Show(JsonElement line) =>
        line.TryGetProperty("sensor", out var sensor) ? $"{sensor} {line.GetProperty("name")} {line.GetProperty("time")} {Value(line)}" : line.ToString();

    private static string Value(JsonElement line) => line.GetProperty("value") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : line.GetProperty("value").GetRawText();

    private static string? Missing(string transport) => transport switch
    {
        Mqtt or MqttIngest or Broker => Device.Find("mosquitto_pub") is null ? "mosquitto_pub" : null,
        Http => Device.Find("curl") is null ? "curl" : null,
        Coap => Device.Find("coap-client", "coap-client-notls", "coap-client-openssl", "coap-client-gnutls") is null ? "coap-client" : null,
        _ => null,
    };

    /// <summary>A listener on one transport, and the device that sends to it.</summary>
    private sealed class Sender(string transport, Run listener, string port, Run? outside) : IAsyncDisposable
    {
        internal Run Listener => listener;

        internal static async Task<Sender> StartAsync(string transport, params string[] more)
        {
            if (transport == Broker)
            {
                // The outside broker is another listener's.
                var outside = Run.Start("--mqtt", "0");
                string at = await outside.PortAsync(Mqtt);
                var subscribed = Run.Start(["--broker", $"127.0.0.1:{at}", "--topic", "plant/#", .. more]);
                await subscribed.PortAsync(Broker);
                return new Sender(transport, subscribed, at, outside);
            }

            string where = transport == FileTail ? Path.GetTempFileName() : "0";
            var run = Run.Start(["--" + transport, where, .. more]);
            return new Sender(transport, run, await run.PortAsync(transport), null);
        }

        internal async Task SendAsync(string topic, string contentType, byte[] payload, bool mayFail = false)
        {
            switch (transport)
            {
                case Mqtt or MqttIngest or Broker:
                    await Device.SendAsync(Device.Find("mosquitto_pub")!, payload, "-h", "127.0.0.1", "-p", port, "-V", "5", "-q", "1", "-t", topic, "-f", "FILE");
                    return;
                case Http:
                    await Device.SendAsync(
                        Device.Find("curl")!, payload, mayFail ? "-s" : "-sf", "-o", "/dev/null", "-H", $"Content-Type: {contentType}", "--data-binary", "@FILE", $"http://127.0.0.1:{port}/{topic}");
                    return;
                case Coap:
                    await Device.SendAsync(
                        Device.Find("coap-client", "coap-client-notls", "coap-client-openssl", "coap-client-gnutls")!, payload, "-m", "post", "-f", "FILE", $"coap://127.0.0.1:{port}/{topic}");
                    return;
                case Udp:
                    using (var socket = new UdpClient("127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture)))
                    {
                        await socket.SendAsync(payload);
                    }

                    return;
                case FileTail:
                    await File.AppendAllBytesAsync(port, (byte[])[.. payload, (byte)'\n']);
                    return;
                default:
                    using (var client = new TcpClient("127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture)))
                    {
                        await client.GetStream().WriteAsync((byte[])[.. payload, (byte)'\n']);
                    }

                    return;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await listener.DisposeAsync();
            if (outside is not null)
            {
                await outside.DisposeAsync();
            }

            if (transport == FileTail)
            {
                File.Delete(port);
            }
        }
    }
}
