using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// CoAP sources and sinks: <c>cep.From(Coap.Listen("plant/{line}/{sensor}", decoder))</c>, <c>cep.From(Coap.Observe("coap://device/temperature", decoder))</c>,
/// <c>alerts.To(Coap.Post(a =&gt; $"coap://{a.Device}/alarm", ...))</c>, <c>alerts.To(Coap.Resource("alarm", ...))</c>.
/// </summary>
public static class Coap
{
    private const string Json = "application/json";

    /// <summary>What devices POST or PUT to this program, to the paths of a template. They get 2.04 when its effect is where the query's guarantee says.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="template">The paths: <c>plant/{line}/{sensor}</c>.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="listener">The listener's name: the one given to <c>cep.CoapListener(..., name)</c>.</param>
    /// <exception cref="FormatException">The template is malformed.</exception>
    public static ISource<T> Listen<T>(string template, Decoder<T> decoder, string listener = Connections.Default)
    {
        ArgumentException.ThrowIfNullOrEmpty(listener);
        return Source.FromTransport(new CoapListenTransport(TopicTemplate.Parse(template), listener), decoder);
    }

    /// <summary>The states of a resource on a device or server, as they change; one that can't be observed is read again whenever its age is over.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="uri">The resource: <c>coap://device/temperature</c>; also <c>coaps</c>, <c>coap+tcp</c>, <c>coaps+tcp</c>, <c>coap+ws</c>, <c>coaps+ws</c>.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="connection">The name of the options: the one given to <c>cep.Coap(..., name)</c>.</param>
    /// <exception cref="FormatException">The URI is malformed.</exception>
    public static ISource<T> Observe<T>(string uri, Decoder<T> decoder, string connection = Connections.Default)
    {
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return Source.FromTransport(new CoapObserveTransport(CoapUri.Parse(uri), uri, connection), decoder);
    }

    /// <summary>Sends each result as JSON by POST, and waits for the answer. A client's error (4.xx) makes it a dead letter; anything else is tried again.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Gives the resource.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="connection">The name of the options: the one given to <c>cep.Coap(..., name)</c>.</param>
    public static ISink<T> Post<T>(Func<T, string> uri, JsonTypeInfo<T> json, string connection = Connections.Default) =>
        Request(CoapCode.Post, uri, Writer(json), Json, connection);

    /// <summary>Sends each result as bytes by POST, and waits for the answer. A client's error (4.xx) makes it a dead letter; anything else is tried again.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Gives the resource.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="contentType">The payload's media type, one that CoAP has a number for; null: not said.</param>
    /// <param name="connection">The name of the options: the one given to <c>cep.Coap(..., name)</c>.</param>
    /// <exception cref="ArgumentException">CoAP has no number for the media type.</exception>
    public static ISink<T> Post<T>(Func<T, string> uri, Action<T, IBufferWriter<byte>> encode, string? contentType = null, string connection = Connections.Default) =>
        Request(CoapCode.Post, uri, encode, contentType, connection);

    /// <summary>Sends each result as JSON by PUT, and waits for the answer. A client's error (4.xx) makes it a dead letter; anything else is tried again.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Gives the resource.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="connection">The name of the options: the one given to <c>cep.Coap(..., name)</c>.</param>
    public static ISink<T> Put<T>(Func<T, string> uri, JsonTypeInfo<T> json, string connection = Connections.Default) =>
        Request(CoapCode.Put, uri, Writer(json), Json, connection);

    /// <summary>Sends each result as bytes by PUT, and waits for the answer. A client's error (4.xx) makes it a dead letter; anything else is tried again.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="uri">Gives the resource.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="contentType">The payload's media type, one that CoAP has a number for; null: not said.</param>
    /// <param name="connection">The name of the options: the one given to <c>cep.Coap(..., name)</c>.</param>
    /// <exception cref="ArgumentException">CoAP has no number for the media type.</exception>
    public static ISink<T> Put<T>(Func<T, string> uri, Action<T, IBufferWriter<byte>> encode, string? contentType = null, string connection = Connections.Default) =>
        Request(CoapCode.Put, uri, encode, contentType, connection);

