using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Other servers by HTTP: results are posted to them, and messages are fetched from them. To be a server oneself, see the package <c>IoT.Cep.Transports.AspNetCore</c>.</summary>
public static class Http
{
    /// <summary>Posts each result as JSON by generated code: a web hook.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Where.</param>
    /// <param name="json">How a result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="configure">Sets the options.</param>
    /// <remarks>
    /// A result is posted at least once, and tried again while the server is away or answers 5xx, 401, 407, 408, 425 or 429, not before its <c>Retry-After</c>. Any other 4xx makes it a dead letter. A result that was taken back is not posted.
    /// </remarks>
    /// <exception cref="ArgumentException">The address or the options can't work.</exception>
    public static ISink<T> Post<T>(Uri uri, JsonTypeInfo<T> json, Action<HttpPostOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Post<T>(uri, Write, "application/json", configure);

        void Write(T result, IBufferWriter<byte> output)
        {
            using var writer = new Utf8JsonWriter(output);
            JsonSerializer.Serialize(writer, result, json);
        }
    }

    /// <summary>Posts each result: a web hook.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Where.</param>
    /// <param name="encode">Writes a result; JSON, where batches are asked for.</param>
    /// <param name="contentType">The media type of a single result.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">The address or the options can't work.</exception>
    public static ISink<T> Post<T>(Uri uri, Action<T, IBufferWriter<byte>> encode, string contentType, Action<HttpPostOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentException.ThrowIfNullOrEmpty(contentType);
        var options = new HttpPostOptions();
        configure?.Invoke(options);
        options.Validate(uri);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBatch, 1, nameof(HttpPostOptions.MaxBatch));
        return new HttpPostSink<T>(uri, encode, contentType, options);
    }

    /// <summary>Fetches an address again and again; each answer that is new (by <c>ETag</c> or <c>Last-Modified</c>) is a message.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="uri">The address.</param>
    /// <param name="every">The pause between two requests; up to a tenth of it more or less, so that many programs do not ask at once.</param>
    /// <param name="decoder">Turns answers into events.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">The address or the options can't work.</exception>
    public static ISource<T> Poll<T>(Uri uri, TimeSpan every, Decoder<T> decoder, Action<HttpClientOptions>? configure = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(every, TimeSpan.Zero);
        return Source.FromTransport(new HttpPollTransport(uri, every, Configure(uri, configure)), decoder);
    }

    /// <summary>Listens to an address that sends events (<c>text/event-stream</c>); each one's data are a message, and its name is the header <c>event</c>. After a lost connection it asks for those behind the last one.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="uri">The address.</param>
    /// <param name="decoder">Turns data into events.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">The address or the options can't work.</exception>
    public static ISource<T> Events<T>(Uri uri, Decoder<T> decoder, Action<HttpClientOptions>? configure = null) =>
        Source.FromTransport(new HttpEventsTransport(uri, Configure(uri, configure)), decoder);

    /// <summary>
    /// Asks a server: what a mediator gives requests of another protocol to. A request is a POST to the path that its topic names behind the address; media type, headers and body go both ways. It is
    /// sent once: whether it may be repeated is for the caller to know.
    /// </summary>
    /// <param name="address">The address: <c>https://plant.example/api</c>.</param>
    /// <param name="configure">Sets the options. The time limit is the request's, or the options' where that is shorter.</param>
    /// <param name="clock">The clock; the system's where null.</param>
    /// <exception cref="ArgumentException">The address or the options can't work.</exception>
    public static IRequests Requests(Uri address, Action<HttpClientOptions>? configure = null, TimeProvider? clock = null) =>
        new HttpRequests(address, Configure(address, configure), clock ?? TimeProvider.System);

    private static HttpClientOptions Configure(Uri uri, Action<HttpClientOptions>? configure)
    {
        var options = new HttpClientOptions();
        configure?.Invoke(options);
        options.Validate(uri);
        return options;
    }
}
