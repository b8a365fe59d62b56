using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The bounds of a connection.</summary>
internal sealed record CoapStreamSettings
{
    /// <summary>The largest message that is taken, and told to the other side.</summary>
    internal int MaxMessageBytes { get; init; } = 64 << 10;

    /// <summary>Requests of the other side that are answered at a time; no more is read meanwhile, and TCP stops the sender.</summary>
    internal int MaxRequests { get; init; } = 64;

    /// <summary>Own requests at a time; further ones fail.</summary>
    internal int MaxExchanges { get; init; } = 1024;

    /// <summary>How long a response is waited for.</summary>
    internal TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the other side may take to say what it can do, and to take what is sent.</summary>
    internal TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A connection that nothing came by for this long is closed; half-way it is asked for a sign of life. Null: never.</summary>
    internal TimeSpan? IdleTimeout { get; init; }
}

/// <summary>CoAP over a reliable connection (RFC 8323): no acknowledgements, no message ids, but capabilities, signs of life and a goodbye.</summary>
internal sealed partial class CoapStreamLink : ICoapLink, IAsyncDisposable
{
    private readonly ICoapFrames _frames;
    private readonly CoapRemote _remote;
    private readonly ICoapHandler? _handler;
    private readonly CoapStreamSettings _settings;
    private readonly TimeProvider _time;
    private readonly CoapRandom _random;
    private readonly Lock _gate = new();
    private readonly Dictionary<CoapToken, Exchange> _exchanges = [];
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SemaphoreSlim _answering;
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _output = new byte[2048];
    private int _peerMessageBytes = CoapFrame.BaseMessageBytes;
    private bool _peerHasBlocks;
    private long _heardAt;
    private bool _asked;
    private bool _isReleased;
    private string _reason = "The connection was closed.";

    internal CoapStreamLink(ICoapFrames frames, CoapRemote remote, ICoapHandler? handler, CoapStreamSettings settings, TimeProvider time, CoapRandom random)
    {
        _frames = frames;
        _remote = remote;
        _handler = handler;
        _settings = settings;
        _time = time;
        _random = random;
        _answering = new SemaphoreSlim(settings.MaxRequests);
        _heardAt = time.GetTimestamp();
    }

    /// <summary>Complete when the other side has said what it can do.</summary>
    internal Task Ready => _ready.Task;

    /// <summary>Whether requests may be sent: it is not closed, and the other side has not asked to go.</summary>
    internal bool IsUsable => !_closed.IsCancellationRequested && !_isReleased;

    internal CoapRemote Remote => _remote;

    public bool HasBert => _peerHasBlocks && Math.Min(_peerMessageBytes, _settings.MaxMessageBytes) > CoapFrame.BaseMessageBytes;

    public bool IsReliable => true;

    // RFC 7252 leaves 128 bytes of its 1,152 to the header and the options.
    public int MaxPayload(CoapRemote remote) => Math.Max(_peerMessageBytes - (CoapFrame.BaseMessageBytes - 1024), 16);

    public async Task<CoapMessage> ExchangeAsync(CoapRemote remote, CoapMessage request, CoapObservation? observation, CancellationToken stop)
    {
        var exchange = new Exchange(observation);
        var token = Register(exchange, observation);
        try
        {
            await SendAsync(request.Code, token, request.Options, request.Payload, stop).ConfigureAwait(false);
            return await exchange.Response.Task.WaitAsync(_settings.ResponseTimeout, _time, stop).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new CoapException($"There was no response in time. ({_remote.Address})");
        }
        finally
        {
            lock (_gate)
            {
                if (!exchange.GoesOn && _exchanges.GetValueOrDefault(token) == exchange)
                {
                    _exchanges.Remove(token);
                }
            }
        }
    }

    public void Forget(CoapRemote remote, CoapObservation observation)
    {
        lock (_gate)
        {
            if (observation.Token is { } token && _exchanges.TryGetValue(token, out var exchange) && exchange.Observation == observation)
            {
                _exchanges.Remove(token);
            }
        }
    }

    public async Task<CoapDelivery> NotifyAsync(CoapRemote remote, CoapToken token, CoapMessage notification, bool isConfirmable)
    {
        try
        {
            await SendAsync(notification.Code, token, notification.Options, notification.Payload, CancellationToken.None).ConfigureAwait(false);
            return CoapDelivery.Acknowledged;
        }
        catch (CoapException)
        {
            return CoapDelivery.Failed;
        }
    }

