using System.Net;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class HttpCommandTests
{
    [Fact]
    public async Task A_device_gets_its_oldest_command_until_it_acknowledges_it()
    {
        await using var post = await Post.StartAsync();
        await post.SendAsync(("dev7", "open"), ("dev8", "other"), ("dev7", "close"));

        var first = await post.FetchAsync("/c/dev7");
        var again = await post.FetchAsync("/c/dev7");
        var second = await post.FetchAsync($"/c/dev7?ack={first.Id}");
        var none = await post.FetchAsync($"/c/dev7?ack={second.Id}");

        Assert.Equal(("open", "close", HttpStatusCode.NoContent), (first.Text, second.Text, none.Status));
        Assert.Equal(first, again);
        Assert.Equal(1, post.Server.Statistics.Commands);
    }

    [Fact]
    [Trait("Requirement", "R53")]
    public async Task A_request_that_waits_is_answered_when_a_command_comes()
    {
        await using var post = await Post.StartAsync();
        var waiting = post.FetchAsync("/c/dev7?wait=30");
        await post.SendAsync(("dev7", "open"));

        Assert.Equal("open", (await waiting).Text);
    }

    [Fact]
    public async Task A_request_waits_as_long_as_it_says_and_no_longer()
    {
        var clock = new FakeTimeProvider();
        await using var post = await Post.StartAsync(clock: clock);
        var waiting = post.FetchAsync("/c/dev7?wait=30");
        while (!waiting.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(10));
            await Task.WhenAny(waiting, Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System));
        }

        Assert.Equal(HttpStatusCode.NoContent, (await waiting).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await post.FetchAsync("/c/dev7?wait=soon")).Status);
    }

    [Fact]
    public async Task What_nobody_fetches_is_refused_past_the_bound_and_forgotten_after_its_time()
    {
        var clock = new FakeTimeProvider();
        await using var post = await Post.StartAsync(o => (o.MaxPerDevice, o.MaxDevices) = (2, 1), clock);
        await post.SendAsync(("dev7", "1"), ("dev7", "2"));

        Assert.Equal(0, (await Assert.ThrowsAsync<SinkRejectedException>(() => post.SendAsync(("dev7", "3")))).Row);
        await Assert.ThrowsAsync<SinkRejectedException>(() => post.SendAsync(("dev8", "1")));

        clock.Advance(TimeSpan.FromHours(2));
        await post.SendAsync(("dev8", "1"));
        Assert.Equal((1, 2), (post.Server.Statistics.Commands, (int)post.Server.Statistics.ExpiredCommands));
    }

    [Fact]
    public async Task An_acknowledgement_of_another_run_hits_nothing()
    {
        await using var post = await Post.StartAsync();
        await post.SendAsync(("dev7", "open"));

        using var gone = await post.Client.DeleteAsync(new Uri("/c/dev7?ack=0123abcd-1", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        var command = await post.FetchAsync("/c/dev7?ack=0123abcd-1");
        Assert.Equal("open", command.Text);
        using var done = await post.Client.DeleteAsync(new Uri($"/c/dev7?ack={command.Id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, done.StatusCode);
    }

    [Fact]
    public async Task A_device_fetches_its_own_commands_only()
    {
        await using var post = await Post.StartAsync(security: new ListenerSecurity
        {
            Token = token => new ValueTask<Identity?>(new Identity(token, AuthenticationMethod.Token)),
            DevicePlace = "device",
        });
        await post.SendAsync(("dev7", "open"));

        Assert.Equal(HttpStatusCode.Forbidden, (await post.FetchAsync("/c/dev7", "dev8")).Status);
        Assert.Equal("open", (await post.FetchAsync("/c/dev7", "dev7")).Text);
    }

    /// <summary>A server with one endpoint for commands.</summary>
    private sealed class Post(HttpServer server, HttpListening listening, IAsyncSink<(string Device, string Text)> sink) : IAsyncDisposable
    {
        internal HttpServer Server => server;

        internal HttpClient Client { get; } = new() { BaseAddress = listening.Address };

        internal static async Task<Post> StartAsync(Action<HttpCommandOptions>? configure = null, TimeProvider? clock = null, ListenerSecurity? security = null)
        {
            var options = new HttpServerOptions();
            options.Security = security ?? options.Security;
            var server = new HttpServer(options, clock);
            var sink = server.Commands<(string Device, string Text)>("/c/{device}", c => c.Device, (c, output) => Encoding.UTF8.GetBytes(c.Text, output), configure);
            return new Post(server, await server.ListenAsync(), (IAsyncSink<(string, string)>)sink);
        }

        internal async Task SendAsync(params (string, string)[] commands) =>
            await sink.WriteAsync(new SinkBatch<(string, string)> { Events = commands, Ticks = new long[commands.Length] }, CancellationToken.None);

        internal async Task<(HttpStatusCode Status, string? Id, string Text)> FetchAsync(string path, string? token = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (token is not null)
            {
                request.Headers.Authorization = new("Bearer", token);
            }

            using var answer = await Client.SendAsync(request).WaitAsync(Collector.Patience);
            return (answer.StatusCode, answer.Headers.TryGetValues("Command-Id", out var ids) ? ids.Single() : null, await answer.Content.ReadAsStringAsync());
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await listening.DisposeAsync();
            server.Dispose();
        }
    }
}
