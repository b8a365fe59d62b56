using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.ObjectPool;

namespace IoT.Cep;

/// <summary>
/// One endpoint that takes messages: the source of a query on the one side, requests on the other. Requests run on the server's threads; each hands its messages over through the turnstile and
/// waits until they are acknowledged.
/// </summary>
internal sealed partial class HttpIngest : ITransport, IDisposable
{
    private readonly HttpServer _server;
    private readonly HttpReceiveOptions _options;
    private readonly Turnstile _turnstile = new();
    private readonly WaitingRoom _room;
    private readonly IdempotencyTable _answers;
    private readonly ObjectPool<Delivery> _deliveries;
    private readonly int _levels;
    private int _waiting;
    private int _running;
    private int _prefixLevels = -1;
    private long _requests;

    internal HttpIngest(HttpServer server, TopicTemplate template, HttpReceiveOptions options)
    {
        (_server, Template, _options) = (server, template, options);
        _levels = template.ToString().Count(static c => c == '/') + 1;
        _room = new WaitingRoom(options.AnswerTimeout, server.Clock);
        _answers = new IdempotencyTable(options.MaxIdempotencyKeys, options.IdempotencyPeriod, server.Clock);
        _deliveries = new DefaultObjectPool<Delivery>(new DeliveryPolicy(this));
        Name = "http " + template;
    }

    public string Name { get; }

    internal TopicTemplate Template { get; }

    internal HttpReceiveOptions Options => _options;

    internal long Requests => Interlocked.Read(ref _requests);

