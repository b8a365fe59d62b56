using System.Net;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class HttpPostTests
{
    [Fact]
    public async Task Each_result_is_a_request_with_a_key_that_is_the_same_when_it_is_tried_again()
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(200, 500, 204));
        var sink = await OpenAsync(peer.Address);
        var batch = Batch("1", "2");

        await Assert.ThrowsAsync<HttpNotNowException>(() => WriteAsync(sink, batch));
        await WriteAsync(sink, Batch("2", at: 1));

        var got = peer.Requests.ToArray();
        Assert.Equal(["1", "2", "2"], got.Select(g => g.Body));
        Assert.All(got, g => Assert.Equal("application/json", g.ContentType));
        Assert.NotEqual(KeyOf(got[0]), KeyOf(got[1]));
        Assert.Equal(KeyOf(got[1]), KeyOf(got[2]));
    }

    [Fact]
    public async Task A_result_that_the_server_refuses_for_good_is_rejected_alone()
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(200, 422));
        var sink = await OpenAsync(peer.Address);

        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => WriteAsync(sink, Batch("1", "2", "3")));

        Assert.Equal((1, "The server answered 422."), (error.Row, error.Message));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(302)]
    public async Task What_may_pass_is_tried_again(int status)
    {
        await using var peer = await TestPeer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = "http://169.254.169.254/latest";
            return Task.CompletedTask;
        });
        var sink = await OpenAsync(peer.Address);

        await Assert.ThrowsAsync<HttpNotNowException>(() => WriteAsync(sink, Batch("1")));
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task The_next_attempt_waits_as_long_as_the_server_asks(int status)
    {
        var clock = new FakeTimeProvider();
        await using var peer = await TestPeer.StartAsync((context, n) =>
        {
            context.Response.StatusCode = n == 1 ? status : 204;
            context.Response.Headers.RetryAfter = "7";
            return Task.CompletedTask;
        });
        var sink = await OpenAsync(peer.Address, clock: clock);
        await Assert.ThrowsAsync<HttpNotNowException>(() => WriteAsync(sink, Batch("1")));

        var next = WriteAsync(sink, Batch("1"));
        clock.Advance(TimeSpan.FromSeconds(6));
        Assert.False(next.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1));
        await next;

        Assert.Equal(2, peer.Requests.Count);
    }

    [Theory]
    [InlineData(HttpBatch.JsonArray, "application/json", "[1,2]", "[3]")]
    [InlineData(HttpBatch.Lines, "application/x-ndjson", "1\n2\n", "3\n")]
    public async Task Several_results_are_one_request_where_that_is_asked_for(HttpBatch batch, string contentType, params string[] bodies)
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(200));
        var sink = await OpenAsync(peer.Address, o => (o.Batch, o.MaxBatch) = (batch, 2));

        await WriteAsync(sink, Batch("1", "2", "3"));

        Assert.Equal(bodies, peer.Requests.Select(g => g.Body));
        Assert.All(peer.Requests, g => Assert.Equal(contentType, g.ContentType));
    }

    [Fact]
    public async Task A_batch_that_is_refused_is_posted_result_by_result()
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(400, 200, 400));
        var sink = await OpenAsync(peer.Address, o => o.Batch = HttpBatch.JsonArray);

        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => WriteAsync(sink, Batch("1", "2", "3")));

        Assert.Equal(1, error.Row);
        Assert.Equal(["[1,2,3]", "[1]", "[2]"], peer.Requests.Select(g => g.Body));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task This_machine_is_not_called_unless_that_is_allowed(string host)
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(200));
        var sink = await OpenAsync(new UriBuilder(peer.Address) { Host = host }.Uri, o => o.AllowPrivateNetworks = false);

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => WriteAsync(sink, Batch("1")));

        Assert.Contains("AllowPrivateNetworks", HttpConnector.Describe(error), StringComparison.Ordinal);
        Assert.Empty(peer.Requests);
    }

    [Theory]
    [InlineData("10.1.2.3", true)]
    [InlineData("172.31.255.255", true)]
    [InlineData("172.32.0.0", false)]
    [InlineData("169.254.169.254", true)]
    [InlineData("100.64.0.1", true)]
    [InlineData("0.0.0.0", true)]
    [InlineData("255.255.255.255", true)]
    [InlineData("8.8.8.8", false)]
    [InlineData("::1", true)]
    [InlineData("::", true)]
    [InlineData("fe80::1", true)]
    [InlineData("fd00::1", true)]
    [InlineData("::ffff:10.0.0.1", true)]
    [InlineData("::ffff:8.8.8.8", false)]
    [InlineData("::10.0.0.1", true)]
    [InlineData("64:ff9b::a00:1", true)]
    [InlineData("64:ff9b::808:808", false)]
    [InlineData("2002:a00:1::", true)]
    [InlineData("2606:4700:4700::1111", false)]
    public void Addresses_of_private_networks_are_known_in_every_form(string address, bool isPrivate) =>
        Assert.Equal(isPrivate, PrivateNetworks.Contain(IPAddress.Parse(address)));

    [Fact]
    public void What_cannot_work_is_refused_when_it_is_written()
    {
        Assert.Contains("clear text", Assert.Throws<ArgumentException>(() => Make("http://a.example", o => o.Token = _ => new("t"))).Message, StringComparison.Ordinal);
        Assert.Contains("https://", Assert.Throws<ArgumentException>(() => Make("ftp://a.example", _ => { })).Message, StringComparison.Ordinal);
        Assert.Contains("Token", Assert.Throws<ArgumentException>(() => Make("https://user:pw@a.example", _ => { })).Message, StringComparison.Ordinal);

        static ISink<string> Make(string uri, Action<HttpPostOptions> configure) =>
            Http.Post<string>(new Uri(uri), (_, _) => { }, "text/plain", configure);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task The_token_of_each_request_is_asked_for()
    {
        await using var peer = await TestPeer.StartAsync(TestPeer.Statuses(200));
        int count = 0;
        var sink = await OpenAsync(peer.Address, o => (o.Token, o.AllowPlainTextToken) = (_ => new($"t{++count}"), true));

        await WriteAsync(sink, Batch("1", "2"));

        Assert.Equal(["Bearer t1", "Bearer t2"], peer.Requests.Select(g => g.Headers.Authorization.ToString()));
    }

    private static async Task<IAsyncSink<string>> OpenAsync(Uri uri, Action<HttpPostOptions>? configure = null, TimeProvider? clock = null)
    {
        var sink = (IAsyncSink<string>)Http.Post<string>(uri, (s, output) => Encoding.UTF8.GetBytes(s, output), "application/json", o =>
        {
            o.AllowPrivateNetworks = true;
            configure?.Invoke(o);
        });
        await sink.OpenAsync(new SinkContext(clock ?? TimeProvider.System, new Connections(), NullLogger.Instance, HasIdentity: false), CancellationToken.None);
        return sink;
    }

    private static SinkBatch<string> Batch(params string[] results) => new() { Events = results, Ticks = Enumerable.Range(0, results.Length).Select(i => (long)i).ToArray() };

    private static SinkBatch<string> Batch(string result, long at) => new() { Events = new[] { result }, Ticks = new[] { at } };

    private static Task WriteAsync(IAsyncSink<string> sink, SinkBatch<string> batch) => sink.WriteAsync(batch, CancellationToken.None).AsTask().WaitAsync(Collector.Patience);

    private static string KeyOf(Got got) => got.Headers["Idempotency-Key"].ToString();
}
