using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

public class CoapListenTests
{
    [Fact]
    public async Task What_is_posted_arrives_with_its_path_type_and_query_and_is_acknowledged()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("plant/{line}/{sensor}", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => $"coap://127.0.0.1:{connections.Server().Port}/plant/7/t%20x?unit=K", Local.Utf8, "application/json"));
        await sink.WriteAsync("{\"v\":1}");
        var received = await collector.NextAsync();
        Assert.Equal(("plant/7/t x", "{\"v\":1}", "application/json", "unit=K"), (received.Topic, received.Text, received.ContentType, received.Query));
        Assert.Null(received.Sender);
    }

    [Fact]
    public async Task A_post_is_answered_when_it_is_acknowledged_and_not_before()
    {
        var connections = Local.Listener();
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"coap://127.0.0.1:{connections.Server().Port}/in", Local.Utf8));
        var written = sink.WriteAsync("1");
        var received = await collector.NextAsync();
        Assert.False(written.IsCompleted);
        received.Acknowledger!.Acknowledge(received.Delivery!);
        await written;
    }

    [Theory]
    [InlineData(DeadLetterReason.Malformed, "4.00")]
    [InlineData(DeadLetterReason.MissingField, "4.22")]
    [InlineData(DeadLetterReason.TooLarge, "4.13")]
    [InlineData(DeadLetterReason.UnknownTopic, "4.04")]
    public async Task A_dead_letter_is_refused_with_its_reason(DeadLetterReason reason, string code)
    {
        var connections = Local.Listener();
        await using var running = await connections.ListenAsync("in", new Collector { Reject = _ => (reason, "celsius is missing") });
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => $"coap://127.0.0.1:{connections.Server().Port}/in", Local.Utf8));
        var refused = await Assert.ThrowsAsync<SinkRejectedException>(() => sink.WriteAsync("0123456789012345678901234567890123456789"));
        Assert.Contains($"{code} celsius is missing", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_engine_holds_back_devices_are_told_when_to_come_again()
    {
        var connections = Local.Listener(o => (o.MaxWaiting, o.RetryAfter) = (1, TimeSpan.FromSeconds(7)), c => c.Transmission.MaxOutstanding = 10);
        var gate = new TaskCompletionSource();
        var collector = new Collector { Gate = gate.Task };
        await using var running = await connections.ListenAsync("in", collector);
        await using var client = await LocalClient.ConnectAsync(connections.Server().Port);
        var first = client.SendAsync(Pair.Request(CoapCode.Post, "in", "1"));
        await collector.NextAsync();
        var second = client.SendAsync(Pair.Request(CoapCode.Post, "in", "2"));
        var third = await client.SendAsync(Pair.Request(CoapCode.Post, "in", "3"));
        Assert.Equal((CoapCode.ServiceUnavailable, 7u), (third.Code, third.UInt(CoapOptionNumber.MaxAge)));
        gate.SetResult();
        Assert.Equal([CoapCode.Changed, CoapCode.Changed], new[] { (await first).Code, (await second).Code });
    }

    [Fact]
    public async Task Requests_that_a_source_does_not_take_are_refused()
    {
        var connections = Local.Listener();
        await using var running = await connections.ListenAsync("in/{x}", new Collector());
        await using var client = await LocalClient.ConnectAsync(connections.Server().Port);
        Assert.Equal(CoapCode.MethodNotAllowed, (await client.SendAsync(Pair.Request(CoapCode.Get, "in/1"))).Code);
        Assert.Equal(CoapCode.NotFound, (await client.SendAsync(Pair.Request(CoapCode.Post, "elsewhere"))).Code);
        Assert.Equal(CoapCode.UnsupportedContentFormat, (await client.SendAsync(Pair.Request(CoapCode.Post, "in/1", "x").With(CoapOptionNumber.ContentFormat, 4711))).Code);
        Assert.Equal(CoapCode.PreconditionFailed, (await client.SendAsync(Pair.Request(CoapCode.Post, "in/1", "x").With(CoapOptionNumber.IfMatch, "a"u8.ToArray()))).Code);
    }

    [Fact]
    public async Task A_body_in_blocks_is_one_message()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => $"coap://localhost:{connections.Server().Port}/in", Local.Utf8));
        string body = new('x', 100_000);
        await sink.WriteAsync(body);
        Assert.Equal(body, (await collector.NextAsync()).Text);
    }

    [Fact]
    public async Task What_an_identity_may_not_do_is_forbidden()
    {
        var security = new ListenerSecurity { Authorize = (_, action, resource) => new(action == AccessAction.Publish && resource == "in/a") };
        var connections = Local.Listener(o => o.Security = security);
        await using var running = await connections.ListenAsync("in/{x}", new Collector());
        await using var client = await LocalClient.ConnectAsync(connections.Server().Port);
        Assert.Equal(CoapCode.Changed, (await client.SendAsync(Pair.Request(CoapCode.Post, "in/a", "x"))).Code);
        Assert.Equal(CoapCode.Forbidden, (await client.SendAsync(Pair.Request(CoapCode.Post, "in/b", "x"))).Code);
    }

    [Fact]
    public async Task Who_must_say_who_they_are_and_do_not_are_unauthorized()
    {
        var security = new ListenerSecurity { PreSharedKey = _ => null };
        var connections = Local.Listener(o => o.Security = security);
        await using var running = await connections.ListenAsync("in", new Collector());
        await using var client = await LocalClient.ConnectAsync(connections.Server().Port);
        Assert.Equal(CoapCode.Unauthorized, (await client.SendAsync(Pair.Request(CoapCode.Post, "in", "x"))).Code);
    }

    [Fact]
    public async Task A_listener_that_others_can_reach_needs_security()
    {
        var connections = Local.Listener(o => o.Address = System.Net.IPAddress.Any);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => connections.ListenAsync("in", new Collector()));
        Assert.Contains("nothing proves who connects", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_state_is_read_observed_and_followed_by_a_source()
    {
        var connections = Local.Listener();
        await using var sink = await connections.OpenAsync(Coap.Resource<string>("alarm", Local.Utf8, "text/plain"));
        var collector = new Collector();
        await using var observing = await connections.ObserveAsync($"coap://127.0.0.1:{connections.Server().Port}/alarm", collector);
        await sink.WriteAsync("1");
        Assert.Equal("1", (await collector.NextAsync()).Text);
        await sink.WriteAsync("2");
        var second = await collector.NextAsync();
        Assert.Equal(("2", "alarm", "text/plain; charset=utf-8"), (second.Text, second.Topic, second.ContentType));
    }

    [Fact]
    public async Task Each_result_may_have_a_path_of_its_own_up_to_a_limit()
    {
        var connections = Local.Listener();
        await using var sink = await connections.OpenAsync(Coap.Resource<(string Where, string What)>(
            r => $"rooms/{r.Where}", Local.Utf8, options: new CoapResourceOptions { MaxResources = 2 }));
        await sink.WriteAsync(("a", "1"), ("b", "2"), ("a", "3"));
        await using var client = await LocalClient.ConnectAsync(connections.Server().Port);
        Assert.Equal("3", Pair.Text(await client.SendAsync(Pair.Request(CoapCode.Get, "rooms/a"))));
        Assert.Equal(2, (await Assert.ThrowsAsync<SinkRejectedException>(() => sink.WriteAsync(("a", "4"), ("b", "5"), ("c", "6")))).Row);
    }

    [Fact]
    public async Task Sources_and_sinks_share_the_listener_and_the_last_one_closes_it()
    {
        var connections = Local.Listener();
        var one = await connections.ListenAsync("one", new Collector());
        int port = connections.Server().Port;
        var two = await connections.ListenAsync("two", new Collector());
        Assert.Equal(port, connections.Server().Port);
        await one.DisposeAsync();
        await using (var client = await LocalClient.ConnectAsync(port))
        {
            Assert.Equal(CoapCode.NotFound, (await client.SendAsync(Pair.Request(CoapCode.Post, "one", "x"))).Code);
            Assert.Equal(CoapCode.Changed, (await client.SendAsync(Pair.Request(CoapCode.Post, "two", "x"))).Code);
        }

        await two.DisposeAsync();
        connections.Find<CoapListenerOptions>()!.Port = port;
        await using var again = await connections.ListenAsync("again", new Collector());
        Assert.Equal(port, connections.Server().Port);
    }

    [Fact]
    public async Task A_result_without_a_usable_URI_is_rejected_alone()
    {
        var connections = Local.Listener();
        await using var running = await connections.ListenAsync("in", new Collector());
        await using var sink = await connections.OpenAsync(Coap.Post<(string Where, string What)>(r => r.Where, Local.Utf8));
        var refused = await Assert.ThrowsAsync<SinkRejectedException>(() => sink.WriteAsync(("http://127.0.0.1/", "x")));
        Assert.Contains("is no CoAP URI", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_tried_again_later()
    {
        var connections = Local.Listener(client: c => (c.Transmission.AckTimeout, c.Transmission.MaxRetransmit) = (TimeSpan.FromMilliseconds(20), 1));
        await using var sink = await connections.OpenAsync(Coap.Post<string>(_ => "coap://127.0.0.1:9/in", Local.Utf8));
        var error = await Assert.ThrowsAsync<CoapException>(() => sink.WriteAsync("1"));
        Assert.Contains("no acknowledgement", error.Message, StringComparison.Ordinal);
    }
}

/// <summary>A client over a socket.</summary>
internal sealed class LocalClient : IAsyncDisposable
{
    private readonly CoapConnector _connector = new(new CoapOptions { Transmission = { MaxOutstanding = 10 } }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
    private CoapClient? _client;

    internal static async Task<LocalClient> ConnectAsync(int port)
    {
        var local = new LocalClient();
        local._client = await local._connector.ConnectAsync(CoapUri.Parse($"coap://127.0.0.1:{port}/"), CancellationToken.None);
        return local;
    }

    internal Task<CoapMessage> SendAsync(CoapMessage request) => _client!.SendAsync(request, CancellationToken.None).WaitAsync(Collector.Patience);

    public ValueTask DisposeAsync() => _connector.DisposeAsync();
}
