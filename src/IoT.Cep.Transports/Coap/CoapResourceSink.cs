using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Shows the latest result as a resource that can be read and observed.</summary>
/// <typeparam name="T">The result's type.</typeparam>
internal sealed class CoapResourceSink<T>(
    Func<T, string> path, string? fixedPath, Action<T, IBufferWriter<byte>> encode, int contentFormat, CoapResourceOptions options, string listener) : IAsyncSink<T>
{
    private readonly Dictionary<string, CoapStateResource> _resources = [];
    private readonly SemaphoreSlim _gate = new(1, 1);
    private CoapServer? _server;
    private AwaitedResource? _awaited;
    private SinkContext? _context;

    public string Name { get; } = $"coap {fixedPath ?? "resources"}";

    // The state lives in this process: after a crash it is what the queries make of what is delivered again.
    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            CoapConnectionExtensions.ResolveListener(context.Connections, listener);
            return ValueTask.CompletedTask;
        }
        catch (InvalidOperationException error)
        {
            throw new SinkConfigurationException(error.Message, error);
        }
    }

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            if (_server is not null)
            {
                return;
            }

            var server = CoapConnectionExtensions.ResolveListener(context.Connections, listener).Server;
            await server.AcquireAsync(context, stop).ConfigureAwait(false);
            (_server, _context) = (server, context);

            // There before the first result, so that observers can wait for it.
            if (fixedPath is not null)
            {
                Find(fixedPath, 0);
            }

            if (options.Awaited is { } awaited)
            {
                _awaited = new AwaitedResource(TopicTemplate.Parse(awaited), this, server);
                server.Router.Add(_awaited);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            for (int row = 0; row < batch.Length; row++)
            {
                if (batch.Kinds.IsEmpty || batch.Kinds.Span[row] != EventKind.Retract)
                {
                    var (target, body) = Encode(batch.Events.Span[row], row);
                    Find(target, row).Set(body);
                }
            }
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
            if (_server is { } server)
            {
                _server = null;
                foreach (var resource in _resources.Values)
                {
                    server.Router.Remove(resource);
                }

                if (_awaited is { } awaited)
                {
                    _awaited = null;
                    server.Router.Remove(awaited);
                }

                _resources.Clear();
                await server.ReleaseAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask<CoapStateResource?> TryFindAsync(string target)
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            return _server is null ? null : Find(target, 0);
        }
        catch (SinkRejectedException)
        {
            return null;
        }
        finally
        {
            _gate.Release();
        }
    }

    private (string Path, ReadOnlyMemory<byte> Body) Encode(T result, int row)
    {
        try
        {
            var body = new ArrayBufferWriter<byte>();
            encode(result, body);
            return (path(result).TrimStart('/'), body.WrittenMemory);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The path or payload function failed: {SafeText.Escape(e.Message)}", e);
        }
    }

    private CoapStateResource Find(string target, int row)
    {
        if (_resources.TryGetValue(target, out var known))
        {
            return known;
        }

        if (target.Length == 0 || target.Split('/').Any(static s => System.Text.Encoding.UTF8.GetByteCount(s) > 255))
        {
            throw new SinkRejectedException(row, $"'{SafeText.Escape(target)}' is no path of a resource.");
        }

        if (_resources.Count >= options.MaxResources)
        {
            throw new SinkRejectedException(row, $"There are {options.MaxResources} resources already (CoapResourceOptions.MaxResources).");
        }

        var settings = new CoapStateSettings
        {
            MaxAge = options.MaxAge,
            IsConfirmable = options.IsConfirmable,
            MaxObservers = options.MaxObservers,
            ResourceType = options.ResourceType,
        };
        var server = _server ?? throw new InvalidOperationException("The sink was not opened.");
        var resource = new CoapStateResource(target, contentFormat, settings, server.Blockwise, _context!.TimeProvider, server.Access.RefuseReadingAsync);
        _resources.Add(target, resource);
        server.Router.Add(resource);
        return resource;
    }

    /// <summary>The paths of no result yet: the first who may read one makes its resource.</summary>
    private sealed class AwaitedResource(TopicTemplate template, CoapResourceSink<T> sink, CoapServer server) : ICoapResource
    {
        public CoapLinkDescription? Description => null;

        public bool IsPattern => true;

        public bool Takes(string path) => template.Filter.Matches(path);

        public async ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
        {
            if (request.Message.Code != CoapCode.Get)
            {
                return CoapMessage.Error(CoapCode.MethodNotAllowed);
            }

            if (await server.Access.RefuseReadingAsync(request).ConfigureAwait(false) is { } refused)
            {
                return refused;
            }

            return await sink.TryFindAsync(request.Message.Path).ConfigureAwait(false) is { } resource
                ? await resource.HandleAsync(request).ConfigureAwait(false)
                : CoapMessage.Error(CoapCode.ServiceUnavailable, "There are too many resources.");
        }
    }
}
