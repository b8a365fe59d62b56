using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A source of the states of a resource that is observed.</summary>
/// <param name="uri">The resource.</param>
/// <param name="text">Its URI as it was written.</param>
/// <param name="connection">The name of the options.</param>
internal sealed class CoapObserveTransport(CoapUri uri, string text, string connection) : ITransport
{
    private readonly CoapMessage _request = new(CoapCode.Get, uri.Options);

    public string Name { get; } = $"coap {text}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        var options = CoapConnectionExtensions.Resolve(context.Connections, connection);
        var connector = new CoapConnector(options, context.TimeProvider, context.Logger);
        await using var ends = connector.ConfigureAwait(false);
        var backoff = new Backoff(options.ReconnectMin, options.ReconnectMax);
        while (!stop.IsCancellationRequested)
        {
            string reason = "stopped";
            bool isObserving = false;
            try
            {
                var client = await connector.ConnectAsync(uri, stop).ConfigureAwait(false);
                await ObserveAsync(client, options, receiver, context, () => isObserving = true, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
            }
            catch (Exception error) when (CoapConnector.IsTransient(error) && error is not OperationCanceledException)
            {
                reason = CoapConnector.Describe(error);
            }

            if (isObserving)
            {
                backoff.Reset();
            }

            receiver.ConnectionChanged(false, reason);
            if (!stop.IsCancellationRequested)
            {
                var pause = backoff.Next();
                CoapLog.Lost(context.Logger, Name, reason, pause);
                await connector.ForgetAsync(uri).ConfigureAwait(false);
                await Task.Delay(pause, context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ObserveAsync(
        CoapClient client, CoapOptions options, IPayloadReceiver receiver, ConnectionContext context, Action observes, CancellationToken stop)
    {
        var watch = new CoapWatch(client, _request, context.TimeProvider, new CoapRandom(options.Random));
        bool isFirst = true;
        try
        {
            await watch.RunAsync(
                state =>
                {
                    if (isFirst)
                    {
                        isFirst = false;
                        observes();
                        CoapLog.Observes(context.Logger, Name);
                        receiver.ConnectionChanged(true);
                    }

                    return TakeAsync(state, receiver);
                }, stop).ConfigureAwait(false);
        }
        finally
        {
            await SayGoodbyeAsync(watch, options, context).ConfigureAwait(false);
        }
    }

    private ValueTask TakeAsync(CoapMessage state, IPayloadReceiver receiver)
    {
        if (state.Payload.IsEmpty && state.ContentFormat < 0)
        {
            // The resource has no state yet.
            return ValueTask.CompletedTask;
        }

        var payload = new Payload(new ReadOnlySequence<byte>(state.Payload), _request.Path)
        {
            ContentType = state.ContentFormat is var format and >= 0 ? CoapContentFormats.MediaType(format) : null,
        };
        return receiver.ReceiveAsync(in payload);
    }

    private async Task SayGoodbyeAsync(CoapWatch watch, CoapOptions options, ConnectionContext context)
    {
        try
        {
            // A server that does not answer finds out by its next notification.
            var longest = TimeSpan.FromSeconds(Math.Min(options.ConnectTimeout.TotalSeconds, 2));
            using var limit = new CancellationTokenSource(longest, context.TimeProvider);
            await watch.EndAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (CoapConnector.IsTransient(error))
        {
            CoapLog.NoGoodbye(context.Logger, Name, CoapConnector.Describe(error));
        }
    }
}
