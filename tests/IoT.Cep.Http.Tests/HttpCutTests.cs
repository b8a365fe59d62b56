using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;

namespace IoT.Cep;

/// <summary>
/// A device sends over a cable that is cut behind every byte there is, of its request and of the answer, and sends again until it has its answer. What was answered is there; what has an idempotency
/// key is there once.
/// </summary>
public sealed class HttpCutTests
{
    /// <summary>Requests, and the messages that they bring.</summary>
    private static readonly Dictionary<string, (string Type, string Body, string[] Messages)> _requests = new()
    {
        ["single"] = ("text/plain", "m1", ["m1"]),
        ["batch"] = ("application/json", "[1,2]", ["[1,2]"]),
        ["lines"] = ("application/x-ndjson", "m1\r\n\nm2\nm3", ["m1", "m2", "m3"]),
    };

    [Theory]
    [InlineData("single", false)]
    [InlineData("single", true)]
    [InlineData("batch", true)]
    [InlineData("lines", false)]
    [InlineData("lines", true)]
    [Trait("Requirement", "R55")]
    public async Task Wherever_the_cable_is_cut_nothing_answered_is_lost_and_a_key_counts_once(string kind, bool hasKey)
    {
        await using var endpoint = await Endpoint.StartAsync();
        await using var cable = new Cable(endpoint.Address.Port);
        var (type, body, messages) = _requests[kind];
        int run = 0;
        for (int isAnswer = 0; isAnswer < 2; isAnswer++)
        {
            // Up to the first cut behind the end of what is sent: it hits nothing.
            for (int at = 0, hits = 1; hits > 0; at++)
            {
                string key = hasKey ? $"Idempotency-Key: k{run}\r\n" : "";
                byte[] request = Encoding.ASCII.GetBytes($"POST /t/{kind}-{run++} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {type}\r\n{key}Content-Length: {body.Length}\r\n\r\n{body}");
                cable.CutOnce(isAnswer == 1, at);
                hits = 0;
                while (!await SendAsync(cable.Port, request))
                {
                    hits++;
                }

                await CheckAsync(endpoint.Collector, messages, isOnce: hasKey, $"{kind} cut {(isAnswer == 1 ? "in the answer" : "in the request")} at {at}");
            }
        }
    }

    [Fact]
    [Trait("Requirement", "R55")]
    public async Task Wherever_a_websocket_s_cable_is_cut_nothing_acknowledged_is_lost()
    {
        await using var endpoint = await Endpoint.StartAsync();
        await using var cable = new Cable(endpoint.Address.Port);
        for (int isAnswer = 0; isAnswer < 2; isAnswer++)
        {
            for (int at = 0, hits = 1; hits > 0; at++)
            {
                cable.CutOnce(isAnswer == 1, at);
                hits = 0;
                while (!await TellAsync(cable.Port, ["m1", "m2"]))
                {
                    hits++;
                }

                await CheckAsync(endpoint.Collector, ["m1", "m2"], isOnce: false, $"cut at {at}");
            }
        }
    }

    [Fact]
    public async Task A_key_goes_on_behind_the_lines_that_were_taken_and_its_report_is_about_all_of_them()
    {
        await using var endpoint = await Endpoint.StartAsync(new Collector { Rejects = m => m.Text == "bad" ? "v: wrong" : null });
        const string Head = "POST /t/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n";
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(IPAddress.Loopback, endpoint.Address.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Head + "8\r\n1\nbad\n2\n\r\n"));
            foreach (string text in (string[])["1", "bad", "2"])
            {
                Assert.Equal(text, (await endpoint.Collector.NextAsync()).Text);
            }

