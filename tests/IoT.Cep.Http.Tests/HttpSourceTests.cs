using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class HttpSourceTests
{
    [Fact]
    public async Task An_answer_is_a_message_when_it_is_new()
    {
        await using var peer = await TestPeer.StartAsync(async (context, n) =>
        {
            string tag = n < 3 ? "\"one\"" : "\"two\"";
            context.Response.Headers.ETag = tag;
            if (context.Request.Headers.IfNoneMatch == tag)
            {
                context.Response.StatusCode = 304;
                return;
            }

            await context.Response.WriteAsync($"answer {tag}");
        });
        await using var run = new Running(new HttpPollTransport(new Uri(peer.Address, "/a/b"), TimeSpan.FromMilliseconds(10), Allowed()));

        var first = await run.Collector.NextAsync();
        Assert.Equal(("127.0.0.1/a/b", "answer \"one\""), (first.Topic, first.Text));
        Assert.Equal("answer \"two\"", (await run.Collector.NextAsync()).Text);
        Assert.True(peer.Requests.Count >= 3);
    }

    [Fact]
    public async Task After_a_failure_it_waits_as_long_as_it_is_asked_and_goes_on()
    {
        var clock = new FakeTimeProvider();
        await using var peer = await TestPeer.StartAsync(async (context, n) =>
        {
            context.Response.StatusCode = n == 1 ? 503 : 200;
            context.Response.Headers.RetryAfter = n == 1 ? "120" : default;
            await context.Response.WriteAsync("x");
        });
        await using var run = new Running(new HttpPollTransport(peer.Address, TimeSpan.FromSeconds(1), Allowed()), clock);
        await run.Until(() => peer.Requests.Count == 1);
        await run.Collector.DownAsync();

        clock.Advance(TimeSpan.FromSeconds(119));
        Assert.Single(peer.Requests);
        while (run.Collector.IsEmpty)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }

        Assert.Equal("x", (await run.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task An_answer_past_the_limit_is_a_dead_letter()
    {
        await using var peer = await TestPeer.StartAsync((context, n) => context.Response.WriteAsync(n == 1 ? new string('x', 5000) : "short"));
        await using var run = new Running(new HttpPollTransport(peer.Address, TimeSpan.FromMilliseconds(10), Allowed(o => o.MaxBytes = 1000)));

        Assert.Equal("short", (await run.Collector.NextAsync()).Text);
        Assert.Equal(1, run.Collector.TooLong);
    }

    [Fact]
    public async Task Events_go_on_behind_the_last_one_whole()
    {
        await using var peer = await TestPeer.StartAsync(async (context, n) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(n == 1 ? "retry: 10\nid: 1\ndata: one\n\nid: 2\ndata: cut" : "id: 2\ndata: two\n\n");
            if (n > 1)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
            }
        });
        await using var run = new Running(new HttpEventsTransport(peer.Address, Allowed()));

        Assert.Equal("one", (await run.Collector.NextAsync()).Text);
        Assert.Equal("two", (await run.Collector.NextAsync()).Text);
        Assert.Equal(["", "1"], peer.Requests.Select(g => g.Headers["Last-Event-ID"].ToString()));
    }

    [Fact]
    public async Task A_server_that_falls_silent_is_asked_again()
    {
        var clock = new FakeTimeProvider();
        await using var peer = await TestPeer.StartAsync(async (context, n) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync($"id: {n}\ndata: {n}\n\n");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        });
        await using var run = new Running(new HttpEventsTransport(peer.Address, Allowed()), clock);
        Assert.Equal("1", (await run.Collector.NextAsync()).Text);

        while (run.Collector.IsEmpty)
        {
            clock.Advance(TimeSpan.FromSeconds(5));
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }

        Assert.Equal("2", (await run.Collector.NextAsync()).Text);
        Assert.Equal("1", peer.Requests.Last().Headers["Last-Event-ID"].ToString());
    }

    [Theory]
    [InlineData("data: a\ndata: b\n\n", "a\nb")]
    [InlineData("data:  a\r\n\r\ndata\r\rdata:b\n\n", " a||b")]
    [InlineData(": comment\n\nid: 1\n\nevent: x\n\ndata: a\n\n", "a")]
    [InlineData("data: {\"é\":1}\nunknown: 2\n\n", "{\"é\":1}")]
    public async Task The_specification_s_forms_are_read_however_they_are_cut(string stream, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(stream);
        foreach (int size in (int[])[1, 2, 3, 1000])
        {
            await using var peer = await TestPeer.StartAsync(async (context, _) =>
            {
                context.Response.ContentType = "text/event-stream";
                for (int at = 0; at < bytes.Length; at += size)
                {
                    await context.Response.Body.WriteAsync(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)));
                    await context.Response.Body.FlushAsync();
                }

                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
            });
            await using var run = new Running(new HttpEventsTransport(peer.Address, Allowed()));

            foreach (string text in expected.Split('|'))
            {
                Assert.Equal(text, (await run.Collector.NextAsync()).Text);
            }
        }
    }

    [Fact]
    public async Task What_an_engine_publishes_another_engine_takes()
    {
        await using var site = await Site.StartAsync(more: (_, samples, http) =>
            samples.To(http.Publish<Sample>("/out", (s, output) => Encoding.UTF8.GetBytes($$"""{"sensor":"{{s.Sensor}}","v":{{s.V}}}""", output))));
        await using var engine = new CepEngine();
        var got = new TaskCompletionSource<Sample>();
        engine.From(Http.Events(new Uri(site.Address, "/out"), Json.Decode<Sample>(), o => o.AllowPrivateNetworks = true)).WithArrivalTime()
            .Subscribe(s => got.TrySetResult(s));
        await engine.StartAsync();
        while (site.Http.Statistics.Clients == 0)
        {
            await Task.Yield();
        }

        await site.PostAsync("/t/a", """{"sensor":"a","v":21.5}""").StatusAsync();

        Assert.Equal(new Sample("a", 21.5), await got.Task.WaitAsync(Collector.Patience));
    }

    private static HttpClientOptions Allowed(Action<HttpClientOptions>? configure = null)
    {
        var options = new HttpClientOptions { AllowPrivateNetworks = true };
        configure?.Invoke(options);
        return options;
    }

    /// <summary>A transport that runs while a test uses it.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal Running(ITransport transport, TimeProvider? clock = null) =>
            _run = transport.RunAsync(Collector, new ConnectionContext(clock ?? TimeProvider.System, new Connections(), NullLogger.Instance), _stop.Token);

        internal Collector Collector { get; } = new();

        internal async Task Until(Func<bool> condition)
        {
            while (!condition())
            {
                Assert.False(_run.IsFaulted);
                await Task.Yield();
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run.WaitAsync(Collector.Patience);
            _stop.Dispose();
        }
    }
}
