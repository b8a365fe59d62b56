using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

/// <summary>What one identity may ask of all listeners together, and how it is made to go.</summary>
public sealed class HttpLimitTests
{
    private const string One = """{"sensor":"a","v":1}""";

    private static readonly (string, string) _me = ("Authorization", "Bearer me");
    private static readonly (string, string) _other = ("Authorization", "Bearer other");

    [Fact]
    public async Task One_identity_has_one_rate_over_all_listeners()
    {
        var security = Security(new PrincipalLimits { MessagesPerSecond = 1, Burst = 3 });
        await using var first = await Endpoint.StartAsync(configure: o => o.Security = security);
        await using var second = await Endpoint.StartAsync(configure: o => o.Security = security);

        Assert.Equal(HttpStatusCode.NoContent, await first.PostAsync("/t/a", One, headers: _me).StatusAsync());
        Assert.Equal(HttpStatusCode.OK, await second.PostAsync("/t/a", "1\n2", "application/x-ndjson", _me).StatusAsync());
        using var refused = await first.PostAsync("/t/a", One, headers: _me);

        Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (refused.StatusCode, refused.Headers.GetValues("Retry-After").Single()));
        Assert.Equal(HttpStatusCode.NoContent, await second.PostAsync("/t/a", One, headers: _other).StatusAsync());
        Assert.Equal(1, security.Refused(PrincipalLimit.Messages));
    }

    [Fact]
    public async Task A_body_of_lines_pays_for_its_lines_and_no_more()
    {
        var security = Security(new PrincipalLimits { MessagesPerSecond = 1, Burst = 100 });
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = security);

        Assert.Equal(HttpStatusCode.OK, await endpoint.PostAsync("/t/a", "1\n2\n3", "application/x-ndjson", _me).StatusAsync());

        Assert.Equal(97, security.BudgetOf(new Identity("me", AuthenticationMethod.Token))!.TakeMessages(1000, out _));
        Assert.Equal(0, security.BudgetOf(new Identity("me", AuthenticationMethod.Token))!.InFlight);
    }

    [Fact]
    public async Task One_more_topic_than_may_be_is_refused()
    {
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = Security(new PrincipalLimits { MaxTopics = 2 }));

        foreach (string path in (string[])["/t/a", "/t/b", "/t/a"])
        {
            Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync(path, One, headers: _me).StatusAsync());
        }

        using var refused = await endpoint.PostAsync("/t/c", One, headers: _me);
        Assert.Equal((HttpStatusCode.TooManyRequests, "3600"), (refused.StatusCode, refused.Headers.GetValues("Retry-After").Single()));
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/c", One, headers: _other).StatusAsync());
    }

    [Fact]
    public async Task A_message_is_under_way_until_it_is_acknowledged_over_all_listeners()
    {
        var security = Security(new PrincipalLimits { MaxInFlight = 1 });
        await using var first = await Endpoint.StartAsync(new Collector { AcknowledgeAtOnce = false }, configure: o => o.Security = security);
        await using var second = await Endpoint.StartAsync(configure: o => o.Security = security);
        var waiting = first.PostAsync("/t/a", One, headers: _me).StatusAsync();
        var message = await first.Collector.NextAsync();

        using var refused = await second.PostAsync("/t/a", One, headers: _me);
        Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (refused.StatusCode, refused.Headers.GetValues("Retry-After").Single()));
        Assert.Equal(HttpStatusCode.NoContent, await second.PostAsync("/t/a", One, headers: _other).StatusAsync());
        message.Acknowledge();

        Assert.Equal(HttpStatusCode.NoContent, await waiting);
        Assert.Equal(HttpStatusCode.NoContent, await second.PostAsync("/t/a", One, headers: _me).StatusAsync());
    }

    [Fact]
    public async Task Requests_that_stay_are_connections_of_their_sender()
    {
        await using var server = await Outlets.StartAsync(Security(new PrincipalLimits { MaxConnections = 1 }));
        using (var open = await server.OpenAsync("/out", "me"))
        {
            Assert.Equal(HttpStatusCode.OK, open.StatusCode);
            foreach (string path in (string[])["/out", "/c/dev7?wait=30"])
            {
                using var refused = await server.OpenAsync(path, "me");
                Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (refused.StatusCode, refused.Headers.GetValues("Retry-After").Single()));
            }

            using var other = await server.OpenAsync("/out", "other");
            Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        }

        await server.UntilAsync(s => s.BudgetOf(new Identity("me", AuthenticationMethod.Token))!.Connections == 0);
        using var again = await server.OpenAsync("/out", "me");
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    [Fact]
    public async Task A_payload_past_the_sender_s_limits_is_refused()
    {
        var limits = new PrincipalLimits { MaxPayloadBytes = 8_000, MaxDecompressionRatio = 2, MaxDepth = 3 };
        await using var site = await Site.StartAsync(configure: o => o.Security = new ListenerSecurity { Limits = limits });
        string @long = $$"""{"sensor":"{{new string('x', 9_000)}}","v":1}""";
        using var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zip.Write(Encoding.ASCII.GetBytes(new string(' ', 7_000)));
        }

        using var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentEncoding.Add("gzip");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await site.PostAsync("/t/a", @long).StatusAsync());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await site.Client.PostContentAsync("/t/a", content).StatusAsync());
        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/a", """{"sensor":"a","v":1,"x":[[1]]}""").StatusAsync());
        var (status, body) = await site.PostAsync("/t/a", """{"sensor":"a","v":1,"x":[[[1]]]}""").TextAsync();
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("TooDeep", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/out")]
    [InlineData("/c/dev7?wait=60")]
    [Trait("Requirement", "R20")]
    public async Task A_revoked_identity_s_requests_end_at_once_and_the_next_one_is_refused(string path)
    {
        await using var server = await Outlets.StartAsync(Security(PrincipalLimits.Default));
        var mine = server.EndAsync(path, "me");
        var others = server.EndAsync(path, "other");
        await server.UntilAsync(s => s.Admitted == 2);

        server.Withdraw("me");

        await mine.WaitAsync(Collector.Patience);
        Assert.False(others.IsCompleted);
        using var next = await server.OpenAsync(path, "me");
        Assert.Equal(HttpStatusCode.Unauthorized, next.StatusCode);
    }

    [Theory]
    [InlineData("/t/a")]
    [InlineData("/out")]
    public async Task A_revoked_identity_s_websocket_ends_at_once(string path)
    {
        await using var server = await Outlets.StartAsync(Security(PrincipalLimits.Default));
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer me");
        await socket.ConnectAsync(new UriBuilder(server.Address) { Scheme = "ws", Path = path }.Uri, CancellationToken.None);
        await server.UntilAsync(s => s.Admitted == 1);

        server.Withdraw("me");

        await Assert.ThrowsAnyAsync<WebSocketException>(() => socket.ReceiveAsync(new byte[100], CancellationToken.None).WaitAsync(Collector.Patience));
        await server.UntilAsync(s => s.Admitted == 0);
    }

    [Fact]
    public async Task A_revoked_identity_s_body_of_lines_ends_at_once()
    {
        await using var server = await Outlets.StartAsync(Security(PrincipalLimits.Default));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync("POST /t/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer me\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n"u8.ToArray());
        Assert.Equal("1", (await server.Collector.NextAsync()).Text);

        server.Withdraw("me");

        byte[] answer = new byte[1000];
        int read = await stream.ReadAsync(answer).AsTask().WaitAsync(Collector.Patience);
        Assert.StartsWith("HTTP/1.1 401", Encoding.ASCII.GetString(answer, 0, read), StringComparison.Ordinal);
    }

    /// <summary>The clock of its rates stands still.</summary>
    private static ListenerSecurity Security(PrincipalLimits limits) => new()
    {
        Token = token => new ValueTask<Identity?>(new Identity(token, AuthenticationMethod.Token)),
        Limits = limits,
        TimeProvider = new FakeTimeProvider(),
    };

    /// <summary>A server with all that stays open, whose tokens can be withdrawn.</summary>
    private sealed class Outlets : IAsyncDisposable
    {
        private readonly HttpClient _client;
        private readonly HttpServer _server;
        private readonly HttpListening _listening;
        private readonly ListenerSecurity _security;
        private readonly HashSet<string> _withdrawn;
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        private Outlets(HttpServer server, HttpListening listening, ListenerSecurity security, HashSet<string> withdrawn)
        {
            (_server, _listening, _security, _withdrawn) = (server, listening, security, withdrawn);
            _client = new HttpClient { BaseAddress = listening.Address, Timeout = Timeout.InfiniteTimeSpan };
            var context = new ConnectionContext(TimeProvider.System, new Connections(), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            _run = server.Ingests[0].RunAsync(Collector, context, _stop.Token);
        }

        internal Collector Collector { get; } = new();

        internal Uri Address => _listening.Address;

        internal static async Task<Outlets> StartAsync(ListenerSecurity given)
        {
            var withdrawn = new HashSet<string>();
            var security = new ListenerSecurity
            {
                Token = async token =>
                {
                    lock (withdrawn)
                    {
                        if (withdrawn.Contains(token))
                        {
                            return null;
                        }
                    }

                    return await given.Token!(token);
                },
                Limits = given.Limits,
            };
            var server = new HttpServer(new HttpServerOptions { Security = security });
            server.Receive("/t/{sensor}", Json.Decode<Sample>());
            server.Publish<Sample>("/out", (_, _) => { });
            server.Commands<Sample>("/c/{device}", s => s.Sensor, (_, _) => { });
            return new Outlets(server, await server.ListenAsync(), security, withdrawn);
        }

        internal void Withdraw(string token)
        {
            lock (_withdrawn)
            {
                _withdrawn.Add(token);
            }

            _security.Revoke(token);
        }

        internal async Task<HttpResponseMessage> OpenAsync(string path, string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", token);
            return await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Collector.Patience);
        }

        /// <summary>Opens, and completes when it has ended, however it ends.</summary>
        internal async Task EndAsync(string path, string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", token);
            try
            {
                using var answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                await answer.Content.ReadAsByteArrayAsync();
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // Cut off.
            }
        }

        internal async Task UntilAsync(Func<ListenerSecurity, bool> condition)
        {
            using var limit = new CancellationTokenSource(Collector.Patience, TimeProvider.System);
            while (!condition(_security))
            {
                limit.Token.ThrowIfCancellationRequested();
                await Task.Yield();
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run.WaitAsync(Collector.Patience);
            _client.Dispose();
            await _listening.DisposeAsync();
            _server.Dispose();
            _stop.Dispose();
        }
    }
}
