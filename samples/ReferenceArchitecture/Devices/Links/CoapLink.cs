using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Links;

/// <summary>
/// A device that speaks CoAP: it posts, and observes its commands and its desired state. Who it is, it says by a token, which it gets from <c>Identity</c>. Readings are not repeated when they get lost; answers are.
/// </summary>
/// <param name="device">The device's id.</param>
/// <param name="bus">Where the bus listens: <c>coap://</c>, <c>coaps+tcp://</c> and what else the library speaks.</param>
/// <param name="token">The device's token.</param>
public sealed class CoapLink(string device, Uri bus, DeviceToken token) : IDeviceLink
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly CoapRequests _readings = CoapRequests.Open(bus.AbsoluteUri, Options(token, isConfirmable: false));
    private readonly CoapRequests _answers = CoapRequests.Open(bus.AbsoluteUri, Options(token, isConfirmable: true));

    // Two queries of one line each: the engine keeps the observations up, with pauses that double when the bus is away.
    private readonly CepEngine _engine = new(new CepEngineOptions { DrainTimeout = TimeSpan.FromSeconds(2) });

    /// <inheritdoc/>
    public async Task OpenAsync(IDeviceReceiver receiver, CancellationToken stop)
    {
        _engine.Coap(o =>
        {
            o.Token = token.GetAsync;
            o.ReconnectMax = TimeSpan.FromMinutes(1);
        });
        foreach (string topic in Topics.ToDevices)
        {
            var told = _engine.From(Coap.Observe(new Uri(bus, Topics.Of(topic, device)).AbsoluteUri, Message.Decode()));

            // Not on the engine's own thread: a command may take its time.
            told.Subscribe(message => _ = Task.Run(() => Inbox.TakeAsync(receiver, message.Topic, message.Body), CancellationToken.None));
        }

        await _engine.StartAsync(stop);
    }

    /// <inheritdoc/>
    public async Task SendAsync(string topic, ReadOnlyMemory<byte> body, string contentType, CancellationToken stop)
    {
        CoapRequests requests = topic.StartsWith("t/", StringComparison.Ordinal) ? _readings : _answers;
        try
        {
            await requests.RequestAsync(new Message(topic, body) { ContentType = contentType }, _patience, stop);
        }
        catch (Exception e) when (e is RequestRefusedException or TimeoutException or ObjectDisposedException)
        {
            throw new IOException($"The bus did not take it: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void UseSecret(string secret) => token.UseSecret(secret);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _readings.DisposeAsync();
        await _answers.DisposeAsync();
    }

    private static CoapOptions Options(DeviceToken token, bool isConfirmable) => new() { Token = token.GetAsync, IsConfirmable = isConfirmable };
}
