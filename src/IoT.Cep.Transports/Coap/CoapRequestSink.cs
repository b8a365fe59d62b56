using System.Buffers;
using System.Runtime.ExceptionServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sends results to devices and servers, each by a request that is answered. A batch is encoded as a whole before the first leaves; what a server has answered is not
/// sent again when another one fails. One result after the other to one server, so that their order stays; different servers at the same time.
/// </summary>
/// <typeparam name="T">The result's type.</typeparam>
internal sealed class CoapRequestSink<T>(CoapCode method, Func<T, string> uri, Action<T, IBufferWriter<byte>> encode, int contentFormat, string connection) : IAsyncSink<T>
{
    /// <summary>Servers that are spoken to at once: enough to hide a slow one, little enough for any network.</summary>
    private const int MaxServersAtOnce = 16;

    private readonly List<(CoapUri Uri, CoapMessage Request, int Row)> _requests = [];
    private readonly List<CoapUri> _failed = [];

    // Two queries may end in one sink; its buffers and its connections are for one of them at a time.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private CoapConnector? _connector;
    private CoapOptions? _options;
    private ConnectionContext? _context;

    public string Name { get; } = connection == Connections.Default ? "coap" : $"coap {connection}";

    public bool IsDurable => true;

    public bool UsesIdentity => false;

    public ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            CoapConnectionExtensions.Resolve(context.Connections, connection);
            return ValueTask.CompletedTask;
        }
        catch (InvalidOperationException error)
        {
            throw new SinkConfigurationException(error.Message, error);
        }
    }

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        _context = context;
        _options = CoapConnectionExtensions.Resolve(context.Connections, connection);
        _connector ??= new CoapConnector(_options, context.TimeProvider, context.Logger);
        return ValueTask.CompletedTask;
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            Encode(batch, (_options ?? throw new InvalidOperationException("The sink was not opened.")).MaxBodyBytes);
            await SendAllAsync(batch, stop).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_connector is { } connector)
            {
                _connector = null;
                await connector.DisposeAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private void Encode(SinkBatch<T> batch, int maxBodyBytes)
    {
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        _requests.Clear();
        for (int row = 0; row < results.Length; row++)
        {
            if (!kinds.IsEmpty && kinds[row] == EventKind.Retract)
            {
                // What was sent can't be unsaid.
                continue;
            }

            var body = new ArrayBufferWriter<byte>();
            var target = CoapUri.TryParse(Call(results[row], body, row), out string? problem) ?? throw new SinkRejectedException(row, problem!);
            if (body.WrittenCount > maxBodyBytes)
            {
                throw new SinkRejectedException(row, $"The payload has {body.WrittenCount} bytes; CoapOptions.MaxBodyBytes allows {maxBodyBytes}.");
            }

            var options = new CoapOptionBuilder().AddAll(target.Options);
            if (contentFormat >= 0)
            {
                options.Add(CoapOptionNumber.ContentFormat, (uint)contentFormat);
            }

            _requests.Add((target, new CoapMessage(method, options.ToArray(), body.WrittenMemory), row));
        }
    }

    private string Call(T result, ArrayBufferWriter<byte> body, int row)
    {
        try
        {
            encode(result, body);
            return uri(result);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The URI or payload function failed: {SafeText.Escape(e.Message)}", e);
        }
    }

    private async Task SendAllAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        Exception? failure = null;
        foreach (var servers in _requests.GroupBy(static r => r.Uri.Authority).Chunk(MaxServersAtOnce))
        {
            List<Task<Exception?>> sending = [];
            foreach (var server in servers)
            {
                // Connected one after the other: the connector is for one user at a time, and its handshakes are rare.
                var (client, refused) = await TryConnectAsync(server.First().Uri, stop).ConfigureAwait(false);
                failure ??= refused;
                if (client is not null)
                {
                    sending.Add(SendToAsync(client, server, batch, stop));
                }
            }

            foreach (var error in await Task.WhenAll(sending).ConfigureAwait(false))
            {
                // A refusal goes first: its row leaves the batch, and what else went wrong will show again.
                failure = error is SinkRejectedException ? error : failure ?? error;
            }
        }

        foreach (var server in _failed)
        {
            await _connector!.ForgetAsync(server).ConfigureAwait(false);
        }

        _failed.Clear();
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private async Task<(CoapClient? Client, Exception? Failure)> TryConnectAsync(CoapUri target, CancellationToken stop)
    {
        try
        {
            return (await _connector!.ConnectAsync(target, stop).ConfigureAwait(false), null);
        }
        catch (Exception error) when (CoapConnector.IsTransient(error) && !stop.IsCancellationRequested)
        {
            return (null, error);
        }
    }

    private async Task<Exception?> SendToAsync(CoapClient client, IEnumerable<(CoapUri Uri, CoapMessage Request, int Row)> requests, SinkBatch<T> batch, CancellationToken stop)
    {
        foreach (var (target, request, row) in requests)
        {
            try
            {
                var response = await client.SendAsync(request, stop).ConfigureAwait(false);
                if (!response.Code.IsSuccess())
                {
                    return Refusal(response, row);
                }

                lock (batch)
                {
                    batch.MarkWritten(row);
                }
            }
            catch (Exception error) when (CoapConnector.IsTransient(error) && !stop.IsCancellationRequested)
            {
                // The next attempt connects anew: a session may be over on the other side.
                lock (_failed)
                {
                    _failed.Add(target);
                }

                return error;
            }
        }

        return null;
    }

    private static Exception Refusal(CoapMessage response, int row)
    {
        string detail = $"The server answered {response.Code.Text()} {SafeText.Escape(response.Payload.Span)}".TrimEnd() + ".";

        // A client's error stays one; 4.29 and 4.08 ask to come again.
        return response.Code.IsClientError() && response.Code is not (CoapCode.TooManyRequests or CoapCode.RequestEntityIncomplete)
            ? new SinkRejectedException(row, detail) : new CoapException(detail);
    }
}
