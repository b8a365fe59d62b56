namespace IoT.Cep;

/// <summary>Requests of others: refused, answered at once with the acknowledgement, or later (RFC 7252, 5.2), and never with much more than was asked for (RFC 9175).</summary>
internal sealed partial class CoapEndpoint
{
    private void OnRequest(in CoapDatagram message, int length, CoapPeer peer, long number)
    {
        long now = Now;
        bool isVerified = IsVerified(in message, peer, now);
        var exchange = new CoapServerExchange(peer, message.Token, message.MessageId, message.Type == CoapType.Confirmable, number)
        {
            Budget = isVerified ? int.MaxValue : length * _settings.MaxAmplification,
        };
        int refused = CoapOptionNumber.FirstRefused(message.Options);
        if (refused != 0)
        {
            if (exchange.IsConfirmable)
            {
                Answer(exchange, CoapMessage.Error(CoapCode.BadOption, $"The critical option {refused} is unknown, malformed or repeated."));
            }

            return;
        }

        if (_handler is null || Has(message.Options, CoapOptionNumber.ProxyUri) || Has(message.Options, CoapOptionNumber.ProxyScheme))
        {
            Answer(exchange, _handler is null ? CoapMessage.Error(CoapCode.NotFound) : CoapMessage.Error(CoapCode.ProxyingNotSupported));
            return;
        }

        if (_serverExchanges >= _settings.MaxExchanges)
        {
            Answer(exchange, CoapAnswers.Busy);
            return;
        }

        // An observation sends more than was asked for, however small each notification is.
        if (!isVerified && message.Code is CoapCode.Get or CoapCode.Fetch && IsRegistration(message.Options) && TryChallenge(exchange))
        {
            return;
        }

        _serverExchanges++;
        peer.Exchanges++;
        _ready.Enqueue((exchange, CoapMessage.Copy(message.Code, message.Options, message.Payload)));
    }

    private bool IsVerified(in CoapDatagram message, CoapPeer peer, long now)
    {
        if (_settings.MaxAmplification == 0 || peer.Remote.IsVerified || peer.VerifiedUntil > now)
        {
            return true;
        }

        var reader = new CoapOptionReader(message.Options);
        while (reader.Next())
        {
            if (reader.Number == CoapOptionNumber.Echo && _verification.IsValid(reader.Value, peer.Remote, now))
            {
                peer.VerifiedUntil = now + _settings.VerifiedFor.Ticks;
                return true;
            }
        }

        return false;
    }