    /// <summary>Asks for a sign of life.</summary>
    /// <param name="stop">Gives up.</param>
    internal async Task PingAsync(CancellationToken stop)
    {
        var exchange = new Exchange(null);
        var token = Register(exchange, null);
        await SendAsync(CoapCode.Ping, token, default, default, stop).ConfigureAwait(false);
        await exchange.Response.Task.WaitAsync(_settings.ResponseTimeout, _time, stop).ConfigureAwait(false);
    }

    /// <summary>Says that no more requests will come, and closes.</summary>
    internal async Task ReleaseAsync()
    {
        try
        {
            await SendAsync(CoapCode.Release, default, default, default, CancellationToken.None).ConfigureAwait(false);
        }
        catch (CoapException)
        {
            // It is closed already.
        }

        Close("The connection was closed.");
    }

    public async ValueTask DisposeAsync()
    {
        Close("The connection was closed.");
        await _frames.DisposeAsync().ConfigureAwait(false);
        _answering.Dispose();
        _closed.Dispose();
    }

    private CoapToken Register(Exchange exchange, CoapObservation? observation)
    {
        lock (_gate)
        {
            if (!IsUsable)
            {
                throw new CoapException($"{_reason} ({_remote.Address})");
            }

            if (_exchanges.Count >= _settings.MaxExchanges)
            {
                throw new CoapException($"More than {_settings.MaxExchanges} requests are under way to {_remote.Address}.");
            }

            var token = observation?.Token ?? _random.Token();
            while (observation?.Token is null && _exchanges.ContainsKey(token))
            {
                token = _random.Token();
            }

            _ = observation?.Token = token;
            _exchanges[token] = exchange;
            return token;
        }
    }

    private void Close(string reason)
    {
        List<Exchange> left;
        lock (_gate)
        {
            if (_closed.IsCancellationRequested)
            {
                return;
            }

            _reason = reason;
            left = [.. _exchanges.Values];
            _exchanges.Clear();
            _closed.Cancel();
        }

        foreach (var exchange in left)
        {
            var error = new CoapException($"{reason} ({_remote.Address})");
            if (!exchange.Response.TrySetException(error))
            {
                exchange.Observation?.OnClosed(error);
            }
        }

        _ready.TrySetException(new CoapException($"{reason} ({_remote.Address})"));
        _ = _ready.Task.Exception;
    }

    /// <summary>Sends a message; a receiver that does not take it in time loses the connection, so that nobody waits for it longer.</summary>
    private async Task SendAsync(CoapCode code, CoapToken token, ReadOnlyMemory<byte> options, ReadOnlyMemory<byte> payload, CancellationToken stop)
    {
        int length = CoapFrame.MaxHeaderBytes + CoapFrame.MeasureBody(options.Span, payload.Span);
        if (length > _peerMessageBytes + CoapFrame.MaxHeaderBytes)
        {
            throw new CoapException($"The message has {length} bytes, and {_remote.Address} takes {_peerMessageBytes}.");
        }

        try
        {
            await _writing.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                ObjectDisposedException.ThrowIf(_closed.IsCancellationRequested, this);
                _output = _output.Length >= length ? _output : new byte[length];
                length = CoapFrame.Write(_output, _frames.HasLength, code, token, options.Span, payload.Span);
                using var limit = new CancellationTokenSource(_settings.PeerTimeout, _time);
                await _frames.WriteAsync(_output.AsMemory(0, length), limit.Token).ConfigureAwait(false);
            }
            finally
            {
                _writing.Release();
            }
        }
        catch (Exception error) when (IsLoss(error) && !stop.IsCancellationRequested)
        {
            Close("The connection was lost.");
            throw new CoapException($"{_reason} ({_remote.Address})");
        }
    }

    private static bool IsLoss(Exception error) => error is IOException or ObjectDisposedException or OperationCanceledException
        or System.Net.Sockets.SocketException or System.Net.WebSockets.WebSocketException or InvalidOperationException;

    private sealed class Exchange(CoapObservation? observation)
    {
        internal CoapObservation? Observation => observation;

        internal TaskCompletionSource<CoapMessage> Response { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The first response said that more will follow.</summary>
        internal bool GoesOn { get; set; }
    }
}
