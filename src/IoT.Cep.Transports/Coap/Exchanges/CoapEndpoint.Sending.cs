using System.Buffers.Binary;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Own messages: their turn at a peer (NSTART), their repetition, their end.</summary>
internal sealed partial class CoapEndpoint
{
    public async Task<CoapMessage> ExchangeAsync(CoapRemote remote, CoapMessage request, CoapObservation? observation, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        CoapClientExchange exchange;
        lock (_gate)
        {
            var peer = PeerToSendTo(remote);
            var token = observation?.Token ?? NewToken(peer);
            _ = observation?.Token = token;
            exchange = new CoapClientExchange(peer, _settings.IsConfirmable, token, observation) { Bytes = Encode(_settings.IsConfirmable, request, token) };
            if (_exchanges.Remove((peer, token), out var earlier))
            {
                Finish(earlier, new CoapException("The request was made again."));
                peer.Exchanges--;
                Release(earlier);
            }

            _exchanges.Add((peer, token), exchange);
            peer.Exchanges++;
            Enqueue(exchange);
        }

        RunReady();
        await using (stop.UnsafeRegister(static (state, cancelled) =>
        {
            var (endpoint, waiting) = ((CoapEndpoint, CoapClientExchange))state!;
            endpoint.Cancel(waiting, cancelled);
        }, (this, exchange)).ConfigureAwait(false))
        {
            return await exchange.Response.Task.ConfigureAwait(false);
        }
    }

    public void Forget(CoapRemote remote, CoapObservation observation)
    {
        lock (_gate)
        {
            if (_peers.Find(remote) is { } peer && observation.Token is { } token && _exchanges.TryGetValue((peer, token), out var exchange))
            {
                GiveUp(exchange, "The observation was ended.");
            }
        }

        RunReady();
    }

    public Task<CoapDelivery> NotifyAsync(CoapRemote remote, CoapToken token, CoapMessage notification, bool isConfirmable)
    {
        CoapNotification outgoing;
        lock (_gate)
        {
            if (_isDisposed || _peers.GetOrAdd(remote) is not { } peer || peer.Waiting.Count >= _settings.MaxWaiting)
            {
                return Task.FromResult(CoapDelivery.Failed);
            }

            outgoing = new CoapNotification(peer, isConfirmable, token) { Bytes = Encode(isConfirmable, notification, token) };
            if (isConfirmable)
            {
                Enqueue(outgoing);
            }
            else
            {
                SendUnconfirmed(outgoing);
            }
        }

        RunReady();
        return outgoing.Delivery.Task;
    }

    /// <summary>Asks a peer for a sign of life: an empty message that it must reset (RFC 7252, 4.3).</summary>
    /// <param name="remote">The peer.</param>
    internal Task<bool> PingAsync(CoapRemote remote)
    {
        CoapPing ping;
        lock (_gate)
        {
            byte[] bytes = new byte[CoapDatagram.HeaderLength];
            CoapDatagram.WriteEmpty(bytes, CoapType.Confirmable, 0);
            ping = new CoapPing(PeerToSendTo(remote)) { Bytes = bytes };
            Enqueue(ping);
        }

        RunReady();
        return ping.Answered.Task;
    }

    private static byte[] Encode(bool isConfirmable, CoapMessage message, CoapToken token)
    {
        byte[] bytes = new byte[CoapDatagram.Measure(token, message.Options.Span, message.Payload.Span)];
        var type = isConfirmable ? CoapType.Confirmable : CoapType.NonConfirmable;
        CoapDatagram.Write(bytes, type, message.Code, 0, token, message.Options.Span, message.Payload.Span);
        return bytes;
    }

    private CoapPeer PeerToSendTo(CoapRemote remote)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (!_datagrams.IsOpen(remote))
        {
            throw new CoapException($"The session is over. ({remote.Address})");
        }