    private static bool Has(ReadOnlySpan<byte> options, int number)
    {
        var reader = new CoapOptionReader(options);
        while (reader.Next())
        {
            if (reader.Number == number)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsRegistration(ReadOnlySpan<byte> options)
    {
        var reader = new CoapOptionReader(options);
        while (reader.Next())
        {
            if (reader.Number == CoapOptionNumber.Observe)
            {
                return reader.UInt() == 0;
            }
        }

        return false;
    }

    /// <summary>Calls the handler, without the lock.</summary>
    private void Handle(CoapServerExchange exchange, CoapMessage request)
    {
        ValueTask<CoapMessage?> answer;
        try
        {
            answer = _handler!.HandleAsync(new CoapRequest(this, exchange.Peer.Remote, exchange.Token, request));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            answer = ValueTask.FromException<CoapMessage?>(error);
        }

        if (answer.IsCompletedSuccessfully)
        {
            Complete(exchange, request, answer.Result);
            return;
        }

        lock (_gate)
        {
            if (!exchange.IsAnswered && exchange.IsConfirmable)
            {
                Schedule(exchange, Now + _settings.SeparateAfter.Ticks);
            }
        }

        _ = AwaitAsync(exchange, request, answer);
    }

    private async Task AwaitAsync(CoapServerExchange exchange, CoapMessage request, ValueTask<CoapMessage?> answer)
    {
        CoapMessage? response;
        try
        {
            response = await answer.ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // What exactly failed is nothing for a stranger.
            response = error is OperationCanceledException ? CoapAnswers.Busy : CoapMessage.Error(CoapCode.InternalServerError);
        }

        Complete(exchange, request, response);
    }

    private void Complete(CoapServerExchange exchange, CoapMessage request, CoapMessage? response)
    {
        lock (_gate)
        {
            _serverExchanges--;
            exchange.Peer.Exchanges--;
            exchange.IsAnswered = true;
            exchange.Due = long.MaxValue;
            if (_isDisposed)
            {
                return;
            }

            if (response is null || IsUnwanted(request, response.Code))
            {
                AcknowledgeLate(exchange);
            }
            else
            {
                Answer(exchange, response, mayChallenge: request.Code is CoapCode.Get or CoapCode.Fetch);
            }
        }

        RunReady();
    }

    /// <summary>No-Response (RFC 7967): a bit for each class that the client can do without.</summary>
    private static bool IsUnwanted(CoapMessage request, CoapCode code) =>
        request.UInt(CoapOptionNumber.NoResponse) is { } classes && ((classes >> (((byte)code >> 5) - 1)) & 1) == 1;

    private void AcknowledgeLate(CoapServerExchange exchange)
    {
        if (!exchange.IsAcknowledged && exchange.IsConfirmable && exchange.TrySpend(CoapDatagram.HeaderLength))
        {
            exchange.IsAcknowledged = true;
            Reply(CoapType.Acknowledgement, exchange.MessageId, exchange.Peer, exchange.DuplicateNumber);
        }
    }

    private void Answer(CoapServerExchange exchange, CoapMessage response, bool mayChallenge = false)
    {
        exchange.IsAnswered = true;
        int length = CoapDatagram.Measure(exchange.Token, response.Options.Span, response.Payload.Span);
        if (length > exchange.Budget)
        {
            if (mayChallenge && TryChallenge(exchange))
            {
                return;
            }

            // What was done can't be asked for again: the code alone says how it went, and of an error also when to come again.
            Counters.Withheld++;
            response = new CoapMessage(response.Code, response.Code.IsSuccess() ? default : response.Options);
            length = CoapDatagram.Measure(exchange.Token, response.Options.Span, default);
            if (length > exchange.Budget)
            {
                response = new CoapMessage(response.Code);
                length = CoapDatagram.Measure(exchange.Token, default, default);
            }
        }

        if (exchange.IsConfirmable && exchange.IsAcknowledged)
        {
            Enqueue(new CoapSeparateResponse(exchange.Peer) { Bytes = Encode(isConfirmable: true, response, exchange.Token), Budget = exchange });
            return;
        }

        if (!exchange.TrySpend(length))
        {
            return;
        }

        var type = exchange.IsConfirmable ? CoapType.Acknowledgement : CoapType.NonConfirmable;
        ushort id = exchange.MessageId;
        if (!exchange.IsConfirmable && !TryTakeId(exchange.Peer, out id, out _))
        {
            return;
        }

        byte[]? rented = null;
        Span<byte> bytes = length <= 256 ? stackalloc byte[256] : (rented = System.Buffers.ArrayPool<byte>.Shared.Rent(length));
        bytes = bytes[..CoapDatagram.Write(bytes, type, response.Code, id, exchange.Token, response.Options.Span, response.Payload.Span)];
        if (exchange.IsConfirmable)
        {
            exchange.IsAcknowledged = true;
            _duplicates.SetReply(exchange.DuplicateNumber, bytes);
        }

        _datagrams.Send(bytes, exchange.Peer.Remote);
        if (rented is not null)
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Asks the client to show that the address is its own; false: even that would be too long.</summary>
    private bool TryChallenge(CoapServerExchange exchange)
    {
        byte[] options = new CoapOptionBuilder().Add(CoapOptionNumber.Echo, _verification.Make(exchange.Peer.Remote, Now)).ToArray();
        var challenge = new CoapMessage(CoapCode.Unauthorized, options);
        if (CoapDatagram.Measure(exchange.Token, options, default) > exchange.Budget)
        {
            return false;
        }

        Counters.Challenged++;
        Answer(exchange, challenge);
        return true;
    }
}

/// <summary>Responses that say always the same.</summary>
internal static class CoapAnswers
{
    /// <summary>Ask again in a second.</summary>
    internal static CoapMessage Busy { get; } = new(CoapCode.ServiceUnavailable, new CoapOptionBuilder().Add(CoapOptionNumber.MaxAge, 1).ToArray());

    internal static CoapMessage Changed { get; } = new(CoapCode.Changed);
}
