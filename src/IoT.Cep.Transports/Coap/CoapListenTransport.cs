using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A source of what devices POST or PUT to a listener.</summary>
/// <param name="template">The paths.</param>
/// <param name="listener">The listener's name.</param>
internal sealed class CoapListenTransport(TopicTemplate template, string listener) : ITransport
{
    public string Name { get; } = $"coap {template}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        var server = CoapConnectionExtensions.ResolveListener(context.Connections, listener).Server;
        await server.AcquireAsync(context, stop).ConfigureAwait(false);
        try
        {
            var ingest = new CoapIngest(template, server, context.TimeProvider);
            server.Router.Add(ingest);
            receiver.ConnectionChanged(true);
            try
            {
                await ingest.RunAsync(receiver, stop).ConfigureAwait(false);
            }
            finally
            {
                server.Router.Remove(ingest);
                receiver.ConnectionChanged(false, "stopped");
            }
        }
        finally
        {
            await server.ReleaseAsync().ConfigureAwait(false);
        }
    }
}