        var peer = _peers.GetOrAdd(remote) ?? throw new CoapException($"There are more than {_settings.MaxPeers} busy peers.");
        return peer.Waiting.Count < _settings.MaxWaiting ? peer
            : throw new CoapException($"More than {_settings.MaxWaiting} messages wait for {remote.Address}.");
    }

    private CoapToken NewToken(CoapPeer peer)
    {
        CoapToken token;
        do
        {
            token = _random.Token();
        }
        while (_exchanges.ContainsKey((peer, token)));
        return token;
    }

    private void Enqueue(CoapOutgoing outgoing)
    {
        outgoing.Peer.Waiting.Enqueue(outgoing);
        Pump(outgoing.Peer);
    }

    /// <summary>Sends what waits, as long as there are places.</summary>
    private void Pump(CoapPeer peer)
    {
        while (peer.Outstanding < _settings.Transmission.MaxOutstanding && peer.Waiting.TryPeek(out var next))
        {
            if (next.IsOver)
            {
                peer.Waiting.Dequeue();
                continue;
            }

            if (!TryTakeId(peer, out ushort id, out long freeAt))
            {
                Schedule(new CoapWakeUp(peer), freeAt);
                return;
            }

            peer.Waiting.Dequeue();
            next.MessageId = id;
            BinaryPrimitives.WriteUInt16BigEndian(next.Bytes.AsSpan(2), id);
            next.IsOutstanding = true;
            peer.Outstanding++;
            _unanswered[new MessageKey(peer, id)] = next;
            var transmission = _settings.Transmission;
            next.Wait = next.IsConfirmable
                ? (long)(transmission.AckTimeout.Ticks * (1 + (_random.Fraction() * (transmission.AckRandomFactor - 1))))
                : _settings.ResponseTimeout.Ticks;
            Transmit(next);
            Schedule(next, Now + next.Wait);
        }
    }

    private bool TryTakeId(CoapPeer peer, out ushort id, out long freeAt)
    {
        peer.MessageIds ??= new MessageIds(_random.MessageId(), _settings.Transmission.ExchangeLifetime.Ticks);
        return peer.MessageIds.TryTake(Now, out id, out freeAt);
    }

    private void Transmit(CoapOutgoing outgoing)
    {
        if (outgoing.Budget is not { } budget || budget.TrySpend(outgoing.Bytes.Length))
        {
            _datagrams.Send(outgoing.Bytes, outgoing.Peer.Remote);
        }
        else
        {
            Counters.Withheld++;
        }
    }

    private void Repeat(CoapOutgoing outgoing, long now)
    {
        if (outgoing.Repetitions == _settings.Transmission.MaxRetransmit)
        {
            GiveUp(outgoing, "There was no acknowledgement.");
            return;
        }

        // It may have ended between the look at it and the first transmission.
        if (!_datagrams.IsOpen(outgoing.Peer.Remote))
        {
            GiveUp(outgoing, "The session is over.");
            return;
        }

        outgoing.Repetitions++;
        Counters.Repetitions++;
        outgoing.Wait *= 2;
        Transmit(outgoing);
        Schedule(outgoing, now + outgoing.Wait);
    }

    /// <summary>Frees the place at the peer and stops the repetition.</summary>
    private void Release(CoapOutgoing outgoing)
    {
        if (!outgoing.IsOutstanding)
        {
            return;
        }

        outgoing.IsOutstanding = false;
        outgoing.Due = long.MaxValue;
        _unanswered.Remove(new MessageKey(outgoing.Peer, outgoing.MessageId));
        outgoing.Peer.Outstanding--;
        Pump(outgoing.Peer);
    }

    private void GiveUp(CoapOutgoing outgoing, string reason)
    {
        Remove(outgoing);
        Finish(outgoing, new CoapException($"{reason} ({outgoing.Peer.Remote.Address})"));
        Release(outgoing);
    }

    private void Remove(CoapOutgoing outgoing)
    {
        if (outgoing is CoapClientExchange exchange && _exchanges.TryGetValue((exchange.Peer, exchange.Token), out var current) && current == exchange)
        {
            _exchanges.Remove((exchange.Peer, exchange.Token));
            exchange.Peer.Exchanges--;
        }
    }

    /// <summary>Whoever waits for it is told of its failure.</summary>
    private void Finish(CoapOutgoing outgoing, Exception error)
    {
        outgoing.IsOver = true;
        switch (outgoing)
        {
            case CoapClientExchange exchange:
                _ready.Enqueue((exchange, error));
                break;
            case CoapNotification notification:
                _ready.Enqueue((notification, CoapDelivery.Failed));
                break;
            case CoapPing ping:
                _ready.Enqueue((ping, false));
                break;
        }
    }

    /// <summary>The same where what it was sent through is over: no further response will come either.</summary>
    private void Lose(CoapOutgoing outgoing, Exception error)
    {
        Finish(outgoing, error);
        if (outgoing is CoapClientExchange { Observation: { } observation })
        {
            _ready.Enqueue((observation, error));
        }
    }

    private void Cancel(CoapClientExchange exchange, CancellationToken cancelled)
    {
        lock (_gate)
        {
            // A response that was there first has the word; an observation that it began goes on until it is forgotten.
            if (!exchange.Response.Task.IsCompleted)
            {
                Remove(exchange);
                exchange.IsOver = true;
                _ready.Enqueue((exchange, new OperationCanceledException(cancelled)));
                Release(exchange);
            }
        }

        RunReady();
    }

    private void SendUnconfirmed(CoapNotification notification)
    {
        if (!TryTakeId(notification.Peer, out ushort id, out _))
        {
            _ready.Enqueue((notification, CoapDelivery.Failed));
            return;
        }

        notification.MessageId = id;
        BinaryPrimitives.WriteUInt16BigEndian(notification.Bytes.AsSpan(2), id);
        _datagrams.Send(notification.Bytes, notification.Peer.Remote);

        // A reset may come for it as long as its id is not used again; the oldest go first where there are too many.
        long now = Now;
        while (_unconfirmed.TryPeek(out var oldest) && (oldest.Due <= now || _unconfirmed.Count >= _settings.MaxUnconfirmed))
        {
            _unconfirmed.Dequeue();
            if (_unanswered.TryGetValue(new MessageKey(oldest.Peer, oldest.MessageId), out var known) && known == oldest)
            {
                _unanswered.Remove(new MessageKey(oldest.Peer, oldest.MessageId));
            }
        }

        notification.Due = now + _settings.Transmission.NonLifetime.Ticks;
        notification.Bytes = [];
        _unanswered[new MessageKey(notification.Peer, id)] = notification;
        _unconfirmed.Enqueue(notification);
        _ready.Enqueue((notification, CoapDelivery.Sent));
    }
}