    /// <summary>Shows the latest result as JSON under a path of this program's server: GET reads it, and whoever observes it is told of each further one.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The path: <c>alarms/latest</c>.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="options">How it is shown; <see cref="CoapResourceOptions.Default"/> where null.</param>
    /// <param name="listener">The listener's name: the one given to <c>cep.CoapListener(..., name)</c>.</param>
    public static ISink<T> Resource<T>(string path, JsonTypeInfo<T> json, CoapResourceOptions? options = null, string listener = Connections.Default) =>
        Resource(path, Writer(json), Json, options, listener);

    /// <summary>Shows the latest result as bytes under a path of this program's server: GET reads it, and whoever observes it is told of each further one.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The path: <c>alarms/latest</c>.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="contentType">The payload's media type, one that CoAP has a number for; null: not said.</param>
    /// <param name="options">How it is shown; <see cref="CoapResourceOptions.Default"/> where null.</param>
    /// <param name="listener">The listener's name: the one given to <c>cep.CoapListener(..., name)</c>.</param>
    /// <exception cref="ArgumentException">CoAP has no number for the media type.</exception>
    public static ISink<T> Resource<T>(
        string path, Action<T, IBufferWriter<byte>> encode, string? contentType = null, CoapResourceOptions? options = null, string listener = Connections.Default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string trimmed = path.TrimStart('/');
        return Resource(_ => trimmed, trimmed, encode, contentType, options, listener);
    }

    /// <summary>Shows each result under a path of its own, the latest of each path: <c>Coap.Resource(r =&gt; $"rooms/{r.Room}", ...)</c>.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">Gives the path.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="contentType">The payload's media type, one that CoAP has a number for; null: not said.</param>
    /// <param name="options">How it is shown; <see cref="CoapResourceOptions.Default"/> where null.</param>
    /// <param name="listener">The listener's name: the one given to <c>cep.CoapListener(..., name)</c>.</param>
    /// <exception cref="ArgumentException">CoAP has no number for the media type.</exception>
    public static ISink<T> Resource<T>(
        Func<T, string> path, Action<T, IBufferWriter<byte>> encode, string? contentType = null, CoapResourceOptions? options = null, string listener = Connections.Default) =>
        Resource(path, null, encode, contentType, options, listener);

    private static CoapResourceSink<T> Resource<T>(
        Func<T, string> path, string? fixedPath, Action<T, IBufferWriter<byte>> encode, string? contentType, CoapResourceOptions? options, string listener)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentException.ThrowIfNullOrEmpty(listener);
        options ??= CoapResourceOptions.Default;
        options.Check();
        return new CoapResourceSink<T>(path, fixedPath, encode, NumberOf(contentType), options, listener);
    }

    private static CoapRequestSink<T> Request<T>(CoapCode method, Func<T, string> uri, Action<T, IBufferWriter<byte>> encode, string? contentType, string connection)
    {
        ArgumentNullException.ThrowIfNull(uri);
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return new CoapRequestSink<T>(method, uri, encode, NumberOf(contentType), connection);
    }

    private static int NumberOf(string? contentType)
    {
        int number = contentType is null ? -1 : CoapContentFormats.Number(contentType);
        return contentType is null || number >= 0 ? number
            : throw new ArgumentException($"CoAP has no number for the media type '{SafeText.Escape(contentType)}'; give null to send none.", nameof(contentType));
    }

    private static Action<T, IBufferWriter<byte>> Writer<T>(JsonTypeInfo<T> json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return (result, output) =>
        {
            using var writer = new Utf8JsonWriter(output);
            JsonSerializer.Serialize(writer, result, json);
        };
    }
}