            client.Client.LingerState = new LingerOption(enable: true, 0);
        }

        (HttpStatusCode Status, string Body) answer;
        do
        {
            // The server may not have seen yet that the first one has gone.
            answer = await endpoint.PostAsync("/t/a", "1\nbad\n2\nbad\n3", "application/x-ndjson", ("Idempotency-Key", "k")).TextAsync();
        }
        while (answer.Status == HttpStatusCode.ServiceUnavailable);

        Assert.Equal(HttpStatusCode.MultiStatus, answer.Status);
        Assert.StartsWith("""{"received":5,"rejected":2,"errors":[{"index":1,""", answer.Body, StringComparison.Ordinal);
        Assert.Equal("bad", (await endpoint.Collector.NextAsync()).Text);
        Assert.Equal("3", (await endpoint.Collector.NextAsync()).Text);
        Assert.True(endpoint.Collector.IsEmpty);
    }

    /// <returns>Whether the whole answer came, and says that it was taken.</returns>
    private static async Task<bool> SendAsync(int port, byte[] request)
    {
        var answer = new StringBuilder();
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            var stream = client.GetStream();
            await stream.WriteAsync(request);
            byte[] buffer = new byte[1024];
            while (!IsWhole(answer.ToString()))
            {
                int read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Collector.Patience);
                if (read == 0)
                {
                    return false;
                }

                answer.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return false;
        }

        string status = answer.ToString()[..12];
        Assert.True(status is "HTTP/1.1 204" or "HTTP/1.1 200" or "HTTP/1.1 503", answer.ToString());
        return !status.EndsWith("503", StringComparison.Ordinal);
    }

    private static bool IsWhole(string answer)
    {
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return end >= 0 && (!answer[..end].Contains("chunked", StringComparison.Ordinal) || answer.EndsWith("0\r\n\r\n", StringComparison.Ordinal));
    }

    /// <returns>Whether all messages were acknowledged.</returns>
    private static async Task<bool> TellAsync(int port, string[] messages)
    {
        try
        {
            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/t/ws?ack=true"), CancellationToken.None).WaitAsync(Collector.Patience);
            foreach (string message in messages)
            {
                await socket.SendAsync(Encoding.ASCII.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            }

            byte[] buffer = new byte[200];
            string told = "";
            while (told != $$"""{"acknowledged":{{messages.Length}}}""")
            {
                var got = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    return false;
                }

                told = Encoding.ASCII.GetString(buffer, 0, got.Count);
            }

            return true;
        }
        catch (Exception e) when (e is WebSocketException or IOException or SocketException or HttpRequestException)
        {
            return false;
        }
    }

    private static async Task CheckAsync(Collector collector, string[] messages, bool isOnce, string what)
    {
        var seen = new List<string>();
        while (!collector.IsEmpty)
        {
            seen.Add((await collector.NextAsync()).Text);
        }

        Assert.True(messages.All(seen.Contains), $"{what}: answered, and only '{string.Join(", ", seen)}' is there.");
        Assert.True(!isOnce || seen.Count == messages.Length, $"{what}: '{string.Join(", ", seen)}' came.");
    }

    /// <summary>Passes bytes on, and cuts a connection behind so many bytes of one direction.</summary>
    private sealed class Cable : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly int _target;
        private readonly Task _accepting;
        private (bool IsAnswer, int At)? _cut;

        internal Cable(int target)
        {
            _target = target;
            _listener.Start();
            _accepting = AcceptAsync();
        }

        internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        /// <summary>The next connection is cut, and those after it are not.</summary>
        internal void CutOnce(bool isAnswer, int at) => _cut = (isAnswer, at);

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _accepting;
            _listener.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var device = await _listener.AcceptSocketAsync();
                    var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    device.NoDelay = true;
                    await server.ConnectAsync(IPAddress.Loopback, _target);
                    var cut = _cut;
                    _cut = null;
                    _ = PassAsync(device, server, cut is { IsAnswer: false } request ? request.At : int.MaxValue);
                    _ = PassAsync(server, device, cut is { IsAnswer: true } answer ? answer.At : int.MaxValue);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
            }
        }

        private static async Task PassAsync(Socket from, Socket to, int left)
        {
            try
            {
                byte[] buffer = new byte[4096];
                int read;
                while ((read = await from.ReceiveAsync(buffer)) > 0)
                {
                    await to.SendAsync(buffer.AsMemory(0, Math.Min(read, left)));
                    if (read > left)
                    {
                        break;
                    }

                    left -= read;
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
            }

            foreach (var socket in (Socket[])[from, to])
            {
                socket.Dispose();
            }
        }
    }
}
