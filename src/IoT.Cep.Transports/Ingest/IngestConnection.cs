using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// One client's connection: a loop that reads, takes the packets that are whole out of its buffer without a copy, and waits where it has to. All that belongs to the loop is used by it alone;
/// other threads only make it end.
/// </summary>
/// <remarks>
/// The buffer is one piece of memory, so that packets are spans wherever the network cut them, and is rented while there is something in it: who is idle waits without one.
/// </remarks>
internal sealed partial class IngestConnection
{
    /// <summary>After so many reads that found something at once, others get the thread.</summary>
    private const int MostReadsInARow = 16;

    /// <summary>Reads in a second from which on a connection is busy.</summary>
    private const int BusyReads = 4;

    /// <summary>How long an end waits for the other side to take the last packet and to close.</summary>
    private const long LingerMilliseconds = 1_000;

    /// <summary>As in Kestrel: a slow network may take so long to bring the second segment.</summary>
    private const long GraceMilliseconds = 5_000;

    private readonly MqttIngestEndpoint _endpoint;
    private readonly Link _link;
    private readonly MqttIngestPeer _peer;
    private readonly Waiter _waiter = new();
    private readonly long _connectDeadline;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private X509Certificate2? _certificate;

    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _wanted;
    private int _readsInARow;
    private int _reads;
    private long _readsSince;
    private bool _isBusy;
    private bool _keepsBuffer;
    private IngestSubscription? _turn;
    private IngestSubscription? _turnWanted;
    private IngestSubscription? _lastTaker;
    private ValueTask _receiving;
    private Turnstile? _waitsFor;
    private long _keepAlive;

    // Until when something must have come; 0 while nothing is being waited for but ourselves.
    private long _deadline;
    private long _partialDeadline;
    private int _messages;
    private volatile MqttReason _endReason;
    private volatile bool _isStopping;
    private volatile bool _isAborted;
    private volatile bool _isEnding;

    internal IngestConnection(MqttIngestEndpoint endpoint, Link link, MqttIngestPeer peer)
    {
        (_endpoint, _link, _peer, _certificate) = (endpoint, link, peer, peer.Certificate);
        Output = new IngestOutput(link, this, endpoint.Buffers);
        _maxPacket = endpoint.Options.MaxPacketBytes;
        _connectDeadline = _deadline = endpoint.Now + (long)endpoint.Options.ConnectTimeout.TotalMilliseconds;
    }

    /// <summary>What the loop has to wait for before it can go on.</summary>
    private enum Step : byte
    {
        /// <summary>Go on with the next packet.</summary>
        Next,

        /// <summary>More bytes.</summary>
        Read,

        /// <summary>The turn at a receiver.</summary>
        Turn,

        /// <summary>A receiver that holds back.</summary>
        Receiver,

        /// <summary>A decision about a topic.</summary>
        Authorize,

        /// <summary>Acknowledgements by the engine.</summary>
        Room,

        /// <summary>The client, to take what was sent to it.</summary>
        OutputRoom,

        /// <summary>Other messages of the same identity.</summary>
        Pause,

        /// <summary>A decision about the client.</summary>
        Connect,

        /// <summary>Decisions about filters.</summary>
        Subscribe,

        /// <summary>Nothing: it is over.</summary>
        End,
    }

    internal IngestOutput Output { get; }

    internal IngestSession? Session { get; private set; }

    internal bool IsVersion5 { get; private set; }

    /// <summary>Whether it has said who it is and was let in.</summary>
    internal bool IsKnown { get; private set; }

    internal bool IsOpen => IsKnown && !_isEnding;

    internal int ReceiveMaximum { get; private set; } = 1;

    /// <summary>How many commands of QoS 1 the client takes at once.</summary>
    internal int CommandsAtOnce { get; private set; } = ushort.MaxValue;

    /// <summary>The largest packet that the client takes.</summary>
    internal long MaxCommandBytes { get; private set; } = int.MaxValue;

    /// <summary>Its place among the endpoint's connections.</summary>
    internal int Index { get; set; }

    internal long Now => _endpoint.Now;

    /// <summary>Completes when nothing of it is left.</summary>
    internal Task Completion => _ended.Task;

    private string Client => Session is { } session ? $"'{SafeText.Escape(session.ClientId, 64)}' at {_peer.Remote}" : $"{_peer.Remote}";

    /// <summary>It is over, or never began.</summary>
    internal void HasEnded() => _ended.TrySetResult();

    internal void HasProved(X509Certificate2? certificate) => _certificate = certificate;

