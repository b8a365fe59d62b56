using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What comes in: acknowledgements, resets, responses, requests (RFC 7252, 4.2 to 4.5, 5.3).</summary>
internal sealed partial class CoapEndpoint
{
    public void OnDatagram(ReadOnlySpan<byte> datagram, CoapRemote remote)
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            var error = CoapDatagram.Parse(datagram, out var message);
            if (error != CoapFormatError.None)
            {
                Counters.Malformed++;
                if (error is not (CoapFormatError.TooShort or CoapFormatError.UnknownVersion) && message.Type == CoapType.Confirmable)
                {
                    SendEmpty(CoapType.Reset, message.MessageId, remote);
                }
            }
            else
            {
                Receive(in message, datagram.Length, remote);
            }
        }

        RunReady();
    }

    private void Receive(in CoapDatagram message, int length, CoapRemote remote)
    {
        switch (message.Type)
        {
            case CoapType.Acknowledgement or CoapType.Reset:
                if (_peers.Find(remote) is { } known && _unanswered.TryGetValue(new MessageKey(known, message.MessageId), out var outgoing))
                {
                    OnAnswer(in message, outgoing);
                }
                else
                {
                    Counters.Unmatched++;
                }

                break;
            case var _ when message.Code.IsRequest() || message.Code.IsResponse():
                if (_peers.GetOrAdd(remote) is { } peer)
                {
                    OnMessage(in message, length, peer);
                }
                else
                {
                    Counters.RefusedPeers++;
                }

                break;
            case CoapType.Confirmable:
                // An empty one is a ping, and its reset the answer; codes of reserved classes are rejected likewise.
                SendEmpty(CoapType.Reset, message.MessageId, remote);
                break;
        }
    }

    private void OnAnswer(in CoapDatagram message, CoapOutgoing outgoing)
    {
        if (message.Type == CoapType.Reset)
        {
            if (message.Code == CoapCode.Empty)
            {
                OnReset(outgoing);
            }

            return;
        }

        if (!outgoing.IsConfirmable)
        {
            return;
        }

        if (message.Code == CoapCode.Empty)
        {
            OnAcknowledged(outgoing);
        }
        else if (message.Code.IsResponse() && outgoing is CoapClientExchange exchange && exchange.Token == message.Token)
        {
            // A critical option that is not understood makes a piggybacked response as good as none (5.4.1).
            if (CoapOptionNumber.FirstRefused(message.Options) is var refused and not 0)
            {
                GiveUp(exchange, $"The response has the critical option {refused}, which is unknown here.");
            }
            else
            {
                OnResponse(in message, exchange);
            }
        }
    }

    private void OnReset(CoapOutgoing outgoing)
    {
        switch (outgoing)
        {
            case CoapPing ping:
                _ready.Enqueue((ping, true));
                ping.IsOver = true;
                break;
            case CoapNotification { IsConfirmable: true } notification:
                _ready.Enqueue((notification, CoapDelivery.Rejected));
                notification.IsOver = true;
                break;
            case CoapNotification notification:
                _unanswered.Remove(new MessageKey(notification.Peer, notification.MessageId));
                _ready.Enqueue((notification, notification));
                return;
            default:
                GiveUp(outgoing, "The peer rejected the message.");
                return;
        }

        Release(outgoing);
    }

    private void OnAcknowledged(CoapOutgoing outgoing)
    {
        switch (outgoing)
        {
            case CoapNotification notification:
                _ready.Enqueue((notification, CoapDelivery.Acknowledged));
                notification.IsOver = true;
                break;
            case CoapSeparateResponse:
                outgoing.IsOver = true;
                break;
            case CoapPing:
                // A ping is answered by a reset and by nothing else.
                return;
        }

        Release(outgoing);
        if (outgoing is CoapClientExchange { IsOver: false } exchange)
        {
            Schedule(exchange, Now + _settings.ResponseTimeout.Ticks);
        }
    }

    private void OnMessage(in CoapDatagram message, int length, CoapPeer peer)
    {
        long now = Now;
        var key = new MessageKey(peer, message.MessageId);
        if (_duplicates.Find(key, now) is var before and >= 0)
        {
            Counters.Duplicates++;
            if (message.Type == CoapType.Confirmable && _duplicates.Reply(before) is { IsEmpty: false } reply)
            {
                _datagrams.Send(reply, peer.Remote);
            }

            return;
        }

        var transmission = _settings.Transmission;
        var lifetime = message.Type == CoapType.Confirmable ? transmission.ExchangeLifetime : transmission.NonLifetime;
        long number = _duplicates.Add(key, now, now + lifetime.Ticks);
        if (message.Code.IsRequest())
        {
            OnRequest(in message, length, peer, number);
        }
        else
        {
            OnSeparateResponse(in message, peer, number);
        }
    }

    private void OnSeparateResponse(in CoapDatagram message, CoapPeer peer, long number)
    {
        bool isKnown = _exchanges.TryGetValue((peer, message.Token), out var exchange);
        bool isTaken = isKnown && CoapOptionNumber.FirstRefused(message.Options) == 0;
        if (message.Type == CoapType.Confirmable || !isTaken)
        {
            // A reset also for one that wants no acknowledgement: that is how an observation that is over ends (RFC 7641, 3.6).
            Reply(isTaken ? CoapType.Acknowledgement : CoapType.Reset, message.MessageId, peer, number);
        }

        if (isTaken)
        {
            OnResponse(in message, exchange!);
        }
        else
        {
            Counters.Unmatched++;
        }
    }

    private void OnResponse(in CoapDatagram message, CoapClientExchange exchange)
    {
        var response = CoapMessage.Copy(message.Code, message.Options, message.Payload);
        if (exchange.IsOver)
        {
            _ready.Enqueue((exchange.Observation!, response));
        }
        else
        {
            exchange.IsOver = true;
            exchange.Due = long.MaxValue;
            _ready.Enqueue((exchange, response));
        }

        bool goesOn = exchange.Observation is not null && response.Code.IsSuccess() && response.Observe is not null;
        if (!goesOn)
        {
            Remove(exchange);
        }

        Release(exchange);
    }

    private void SendEmpty(CoapType type, ushort messageId, CoapRemote remote)
    {
        Span<byte> bytes = stackalloc byte[CoapDatagram.HeaderLength];
        CoapDatagram.WriteEmpty(bytes, type, messageId);
        _datagrams.Send(bytes, remote);
    }

    private void Reply(CoapType type, ushort messageId, CoapPeer peer, long number)
    {
        Span<byte> bytes = stackalloc byte[CoapDatagram.HeaderLength];
        CoapDatagram.WriteEmpty(bytes, type, messageId);
        _duplicates.SetReply(number, bytes);
        _datagrams.Send(bytes, peer.Remote);
    }
}
