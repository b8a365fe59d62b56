using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>The rules of all transports and sinks, for those that speak HTTP.</summary>
public sealed class HttpRulesTests
{
    public static TheoryData<string> TransportRules => [.. TransportContract.Rules];

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task An_endpoint_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new EndpointFixture());

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task An_endpoint_s_websocket_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new WebSocketFixture());

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_source_that_polls_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new PollFixture());

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_source_of_events_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new EventsFixture());

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_web_hook_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new HookFixture());

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_sink_of_events_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new FeedFixture());

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_sink_of_commands_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new CommandFixture());

    /// <summary>A device that posts, and waits for the answer.</summary>
    private class EndpointFixture : TransportFixture
    {
        private readonly HttpServer _server = new();
        private HttpListening? _listening;
        private HttpClient? _client;

        public override bool Acknowledges => true;

        protected Uri Address => _listening!.Address;

        public override async ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _server.Receive("/contract/{*rest}", Json.Decode<Sample>(), configure: o => o.AnswerTimeout = TimeSpan.FromMinutes(1));
            _listening = await _server.ListenAsync(cancellationToken: stop);
            _client = new HttpClient { BaseAddress = _listening.Address };
            return _server.Ingests[0];
        }

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            using var content = new ReadOnlyMemoryContent(payload);
            using var answer = await _client!.PostAsync(new Uri("/" + string.Join('/', topic.Split('/').Select(Uri.EscapeDataString)), UriKind.Relative), content, stop);
            answer.EnsureSuccessStatusCode();
        }

        public override async ValueTask DisposeAsync()
        {
            _client?.Dispose();
            await _listening!.DisposeAsync();
            _server.Dispose();
        }
    }

    private sealed class WebSocketFixture : EndpointFixture
    {
        private ClientWebSocket? _socket;

        public override bool CarriesTopics => false;

        public override int MaxReadAheadBytes => 8 << 20;

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            if (_socket is not { State: WebSocketState.Open })
            {
                _socket?.Dispose();
                _socket = new ClientWebSocket();
                await _socket.ConnectAsync(new UriBuilder(Address) { Scheme = "ws", Path = "/contract/ws" }.Uri, stop);
            }

            await _socket.SendAsync(payload, WebSocketMessageType.Binary, endOfMessage: true, stop);
        }

        public override ValueTask DisposeAsync()
        {
            _socket?.Dispose();
            return base.DisposeAsync();
        }
    }

    /// <summary>Another server, behind a cable that can be cut.</summary>
    private abstract class PeerFixture : TransportFixture
    {
        private TestPeer? _peer;
        private LoopbackProxy? _proxy;

        public override LoopbackProxy? Proxy => _proxy;

        public override bool CarriesTopics => false;

        public override TimeSpan LongestPause => TimeSpan.FromSeconds(10);

        protected HttpClientOptions Options => new() { AllowPrivateNetworks = true, LongestPause = LongestPause / 2 };

        public override async ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _peer = await TestPeer.StartAsync(AnswerAsync);
            _proxy = new LoopbackProxy(_peer.Address.Port);
            return Make(new Uri($"http://127.0.0.1:{_proxy.Port}/a"));
        }

        public override async ValueTask DisposeAsync()
        {
            await _proxy!.DisposeAsync();
            await _peer!.DisposeAsync();
        }

        protected abstract ITransport Make(Uri uri);

        protected abstract Task AnswerAsync(HttpContext context, int number);
    }

    /// <summary>Each answer is a message that was not fetched before.</summary>
    private sealed class PollFixture : PeerFixture
    {
        private readonly Channel<(byte[] Body, TaskCompletionSource Fetched)> _messages = Channel.CreateUnbounded<(byte[], TaskCompletionSource)>();
        private volatile int _latest;

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            var fetched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _messages.Writer.TryWrite((payload.ToArray(), fetched));
            await fetched.Task.WaitAsync(stop);
        }

        protected override ITransport Make(Uri uri) => new HttpPollTransport(uri, TimeSpan.FromMilliseconds(1), Options);

        // The answer begins at once and ends with the next message: between two requests nobody would see that the cable was cut.
        protected override async Task AnswerAsync(HttpContext context, int number)
        {
            _latest = number;
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await _messages.Reader.WaitToReadAsync(context.RequestAborted);

            // One whose client has gone unseen takes nothing.
            if (number == _latest && _messages.Reader.TryRead(out var message))
            {
                await context.Response.Body.WriteAsync(message.Body);
                message.Fetched.SetResult();
            }
        }
    }

    /// <summary>A stream of events that knows where a client left it.</summary>
    private sealed class EventsFixture : PeerFixture
    {
        private readonly List<byte[]> _events = [];
        private readonly SemaphoreSlim _news = new(0);
        private readonly SemaphoreSlim _written = new(0);

        public override bool CarriesAnyBytes => false;

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            if (payload.Span.IndexOfAny("\r\n\0"u8) >= 0)
            {
                throw new ArgumentException("An event is text.");
            }

            lock (_events)
            {
                _events.Add(payload.ToArray());
            }

            _news.Release();
            await _written.WaitAsync(stop);
        }

        protected override ITransport Make(Uri uri) => new HttpEventsTransport(uri, Options);

        protected override async Task AnswerAsync(HttpContext context, int number)
        {
            var stop = context.RequestAborted;
            context.Response.ContentType = "text/event-stream";
            int next = int.TryParse(context.Request.Headers["Last-Event-ID"], out int last) ? last + 1 : 0;
            await context.Response.Body.FlushAsync(stop);
            while (true)
            {
                byte[]? body;
                lock (_events)
                {
                    body = next < _events.Count ? _events[next] : null;
                }

                if (body is null)
                {
                    await _news.WaitAsync(stop);
                    continue;
                }

                await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes($"id: {next}\ndata: "), stop);
                await context.Response.Body.WriteAsync(body, stop);
                await context.Response.Body.WriteAsync("\n\n"u8.ToArray(), stop);
                await context.Response.Body.FlushAsync(stop);
                _written.Release();
                next++;
            }
        }
    }

    /// <summary>Rows are texts with a number; one of a kind can't be encoded.</summary>
    private abstract class RowsFixture : SinkFixture<string>
    {
        private readonly List<int> _rows = [];
        private readonly SemaphoreSlim _came = new(0);

        public override bool HasBadRow => true;

        public override string Row(int i) => $"{i}";

        public override string BadRow() => "bad\u001b";

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            try
            {
                while (true)
                {
                    lock (_rows)
                    {
                        if (_rows.Distinct().Count() >= count)
                        {
                            return [.. _rows];
                        }
                    }

                    await _came.WaitAsync(stop);
                }
            }
            catch (OperationCanceledException)
            {
                return [.. _rows];
            }
        }

        protected static void Encode(string row, System.Buffers.IBufferWriter<byte> output)
        {
            if (row[0] == 'b')
            {
                throw new InvalidDataException("two\nlines\u001b");
            }

            Encoding.ASCII.GetBytes(row, output);
        }

        protected void Came(string row)
        {
            lock (_rows)
            {
                _rows.Add(int.Parse(row, null));
            }

            _came.Release();
        }
    }

    private sealed class HookFixture : RowsFixture
    {
        private TestPeer? _peer;
        private LoopbackProxy? _proxy;

        public override bool CanBreak => true;

        public override async ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop)
        {
            _peer = await TestPeer.StartAsync((context, _) =>
            {
                Came(_peer!.Requests.Last().Body);
                return Task.CompletedTask;
            });
            _proxy = new LoopbackProxy(_peer.Address.Port);
            return (IAsyncSink<string>)Http.Post<string>(new Uri($"http://127.0.0.1:{_proxy.Port}/a"), Encode, "text/plain", o => o.AllowPrivateNetworks = true);
        }

        public override ValueTask BreakAsync()
        {
            _proxy!.Cut();
            return ValueTask.CompletedTask;
        }

        public override ValueTask RepairAsync()
        {
            _proxy!.Restore();
            return ValueTask.CompletedTask;
        }

        public override async ValueTask DisposeAsync()
        {
            await _proxy!.DisposeAsync();
            await _peer!.DisposeAsync();
        }
    }

    /// <summary>What a client reads that listens from the beginning.</summary>
    private sealed class FeedFixture : RowsFixture
    {
        private readonly HttpServer _server = new();
        private HttpListening? _listening;
        private HttpClient? _client;
        private Events? _events;
        private Task? _reading;

        public override bool IsExact => true;

        public override async ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop)
        {
            var sink = (IAsyncSink<string>)_server.Publish<string>("/out", Encode);
            _listening = await _server.ListenAsync(cancellationToken: stop);
            _client = new HttpClient { BaseAddress = _listening.Address };
            _events = await Events.OpenAsync(_client, "/out");
            _reading = ReadAsync();
            return sink;
        }

        public override async ValueTask DisposeAsync()
        {
            await _listening!.DisposeAsync();
            await _reading!.WaitAsync(Patience);
            _events!.Dispose();
            _client!.Dispose();
            _server.Dispose();
        }

        private async Task ReadAsync()
        {
            try
            {
                while (true)
                {
                    Came((await _events!.NextAsync(Timeout.InfiniteTimeSpan)).Data);
                }
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                // The end.
            }
        }
    }

    /// <summary>A device that fetches its commands one by one.</summary>
    private sealed class CommandFixture : RowsFixture
    {
        private readonly HttpServer _server = new();
        private HttpListening? _listening;
        private HttpClient? _client;
        private string _acknowledged = "";

        public override bool IsExact => true;

        public override async ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop)
        {
            var sink = (IAsyncSink<string>)_server.Commands<string>("/c/{device}", static _ => "dev7", Encode, o => o.MaxPerDevice = 1000);
            _listening = await _server.ListenAsync(cancellationToken: stop);
            _client = new HttpClient { BaseAddress = _listening.Address };
            return sink;
        }

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            while (true)
            {
                using var answer = await _client!.GetAsync(new Uri("/c/dev7" + _acknowledged, UriKind.Relative), stop);
                if (answer.StatusCode == HttpStatusCode.NoContent)
                {
                    return await base.WrittenAsync(0, stop);
                }

                Came(await answer.Content.ReadAsStringAsync(stop));
                _acknowledged = "?ack=" + answer.Headers.GetValues("Command-Id").Single();
            }
        }

        public override async ValueTask DisposeAsync()
        {
            _client?.Dispose();
            await _listening!.DisposeAsync();
            _server.Dispose();
        }
    }
}