    /// <summary>Serves it until it ends; does not fail.</summary>
    internal async Task RunAsync()
    {
        string? trouble = null;
        try
        {
            await ServeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (MqttFailure.IsTransient(e) || e is InvalidOperationException or System.Net.WebSockets.WebSocketException)
        {
            trouble = MqttFailure.Describe(e);
        }

        LeaveTurn();
        try
        {
            await EndAsync(trouble).ConfigureAwait(false);
        }
        catch (Exception e) when (MqttFailure.IsTransient(e) || e is InvalidOperationException or System.Net.WebSockets.WebSocketException)
        {
            // It has gone before it was told goodbye.
        }
        finally
        {
            _link.Abort();
            Output.Close();
            ReturnBuffer();
            _ended.TrySetResult();
        }
    }

    // The waits that last, for bytes and for a turn, stand in the loop itself: an idle client's state is one object.
    private async Task ServeAsync()
    {
        while (true)
        {
            var step = Process();
            if (step != Step.Receiver)
            {
                LeaveTurn();
            }

            switch (step)
            {
                case Step.End:
                    return;
                case Step.Read:
                    if (_messages > 0 && Throttle() is var pause && pause > TimeSpan.Zero)
                    {
                        await Task.Delay(pause, _endpoint.Time).ConfigureAwait(false);
                        break;
                    }

                    if (PrepareToRead())
                    {
                        await _link.ReceiveAsync(Memory<byte>.Empty).ConfigureAwait(false);
                        Volatile.Write(ref _deadline, 0);
                        if (_lastTaker is { IsHeld: true } held)
                        {
                            // The engine holds back: the data stay in the socket until those before have had their turn.
                            await WaitForTurn(held.Turn).ConfigureAwait(false);
                            if (!HasTurn())
                            {
                                return;
                            }

                            held.Turn.Leave();
                        }

                        _buffer = _endpoint.Buffers.Rent(BufferPool.Small);
                    }

                    if (!HasRead(await _link.ReceiveAsync(_buffer.AsMemory(_end)).ConfigureAwait(false)))
                    {
                        return;
                    }

                    if (_readsInARow == 0)
                    {
                        await Task.Yield();
                    }

                    break;
                case Step.Turn:
                    await WaitForTurn(_turnWanted!.Turn).ConfigureAwait(false);
                    if (!HasTurn())
                    {
                        return;
                    }

                    _turn = _lastTaker = _turnWanted;
                    break;
                default:
                    await WaitForAsync(step).ConfigureAwait(false);
                    break;
            }
        }
    }

    /// <summary>Takes note of what was read.</summary>
    /// <returns>False: the other side has closed, or it is over.</returns>
    private bool HasRead(int bytes)
    {
        Volatile.Write(ref _deadline, 0);
        if (bytes == 0 || _isAborted)
        {
            _isHungUp = _endReason == MqttReason.Success;
            return false;
        }

        _end += bytes;
        _reads++;
        _readsInARow = (_readsInARow + 1) % MostReadsInARow;
        return true;
    }

    private ValueTask WaitForAsync(Step step) => step switch
    {
        Step.Receiver => WaitForReceiverAsync(),
        Step.Authorize => AuthorizeAsync(),
        Step.Room => Session!.WaitForRoomAsync(_waiter, ReceiveMaximum),
        Step.OutputRoom => Output.WaitForRoomAsync(_waiter),
        Step.Connect => ConnectAsync(),
        Step.Subscribe => SubscribeAsync(),

        // A pause; the next look comes soon.
        _ => new ValueTask(Task.Delay(TimeSpan.FromMilliseconds(20), _endpoint.Time)),
    };

    // With the turn: nobody else gets to the receiver meanwhile.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitForReceiverAsync()
    {
        _turn!.IsHeld = true;
        try
        {
            await _receiving.ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            ReceiverFailed(e);
        }

        _turn.IsHeld = false;
    }

    /// <summary>Begins to wait for a turn. Awaited in the loop itself, whose own state is there already: a method of its own would need one for each that waits.</summary>
    private ValueTask WaitForTurn(Turnstile turn)
    {
        _waitsFor = turn;
        var entering = turn.EnterAsync(_waiter);
        if (_isAborted)
        {
            turn.Cancel(_waiter);
        }

        return entering;
    }

    /// <returns>False where the wait was given up, since the connection was aborted; then nothing was entered.</returns>
    private bool HasTurn()
    {
        _waitsFor = null;
        return !_waiter.TakeCancelled();
    }

    private void LeaveTurn()
    {
        if (_turn is { } turn)
        {
            _turn = null;
            turn.Turn.Leave();
        }
    }

    /// <summary>Whether the engine failed at a message; then its source is told, and the connection ends.</summary>
    private void ReceiverFailed(Exception error)
    {
        _turn!.Fail(error);
        Fail(MqttReason.Unspecified, "the engine failed");
    }

    /// <summary>Counts what came. Who sends more than its share is not read for a while.</summary>
    /// <returns>How long; zero: it goes on.</returns>
    private TimeSpan Throttle()
    {
        if (_admission?.Budget is { } budget)
        {
            for (; _messages > 0; _messages--)
            {
                if (!budget.TryTakeMessage(out var wait))
                {
                    // A bit longer than until the next message, so that a timer is worth it.
                    return wait + TimeSpan.FromMilliseconds(20);
                }
            }
        }

        _messages = 0;
        return TimeSpan.Zero;
    }
}
