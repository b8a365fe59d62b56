using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// CoAP over datagrams (RFC 7252, 4 and 5): client and server at once on one socket. One lock guards all state; datagrams leave under it (a socket
/// does not wait), and whoever waits for something is told behind it. It has no thread of its own: it lives on the receiver's, the timer's and its callers'.
/// </summary>
internal sealed partial class CoapEndpoint : ICoapLink, ICoapDatagramReceiver, IDisposable
{
    private readonly ICoapDatagrams _datagrams;
    private readonly ICoapHandler? _handler;
    private readonly CoapEndpointSettings _settings;
    private readonly TimeProvider _time;
    private readonly CoapRandom _random;
    private readonly long _start;
    private readonly AddressVerification _verification = new();

    private readonly Lock _gate = new();
    private readonly CoapPeers _peers;
    private readonly DuplicateTable _duplicates;
    private readonly Dictionary<MessageKey, CoapOutgoing> _unanswered = [];
    private readonly Dictionary<(CoapPeer Peer, CoapToken Token), CoapClientExchange> _exchanges = [];
    private readonly Queue<CoapNotification> _unconfirmed = new();
    private readonly PriorityQueue<CoapTimed, long> _due = new();
    private readonly Queue<(object What, object? With)> _ready = new();
    private readonly ITimer _timer;
    private long _timerDue = long.MaxValue;
    private int _serverExchanges;
    private bool _isDisposed;

    internal CoapEndpoint(ICoapDatagrams datagrams, ICoapHandler? handler, CoapEndpointSettings settings, TimeProvider time, CoapRandom? random = null)
    {
        _datagrams = datagrams;
        _handler = handler;
        _settings = settings;
        _time = time;
        _random = random ?? new CoapRandom();
        _start = time.GetTimestamp();
        _peers = new CoapPeers(settings.MaxPeers);
        _duplicates = new DuplicateTable(settings.MaxRemembered);
        _timer = time.CreateTimer(static s => ((CoapEndpoint)s!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    internal CoapCounters Counters { get; } = new();

    internal int PeerCount
    {
        get
        {
            lock (_gate)
            {
                return _peers.Count;
            }
        }
    }

    internal int RememberedCount
    {
        get
        {
            lock (_gate)
            {
                return _duplicates.Count;
            }
        }
    }

    public bool HasBert => false;

    public bool IsReliable => false;

    private long Now => _time.GetElapsedTime(_start).Ticks;

    public int MaxPayload(CoapRemote remote) => _settings.MaxPayload;

    /// <summary>Ends all that is under way.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _timer.Dispose();
            foreach (var exchange in _exchanges.Values)
            {
                Lose(exchange, new CoapException("The endpoint was closed."));
            }

            foreach (var outgoing in _unanswered.Values)
            {
                Finish(outgoing, new CoapException("The endpoint was closed."));
            }

            foreach (var outgoing in _peers.All.SelectMany(p => p.Waiting))
            {
                Finish(outgoing, new CoapException("The endpoint was closed."));
            }

            _exchanges.Clear();
            _unanswered.Clear();
        }

        RunReady();
    }

    public void OnClosed(CoapRemote remote)
    {
        lock (_gate)
        {
            if (_peers.Find(remote) is not { } peer)
            {
                return;
            }

            foreach (var outgoing in _unanswered.Values.Concat(_exchanges.Values).Concat(peer.Waiting).Where(o => o.Peer == peer).Distinct().ToList())
            {
                Remove(outgoing);
                Lose(outgoing, new CoapException($"The session is over. ({remote.Address})"));
                Release(outgoing);
            }

            peer.Waiting.Clear();
            _peers.Remove(peer);
        }

        RunReady();
        _handler?.OnGone(this, remote);
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _timerDue = long.MaxValue;
            long now = Now;
            while (_due.TryPeek(out var timed, out long due) && due <= now)
            {
                _due.Dequeue();

                // Otherwise it was answered, or is due at another time now.
                if (timed.Due == due)
                {
                    timed.Due = long.MaxValue;
                    OnDue(timed, now);
                }
            }

            SetTimer();
        }

        RunReady();
    }

    private void OnDue(CoapTimed timed, long now)
    {
        switch (timed)
        {
            case CoapServerExchange exchange:
                AcknowledgeLate(exchange);
                break;
            case CoapWakeUp wakeUp:
                Pump(wakeUp.Peer);
                break;
            case CoapOutgoing { IsOver: true } over:
                Release(over);
                break;
            case CoapOutgoing { IsConfirmable: true, IsOutstanding: true } outgoing:
                Repeat(outgoing, now);
                break;
            case CoapOutgoing outgoing:
                GiveUp(outgoing, "There was no response in time.");
                break;
            default:
                throw new UnreachableException();
        }
    }

    private void Schedule(CoapTimed timed, long due)
    {
        timed.Due = due;
        _due.Enqueue(timed, due);
        SetTimer();
    }

    private void SetTimer()
    {
        if (!_isDisposed && _due.TryPeek(out _, out long due) && due < _timerDue)
        {
            _timerDue = due;

            // A timer counts whole milliseconds and may cut the rest off: one more keeps it from waking up too early, again and again.
            long wait = Math.Max(due - Now, 0);
            _timer.Change(TimeSpan.FromMilliseconds((wait + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond), Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Tells, outside of the lock, what happened within it. What is told last may have happened first where two threads do this; observations have numbers for that.</summary>
    private void RunReady()
    {
        while (true)
        {
            object what;
            object? with;
            lock (_gate)
            {
                if (!_ready.TryDequeue(out var next))
                {
                    return;
                }

                (what, with) = next;
            }

            switch (what, with)
            {
                case (CoapClientExchange exchange, CoapMessage response):
                    exchange.Response.TrySetResult(response);
                    break;
                case (CoapClientExchange exchange, OperationCanceledException cancelled):
                    exchange.Response.TrySetCanceled(cancelled.CancellationToken);
                    break;
                case (CoapClientExchange exchange, Exception error):
                    exchange.Response.TrySetException(error);
                    break;
                case (CoapObservation observation, Exception error):
                    observation.OnClosed(error);
                    break;
                case (CoapObservation observation, CoapMessage response):
                    observation.OnResponse(response);
                    break;
                case (CoapNotification notification, CoapDelivery delivery):
                    notification.Delivery.TrySetResult(delivery);
                    break;
                case (CoapNotification notification, CoapNotification):
                    _handler?.OnRejected(this, notification.Peer.Remote, notification.Token);
                    break;
                case (CoapPing ping, bool answered):
                    ping.Answered.TrySetResult(answered);
                    break;
                case (CoapServerExchange exchange, CoapMessage request):
                    Handle(exchange, request);
                    break;
                default:
                    throw new UnreachableException();
            }
        }
    }
}