    internal int Waiting => Volatile.Read(ref _waiting);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">It is a source already.</exception>
    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        if (Interlocked.Exchange(ref _running, 1) == 1)
        {
            throw new InvalidOperationException($"'{Name}' is the source of another engine, or was: an HttpServer serves one engine.");
        }

        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(stopped.SetResult).ConfigureAwait(false);
        _turnstile.Open(receiver);
        receiver.ConnectionChanged(true);
        var ended = await Task.WhenAny(stopped.Task, _turnstile.Failed).ConfigureAwait(false);
        await _turnstile.CloseAsync().ConfigureAwait(false);
        receiver.ConnectionChanged(false, "stopped");
        await ended.ConfigureAwait(false);
    }

    public void Dispose() => _room.Dispose();

    /// <summary>POST, and GET where it is allowed: one message, or lines of messages.</summary>
    internal Task HandleAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        return HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsConnect(context.Request.Method) ? HandleGetAsync(context) : GuardAsync(context);
    }

    private Task HandleGetAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest && _options.AllowWebSockets)
        {
            return GuardAsync(context, isWebSocket: true);
        }

        if (_options.AllowGet && HttpMethods.IsGet(context.Request.Method) && context.Request.QueryString.HasValue)
        {
            return GuardAsync(context);
        }

        context.Response.Headers.Allow = "POST";
        Answers.Status(context, StatusCodes.Status405MethodNotAllowed);
        return Task.CompletedTask;
    }

    /// <summary>Finds out who sends what, takes it, and answers for whatever a sender can do wrong.</summary>
    private async Task GuardAsync(HttpContext context, bool isWebSocket = false)
    {
        try
        {
            var peer = HttpPeer.Of(context, _server);
            if (TopicOf(context, peer) is not { } topic)
            {
                Answers.Status(context, StatusCodes.Status404NotFound);
                return;
            }

            if (await _server.Access.EnterAsync(context, peer, AccessAction.Publish, Template, topic).ConfigureAwait(false) is not { } who)
            {
                return;
            }

            if (!_turnstile.IsOpen)
            {
                await Answers.BusyAsync(context, "The engine is not running.").ConfigureAwait(false);
                return;
            }

            if (isWebSocket)
            {
                await TakeWebSocketAsync(context, who, topic).ConfigureAwait(false);
            }
            else
            {
                await TakeAsync(context, who, topic).ConfigureAwait(false);
            }
        }
        catch (HttpRefusedException refused)
        {
            await Answers.ProblemAsync(context, refused.Status, null, refused.Message).ConfigureAwait(false);
        }
        catch (LinesNotTakenException busy)
        {
            await Answers.BusyAsync(context, busy.Message).ConfigureAwait(false);
        }
        catch (BadHttpRequestException bad)
        {
            // The server's words for a request that breaks the protocol, is too long or too slow.
            await Answers.ProblemAsync(context, bad.StatusCode, null, bad.Message).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException
            || (e is OperationCanceledException && (context.RequestAborted.IsCancellationRequested || Stopping.Of(context).IsCancellationRequested)))
        {
            // The sender has gone, or the application stops while a WebSocket is open: nobody to answer.
        }
    }

    /// <summary>
    /// The path behind a group's prefix, without a slash in front; null where the template does not take it, which routing finds out less strictly: it takes letters of any case and a slash at the end.
    /// A connection whose requests have the same path makes its text once.
    /// </summary>
    private string? TopicOf(HttpContext context, HttpPeer peer)
    {
        string path = context.Request.Path.Value ?? "";
        if (peer.Topic is { } known && (ReferenceEquals(known.Path, path) || known.Path == path))
        {
            return known.Topic;
        }

        if (_prefixLevels < 0)
        {
            _prefixLevels = context.GetEndpoint() is RouteEndpoint { RoutePattern.PathSegments.Count: var levels } ? Math.Max(0, levels - _levels) : 0;
        }

        int start = 1;
        for (int level = 0; level < _prefixLevels; level++)
        {
            start = path.IndexOf('/', Math.Min(start, path.Length)) + 1;
        }

        string topic = start < path.Length ? path[start..] : "";
        Span<Range> places = stackalloc Range[Math.Max(1, Template.Names.Count)];
        if (topic.Length == 0 || !Template.TryMatch(topic, places))
        {
            return null;
        }

        peer.Topic = new HttpPeer.TopicMemo(path, topic);
        return topic;
    }

    /// <summary>Which header fields decoders may see.</summary>
    private PayloadHeaders HeadersOf(HttpContext context)
    {
        if (_options.Headers.Count == 0)
        {
            return default;
        }

        var headers = new List<KeyValuePair<string, string>>(_options.Headers.Count);
        foreach (string name in _options.Headers)
        {
            if (context.Request.Headers.TryGetValue(name, out var values))
            {
                headers.Add(new KeyValuePair<string, string>(name, values.ToString()));
            }
        }

        return new PayloadHeaders(headers);
    }

    /// <summary>Begins a request's first message; null where its sender has too many under way.</summary>
    private Delivery? Begin(HttpPeer.IdentityMemo who, IdempotentAnswer? answer, int maxErrors)
    {
        var delivery = _deliveries.Get();
        delivery.Begin(maxErrors, answer, who.Budget);
        if (delivery.TryReserve(1))
        {
            return delivery;
        }

        Return(delivery);
        return null;
    }

    /// <summary>Waits until the engine takes messages again; false where it does not within the bound.</summary>
    private async ValueTask<bool> UntilTakenAsync(Task? busy, CancellationToken stop)
    {
        if (busy is null)
        {
            return false;
        }

        try
        {
            await busy.WaitAsync(_options.AnswerTimeout, _server.Clock, stop).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private ValueTask<bool> UntilAcknowledgedAsync(Delivery delivery, long most)
    {
        var acknowledged = delivery.WaitAsync(most, _room);
        return acknowledged.IsCompletedSuccessfully ? acknowledged : LeaveAsync(acknowledged, delivery);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> LeaveAsync(ValueTask<bool> acknowledged, Delivery delivery)
    {
        bool isDone = await acknowledged.ConfigureAwait(false);
        _room.Leave(delivery);
        return isDone;
    }

    private sealed class DeliveryPolicy(HttpIngest owner) : PooledObjectPolicy<Delivery>
    {
        public override Delivery Create() => new(owner.Return);

        public override bool Return(Delivery obj) => true;
    }

    private void Return(Delivery delivery) => _deliveries.Return(delivery);
}
