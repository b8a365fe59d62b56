using System.Globalization;
using System.Net.Http.Headers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Asks another server by HTTP: each request is a POST to the path that its topic names behind an address.</summary>
internal sealed class HttpRequests(Uri address, HttpClientOptions options, TimeProvider clock) : IRequests
{
    private readonly HttpClient _client = HttpConnector.Create(options);
    private readonly Uri _base = new(address.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");

    public string Name { get; } = $"http {HttpConnector.NameOf(address)}";

    public async ValueTask<Message> RequestAsync(Message request, TimeSpan timeout, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        using var sent = new HttpRequestMessage(HttpMethod.Post, AddressOf(request.Topic)) { Content = ContentOf(request) };
        foreach (var (name, value) in request.Headers)
        {
            // A header that HTTP can't carry is left out, rather than the request.
            if (!value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            {
                sent.Headers.TryAddWithoutValidation(name, value);
            }
        }

        using var limit = new CancellationTokenSource(timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            using var response = await HttpConnector.SendAsync(_client, sent, options, clock, either.Token).ConfigureAwait(false);
            var answer = await ReadAsync(response, request.Topic, either.Token).ConfigureAwait(false);
            int status = (int)response.StatusCode;
            return response.IsSuccessStatusCode ? answer
                : throw new RequestRefusedException(
                    status.ToString(CultureInfo.InvariantCulture), string.Create(CultureInfo.InvariantCulture, $"The other server answered {status}."), answer.Body.IsEmpty ? null : answer);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer of {Name} came within {timeout}.", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
            || e.InnerException is AddressNotAllowedException)
        {
            throw new IOException($"{Name} could not be asked: {HttpConnector.Describe(e)}.", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // Lost on the way: it may have been carried out, so it is not one that was never sent.
            throw new RequestRefusedException("502", $"{Name} did not answer as it should: {HttpConnector.Describe(e)}.");
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Each level is data: what has a meaning in an address is escaped, and what climbs out of the address is refused.</summary>
    private Uri AddressOf(string topic)
    {
        string[] levels = topic.Split('/');
        return Array.Exists(levels, static l => l is "." or "..") ? throw new ArgumentException($"The topic '{SafeText.Escape(topic, 128)}' has a level '.' or '..', which a path must not.", nameof(topic))
            : new Uri(_base, string.Join('/', levels.Select(Uri.EscapeDataString)).TrimStart('/'));
    }

    private static ByteArrayContent ContentOf(Message request)
    {
        var content = new ByteArrayContent(request.Body.ToArray());
        if (request.ContentType is { } type && MediaTypeHeaderValue.TryParse(type, out var parsed))
        {
            content.Headers.ContentType = parsed;
        }

        return content;
    }

    private async ValueTask<Message> ReadAsync(HttpResponseMessage response, string topic, CancellationToken stop)
    {
        using var body = new MemoryStream();
        var stream = await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        byte[] buffer = new byte[16 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer, stop).ConfigureAwait(false)) > 0;)
        {
            if (body.Length + read > options.MaxBytes)
            {
                throw new RequestRefusedException("502", $"The answer of {Name} is longer than MaxBytes, {options.MaxBytes}.");
            }

            body.Write(buffer, 0, read);
        }

        return new Message(topic, body.ToArray())
        {
            ContentType = response.Content.Headers.ContentType?.ToString(),
            Headers = [.. response.Headers.Select(static h => new KeyValuePair<string, string>(h.Key, string.Join(", ", h.Value)))],
            Received = clock.GetUtcNow(),
        };
    }
}
