using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The HTTP side of an engine: what is declared on it becomes endpoints, of the application that maps it (<c>app.MapCep()</c>) or of a server of its own
/// (<see cref="ListenAsync"/>). Made by <c>cep.HttpServer()</c>.
/// </summary>
/// <remarks>Declare everything before it is mapped. It serves one engine, and may be mapped several times.</remarks>
public sealed class HttpServer : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<HttpIngest> _ingests = [];
    private readonly List<ResultFeed> _feeds = [];
    private readonly List<CommandQueues> _commands = [];
    private readonly List<HttpMediation> _mediations = [];
    private readonly HashSet<string> _paths = new(StringComparer.OrdinalIgnoreCase);
    private bool _isMapped;

    /// <summary>Makes a server without endpoints.</summary>
    /// <param name="options">What its endpoints have in common; programs on this machine may do everything where null.</param>
    /// <param name="clock">The clock; the system's where null.</param>
    public HttpServer(HttpServerOptions? options = null, TimeProvider? clock = null)
    {
        Options = options ?? new HttpServerOptions();
        Options.Validate();
        Clock = clock ?? TimeProvider.System;
        Access = new HttpAccess(Options);
    }

    /// <summary>What was counted since it was made.</summary>
    public HttpServerStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new HttpServerStatistics(
                    _ingests.Sum(i => i.Requests), _ingests.Sum(i => i.Waiting) + _commands.Sum(c => c.Requests), Access.Refused, _feeds.Sum(f => f.Clients), _feeds.Sum(f => f.Lost),
                    _commands.Sum(c => c.Waiting), _commands.Sum(c => c.Expired));
            }
        }
    }

    internal HttpServerOptions Options { get; }

    internal TimeProvider Clock { get; }

    internal HttpAccess Access { get; }

    internal IReadOnlyList<HttpIngest> Ingests => _ingests;

    internal IReadOnlyList<ResultFeed> Feeds => _feeds;

    internal IReadOnlyList<HttpMediation> Mediations => _mediations;

    internal IReadOnlyList<CommandQueues> CommandEndpoints => _commands;

    /// <summary>
    /// Messages that are sent to a path: by POST (one, or lines), by WebSocket, by a query. The answer comes when the engine has acknowledged them. The media type
    /// reaches the decoder as <see cref="Payload.ContentType"/>.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="template">The path: <c>/t/{sensor}</c>.</param>
    /// <param name="decoder">Turns messages into events.</param>
    /// <param name="form">Decodes queries (<c>POST /t/dev7?v=21.5</c>) and the bodies of forms: <see cref="Form.Decode{T}"/>. Null: the first decoder gets them.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="FormatException">The template is not valid.</exception>
    /// <exception cref="InvalidOperationException">The path has an endpoint, or the server has been mapped.</exception>
    public ISource<T> Receive<T>(string template, Decoder<T> decoder, Decoder<T>? form = null, Action<HttpReceiveOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        var options = new HttpReceiveOptions();
        configure?.Invoke(options);
        options.Validate();
        var ingest = new HttpIngest(this, TopicTemplate.Parse(template), options);
        Add(ingest.Template.ToString(), () => _ingests.Add(ingest));
        return Source.FromTransport(ingest, form is null ? decoder : new FormOrDecoder<T>(decoder, form));
    }

    /// <summary>
    /// Sends each result to everyone who listens at a path, as JSON by generated code: as server-sent events, or by WebSocket where the client opens one.
    /// </summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The path: <c>/alerts</c>.</param>
    /// <param name="json">How a result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="configure">Sets the options.</param>
    public ISink<T> Publish<T>(string path, JsonTypeInfo<T> json, Action<HttpPublishOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Publish(path, Encode(json), configure);
    }

    /// <summary>Sends each result to everyone who listens at a path: as server-sent events, or by WebSocket where the client opens one.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The path: <c>/alerts</c>.</param>
    /// <param name="encode">Writes a result as UTF-8 text.</param>
    /// <param name="configure">Sets the options.</param>
    public ISink<T> Publish<T>(string path, Action<T, IBufferWriter<byte>> encode, Action<HttpPublishOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(encode);
        var options = new HttpPublishOptions();
        configure?.Invoke(options);
        options.Validate();
        var feed = new ResultFeed(this, ParsePlain(path), options);
        Add(feed.Path.ToString(), () => _feeds.Add(feed));
        return new HttpPublishSink<T>(feed, encode);
    }

    /// <summary>Keeps results as commands until the devices that they are for have fetched and acknowledged them (<c>GET /commands/dev7?wait=30</c>), as JSON by generated code.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="template">The path, with one place for the device: <c>/commands/{device}</c>.</param>
    /// <param name="device">Whom a command is for.</param>
    /// <param name="json">How a command is written: <c>MyJsonContext.Default.Command</c>.</param>
    /// <param name="configure">Sets the options.</param>
    public ISink<T> Commands<T>(string template, Func<T, string> device, JsonTypeInfo<T> json, Action<HttpCommandOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Commands(template, device, Encode(json), configure, "application/json");
    }

    /// <summary>Keeps results as commands until the devices that they are for have fetched and acknowledged them (<c>GET /commands/dev7?wait=30</c>).</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="template">The path, with one place for the device: <c>/commands/{device}</c>.</param>
    /// <param name="device">Whom a command is for.</param>
    /// <param name="encode">Writes a command.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="contentType">The media type of what it writes.</param>
    public ISink<T> Commands<T>(
        string template, Func<T, string> device, Action<T, IBufferWriter<byte>> encode, Action<HttpCommandOptions>? configure = null, string contentType = "application/octet-stream")
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(encode);
        var options = new HttpCommandOptions();
        configure?.Invoke(options);
        options.Validate();
        var parsed = TopicTemplate.Parse(template);
        if (parsed.Names.Count != 1 || parsed.ToString().Contains('*', StringComparison.Ordinal))
        {
            throw new ArgumentException("The path must have one place, for the device: '/commands/{device}'.", nameof(template));
        }

        var queues = new CommandQueues(this, parsed, contentType, options);
        Add(parsed.ToString(), () => _commands.Add(queues));
        return new HttpCommandSink<T>(queues, device, encode);
    }

    /// <summary>
    /// Lets another protocol answer the requests (POST) of a path: <c>http.Mediate("/devices/{device}/cmd", "devices/{device}/commands", MqttRequests.Open(broker))</c> makes an HTTP call an MQTT command,
    /// and its reply the response. Who may is asked as <see cref="AccessAction.Command"/> on the path.
    /// </summary>
    /// <param name="template">The path: <c>/devices/{device}/cmd</c>.</param>
    /// <param name="to">Where a request goes, with places of the path.</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The mediator, with its counters.</returns>
    /// <exception cref="ArgumentException">A template is not valid.</exception>
    /// <exception cref="InvalidOperationException">The path has an endpoint, or the server has been mapped.</exception>
    public Mediator Mediate(string template, string to, IRequests requests, Action<MediatorOptions>? configure = null) =>
        AddMediator(configure, set => new Mediator(template, to, requests, set));

    /// <summary>Lets another protocol answer the requests (POST) of a path, by a function that says where each goes: to the gateway, say, that the device is behind.</summary>
    /// <param name="template">The path: <c>/devices/{device}/cmd</c>.</param>
    /// <param name="route">Where a request goes; null: there is no such device (404).</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The mediator, with its counters.</returns>
    /// <exception cref="ArgumentException">The template is not valid.</exception>
    /// <exception cref="InvalidOperationException">The path has an endpoint, or the server has been mapped.</exception>
    public Mediator Mediate(string template, Func<MediatedRequest, string?> route, IRequests requests, Action<MediatorOptions>? configure = null) =>
        AddMediator(configure, set => new Mediator(template, route, requests, set));

    /// <summary>Listens by itself, without an application around it: <c>await using var server = await http.ListenAsync(o =&gt; o.Port = 8080);</c>. While the engine is not running the answer is 503.</summary>
    /// <param name="configure">Sets where and how.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InvalidOperationException">The address can be reached by others, and nothing says who they are or what they may.</exception>
    public Task<HttpListening> ListenAsync(Action<HttpListenOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        var options = new HttpListenOptions();
        configure?.Invoke(options);
        return HttpListening.StartAsync(this, options, cancellationToken);
    }

    /// <summary>Frees its timers. Requests that wait get no answer any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ingests.ForEach(static i => i.Dispose());
        }
    }

    /// <summary>No more can be declared: what is mapped is what there is.</summary>
    internal void Freeze()
    {
        lock (_gate)
        {
            _isMapped = true;
        }
    }

    private static TopicTemplate ParsePlain(string path)
    {
        var template = TopicTemplate.Parse(path);
        return template.Names.Count == 0 && !template.ToString().AsSpan().ContainsAny('+', '#')
            ? template : throw new ArgumentException("The path must have no places: '/alerts'.", nameof(path));
    }

    private Mediator AddMediator(Action<MediatorOptions>? configure, Func<Action<MediatorOptions>, Mediator> make)
    {
        MediatorOptions? options = null;
        var mediator = make(o =>
        {
            configure?.Invoke(o);
            options = o;
        });
        Add(mediator.Template.ToString(), () => _mediations.Add(new HttpMediation(this, mediator, options!)));
        return mediator;
    }

    private void Add(string path, Action add)
    {
        lock (_gate)
        {
            if (_isMapped)
            {
                throw new InvalidOperationException($"'/{path}' is declared after the server was mapped: declare all endpoints before MapCep or ListenAsync.");
            }

            if (!_paths.Add(path))
            {
                throw new InvalidOperationException($"'/{path}' has an endpoint already: give each source and sink a path of its own.");
            }

            add();
        }
    }

    private static Action<T, IBufferWriter<byte>> Encode<T>(JsonTypeInfo<T> json) => (result, output) =>
    {
        using var writer = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(writer, result, json);
    };

    /// <summary>Two decoders, by media type.</summary>
    private sealed class FormOrDecoder<T>(Decoder<T> decoder, Decoder<T> form) : Decoder<T>
    {
        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            bool isForm = payload.ContentType is { } type
                && (ReferenceEquals(type, HttpIngest.FormContentType) || type.StartsWith(HttpIngest.FormContentType, StringComparison.OrdinalIgnoreCase));
            (isForm ? form : decoder).Decode(in payload, output);
        }
    }
}

/// <summary>What an <see cref="HttpServer"/> counted.</summary>
/// <param name="Requests">Requests to endpoints that take messages.</param>
/// <param name="Waiting">How many of them are under way now, and how many requests wait for commands.</param>
/// <param name="Refused">Requests refused to those who are not known or may not.</param>
/// <param name="Clients">Who listens for results now.</param>
/// <param name="Lost">Results that clients did not get because they were too slow.</param>
/// <param name="Commands">Commands that wait for their devices.</param>
/// <param name="ExpiredCommands">Commands whose time was over before their devices had acknowledged them.</param>
public sealed record HttpServerStatistics(long Requests, int Waiting, long Refused, int Clients, long Lost, int Commands, long ExpiredCommands);
