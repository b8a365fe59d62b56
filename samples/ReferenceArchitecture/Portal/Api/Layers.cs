using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Reference.Access;

namespace IoT.Reference.Portal.Api;

/// <summary>The layers behind the API: the one place where requests go on, always with the caller's own token, bounded in size and time.</summary>
internal sealed class Layers : IDisposable
{
    private readonly HttpMessageHandler _handler;

    public Layers(PortalOptions options)
    {
        _handler = options.MakeHandler();
        Identity = new Layer(Client(options.Layers.Identity), options);
        Manager = new Layer(Client(options.Layers.DeviceManager), options);
        Analytics = new Layer(Client(options.Layers.Analytics), options);
    }

    internal Layer Identity { get; }

    internal Layer Manager { get; }

    internal Layer Analytics { get; }

    public void Dispose() => _handler.Dispose();

    // Times are set for each request: a live stream has none.
    private HttpClient Client(Uri address) => new(_handler, disposeHandler: false) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
}

/// <summary>One of them.</summary>
internal sealed class Layer(HttpClient client, PortalOptions options)
{
    /// <summary>Reads something.</summary>
    internal IResult Get(string path) => new Forwarded(this, HttpMethod.Get, path, null);

    /// <summary>Does something without a body.</summary>
    internal IResult Send(HttpMethod method, string path) => new Forwarded(this, method, path, null);

    /// <summary>Does something; the body was read as what it must be, and is written anew.</summary>
    internal IResult Send<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> type) => new Forwarded(this, method, path, JsonSerializer.SerializeToUtf8Bytes(body, type));

    /// <summary>Sends a request with the caller's token; gives back as soon as the headers are there.</summary>
    internal Task<HttpResponseMessage> SendAsync(HttpContext context, HttpMethod method, string path, byte[]? body, CancellationToken stop)
    {
        var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Headers.Authorization = AuthenticationHeaderValue.Parse(context.Request.Headers.Authorization.ToString());
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        return client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
    }

    /// <summary>Reads JSON; for what the portal itself puts together.</summary>
    /// <exception cref="HttpRequestException">The layer does not answer, or says no: with its status.</exception>
    internal async Task<JsonElement> ReadAsync(HttpContext context, HttpMethod method, string path)
    {
        using var stop = Deadline(context);
        using var response = await SendAsync(context, method, path, null, stop.Token);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{method} {path}", null, response.StatusCode);
        }

        await using var stream = await response.Content.ReadAsStreamAsync(stop.Token);
        var body = new ArrayBufferWriter<byte>();
        for (int read; (read = await stream.ReadAsync(body.GetMemory(16_384), stop.Token)) > 0;)
        {
            body.Advance(read);
            if (body.WrittenCount > options.MaxAnswerBytes)
            {
                throw new HttpRequestException("The answer is too long.");
            }
        }

        if (body.WrittenCount == 0)
        {
            return default;
        }

        using var document = JsonDocument.Parse(body.WrittenMemory);
        return document.RootElement.Clone();
    }

    private Deadlines Deadline(HttpContext context) => new(options, context.RequestAborted);

    private sealed class Deadlines : IDisposable
    {
        private readonly CancellationTokenSource _time;
        private readonly CancellationTokenSource _both;

        internal Deadlines(PortalOptions options, CancellationToken aborted)
        {
            _time = new CancellationTokenSource(options.AnswerTimeout, options.TimeProvider);
            _both = CancellationTokenSource.CreateLinkedTokenSource(_time.Token, aborted);
        }

        internal CancellationToken Token => _both.Token;

        public void Dispose()
        {
            _both.Dispose();
            _time.Dispose();
        }
    }

    private sealed class Forwarded(Layer layer, HttpMethod method, string path, byte[]? body) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => layer.ForwardAsync(httpContext, method, path, body);
    }

    private async Task ForwardAsync(HttpContext context, HttpMethod method, string path, byte[]? body)
    {
        using var stop = Deadline(context);
        using var response = await SendAsync(context, method, path, body, stop.Token);
        if ((int)response.StatusCode >= 500)
        {
            await Problems.WriteAsync(context, StatusCodes.Status502BadGateway, "A layer failed", $"What is behind this address answered with {(int)response.StatusCode}.");
            return;
        }

        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.Headers.CacheControl = "no-store";
        if (response.Headers.RetryAfter is { } after)
        {
            context.Response.Headers.RetryAfter = after.ToString();
        }

        // Only what an API answers with: whatever a layer sent, no browser may take it for a page.
        string? type = response.Content.Headers.ContentType?.MediaType;
        if (type is "application/json" or "application/problem+json")
        {
            context.Response.ContentType = type;
            context.Response.ContentLength = response.Content.Headers.ContentLength;
            await CopyAsync(response, context, stop.Token);
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, HttpContext context, CancellationToken stop)
    {
        if (response.Content.Headers.ContentLength > options.MaxAnswerBytes)
        {
            context.Response.ContentLength = null;
            await Problems.WriteAsync(context, StatusCodes.Status502BadGateway, "The answer is too long", "Ask for less: limit, from, to.");
            return;
        }

        await using var stream = await response.Content.ReadAsStreamAsync(stop);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16_384);
        try
        {
            long copied = 0;
            for (int read; (read = await stream.ReadAsync(buffer, stop)) > 0;)
            {
                if ((copied += read) > options.MaxAnswerBytes)
                {
                    // Half an answer must not look like a whole one.
                    context.Abort();
                    return;
                }

                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), stop);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
