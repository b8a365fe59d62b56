using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;
using MQTTnet;

namespace IoT.Cep;

// What stands beside the TCP listener: sources in this process, and connections that others accepted.
public sealed partial class MqttBroker
{
    // Copied when it changes: it is looked at for each message.
    private volatile BrokerSource[] _sources = [];

    /// <summary>
    /// A source of what this broker's clients publish, within the process: <c>cep.From(broker.Subscribe("plant/{line}/{sensor}", decoder))</c>. A publisher's acknowledgement (QoS 1 and 2)
    /// waits until the query has acknowledged the message, and while the query is not ready the publisher waits. Retained messages come first.
    /// </summary>
    /// <remarks>Sees every message that the publisher may publish. What this process publishes itself (<see cref="PublishAsync"/>) comes too, without an acknowledgement. For one engine; subscribe again for another.</remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="topicTemplate">Which topics: a filter, whose places may have names that the decoder binds to the event's members.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <exception cref="ArgumentException">The template is not valid.</exception>
    public ISource<T> Subscribe<T>(string topicTemplate, Decoder<T> decoder)
    {
        var filter = MqttFilter.Parse(topicTemplate ?? throw new ArgumentNullException(nameof(topicTemplate)));
        return Source.FromTransport(new BrokerSource(this, filter), decoder);
    }

    /// <summary>Serves a client that comes by a WebSocket (subprotocol <c>mqtt</c>) which a web server has accepted, until it leaves.</summary>
    /// <param name="webSocket">The WebSocket; it is closed at the end, and disposed by its owner.</param>
    /// <param name="remote">Where the client is; null: not known, and then it is nobody on this machine.</param>
    /// <param name="isEncrypted">Whether it came by TLS.</param>
    /// <param name="certificate">The client's certificate, from the TLS handshake; null: none.</param>
    /// <returns>False: there are too many connections, and it was not served.</returns>
    public async Task<bool> ServeAsync(WebSocket webSocket, EndPoint? remote, bool isEncrypted, X509Certificate2? certificate = null)
    {
        ArgumentNullException.ThrowIfNull(webSocket);
        var stream = new WebSocketConnection(webSocket);
        await using (stream.ConfigureAwait(false))
        {
            bool isServed = await ServeAsync(stream, remote, isEncrypted, certificate).ConfigureAwait(false);
            await stream.ClosedAsync().ConfigureAwait(false);
            return isServed;
        }
    }

    /// <summary>Serves a client that comes by a connection which someone else has accepted, until it leaves.</summary>
    /// <param name="stream">The connection; it is disposed at the end.</param>
    /// <param name="remote">Where the client is; null: not known, and then it is nobody on this machine.</param>
    /// <param name="isEncrypted">Whether the connection is encrypted.</param>
    /// <param name="certificate">The client's certificate, from the TLS handshake; null: none.</param>
    /// <returns>False: there are too many connections, and it was not served.</returns>
    public Task<bool> ServeAsync(Stream stream, EndPoint? remote, bool isEncrypted, X509Certificate2? certificate = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return _listener.ServeAsync(stream, remote, isEncrypted, certificate);
    }

    internal void Add(BrokerSource source)
    {
        lock (_gate)
        {
            _sources = [.. _sources, source];
        }
    }

    internal void Remove(BrokerSource source)
    {
        lock (_gate)
        {
            _sources = [.. _sources.Where(s => s != source)];
        }
    }

    internal Task<IList<MqttApplicationMessage>> RetainedAsync() => _server.GetRetainedMessagesAsync();
}
