using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>
/// Requests and answers with one CoAP server, over any of its transports: <c>CoapRequests.Open("coaps://gateway.example/devices")</c>. The topic of a request is the resource's path below that URI. An
/// answer's headers are <c>status</c> (<c>2.05</c>) and, where the server said it, <c>max-age</c> in seconds.
/// </summary>
/// <remarks>Thread-safe. One connection or session, which is made at the first request and again when it is lost.</remarks>
public sealed class CoapRequests : IRequests
{
    /// <summary>RFC 7252, 5.10.1.</summary>
    private const int MaxSegmentBytes = 255;

    private readonly CoapUri _server;
    private readonly CoapOptions _options;
    private readonly CoapRequestOptions _requests;
    private readonly CoapConnector _connector;
    private readonly SemaphoreSlim _places;
    private readonly SemaphoreSlim _connecting = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private int _isDisposed;

    private CoapRequests(CoapUri server, CoapOptions options, CoapRequestOptions requests, ILogger logger)
    {
        (_server, _options, _requests) = (server, options, requests);
        _connector = new CoapConnector(options, requests.TimeProvider, logger);
        _places = new SemaphoreSlim(requests.MaxInFlight);
        Name = $"coap {SafeText.Escape(server.Host)}:{server.Port.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Makes ready for requests; the first one connects.</summary>
    /// <param name="uri">The server, and a path that all requests' paths are below: <c>coap://host</c>, also <c>coaps</c>, <c>coap+tcp</c>, <c>coaps+tcp</c>, <c>coap+ws</c>, <c>coaps+ws</c>.</param>
    /// <param name="options">How to speak CoAP; null: the defaults.</param>
    /// <param name="requests">How requests are sent; null: the defaults.</param>
    /// <param name="logger">The log; null: none.</param>
    /// <exception cref="FormatException">The URI is malformed.</exception>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static CoapRequests Open(string uri, CoapOptions? options = null, CoapRequestOptions? requests = null, ILogger? logger = null)
    {
        options ??= new CoapOptions();
        options.Validate("requests");
        requests ??= new CoapRequestOptions();
        requests.Validate();
        return new CoapRequests(CoapUri.Parse(uri), options, requests, logger ?? NullLogger.Instance);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The topic is no path, the content type has no number in CoAP, or the body is longer than <see cref="CoapOptions.MaxBodyBytes"/>.</exception>
    public async ValueTask<Message> RequestAsync(Message request, TimeSpan timeout, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_isDisposed != 0, this);
        var message = Encode(request);
        using var limit = new CancellationTokenSource(timeout, _requests.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop, _stop.Token);
        try
        {
            await _places.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                return Answer(request, await SendAsync(message, either.Token).ConfigureAwait(false));
            }
            finally
            {
                _places.Release();
            }
        }
        catch (OperationCanceledException error) when (limit.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer to a request to '{SafeText.Escape(request.Topic)}' came within {timeout}.", error);
        }
    }

    /// <summary>Closes the connection; requests that wait are cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        for (int i = 0; i < _requests.MaxInFlight; i++)
        {
            // Whoever waits is cancelled and gives the place back.
            await _places.WaitAsync().ConfigureAwait(false);
        }

        await _connector.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<CoapMessage> SendAsync(CoapMessage message, CancellationToken stop)
    {
        var client = await ConnectAsync(stop).ConfigureAwait(false);
        try
        {
            var response = await client.SendAsync(message, stop).ConfigureAwait(false);

            // Responses are handed over on the thread that receives; whoever asked may take its time.
            await Task.Yield();
            return response;
        }
        catch (Exception error) when (CoapConnector.IsTransient(error) && !stop.IsCancellationRequested)
        {
            await Task.Yield();
            await ForgetAsync(client).ConfigureAwait(false);
            throw new TimeoutException($"{CoapConnector.Describe(error)} Whether the request was carried out is not known.", error);
        }
    }

    // The connector is for one user at a time; what it gives is for many.
    private async ValueTask<CoapClient> ConnectAsync(CancellationToken stop)
    {
        await _connecting.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            return await _connector.ConnectAsync(_server, stop).ConfigureAwait(false);
        }
        catch (Exception error) when (CoapConnector.IsTransient(error) && !stop.IsCancellationRequested)
        {
            throw new IOException($"{Name}: no connection: {CoapConnector.Describe(error)}", error);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>The next request connects anew, unless another one has done so already.</summary>
    private async ValueTask ForgetAsync(CoapClient client)
    {
        await _connecting.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            await _connector.ForgetAsync(_server, client).ConfigureAwait(false);
        }
        finally
        {
            _connecting.Release();
        }
    }

    private CoapMessage Encode(Message request)
    {
        if (request.Body.Length > _options.MaxBodyBytes)
        {
            throw new ArgumentException($"The body has {request.Body.Length:N0} bytes; CoapOptions.MaxBodyBytes allows {_options.MaxBodyBytes:N0}.", nameof(request));
        }

        var options = new CoapOptionBuilder().AddAll(_server.Options);
        foreach (string segment in request.Topic.Length == 0 ? [] : request.Topic.Split('/'))
        {
            // A segment of dots would lead out of the path that the requests belong to.
            options.Add(CoapOptionNumber.UriPath, segment is "." or ".." ? throw new ArgumentException("A path has no segments '.' and '..'.", nameof(request)) : Segment(segment));
        }

        foreach (string name in _requests.QueryHeaders)
        {
            if (request.Header(name) is { } value)
            {
                options.Add(CoapOptionNumber.UriQuery, Segment($"{name}={value}"));
            }
        }

        var code = _requests.Method(request) switch
        {
            CoapMethod.Get => CoapCode.Get,
            CoapMethod.Put => CoapCode.Put,
            CoapMethod.Delete => CoapCode.Delete,
            _ => CoapCode.Post,
        };
        if (request.ContentType is { } type && !request.Body.IsEmpty)
        {
            int number = CoapContentFormats.Number(type);
            options.Add(CoapOptionNumber.ContentFormat, number >= 0 ? (uint)number : throw new ArgumentException($"CoAP has no number for the media type '{SafeText.Escape(type)}'.", nameof(request)));
        }

        return new CoapMessage(code, options.ToArray(), request.Body);
    }

    private static byte[] Segment(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return bytes.Length <= MaxSegmentBytes ? bytes : throw new ArgumentException($"A segment of a path or a query has {bytes.Length} bytes; CoAP allows {MaxSegmentBytes}.");
    }

    private Message Answer(Message request, CoapMessage response)
    {
        string status = response.Code.Text();
        List<KeyValuePair<string, string>> headers = [new("status", status)];
        if (response.UInt(CoapOptionNumber.MaxAge) is { } maxAge)
        {
            headers.Add(new("max-age", maxAge.ToString(CultureInfo.InvariantCulture)));
        }

        var answer = new Message(request.Topic, response.Payload)
        {
            ContentType = response.ContentFormat is var format and >= 0 ? CoapContentFormats.MediaType(format) : null,
            Headers = headers,
            Received = _requests.TimeProvider.GetUtcNow(),
        };
        return response.Code.IsSuccess() ? answer
            : throw new RequestRefusedException(status, $"{Name} answered {status} {SafeText.Escape(response.Payload.Span)}".TrimEnd() + ".", response.Payload.IsEmpty ? null : answer);
    }
}
