using System.Text;

namespace IoT.Cep;

/// <summary>What comes by a connection: signals, responses, requests (RFC 8323, 5).</summary>
internal sealed partial class CoapStreamLink
{
    // The signals' options have numbers of their own.
    private const int MaxMessageSize = 2;
    private const int BlockWiseTransfer = 4;
    private const int BadCsmOption = 2;

    /// <summary>A connection that has to end does so within a second (<see cref="Admission.Ended"/>).</summary>
    private static readonly TimeSpan _lastWord = TimeSpan.FromSeconds(0.5);

    /// <summary>Runs until one side closes. Never throws.</summary>
    /// <param name="stop">Closes it, with a goodbye.</param>
    /// <param name="ended">Gives it up: the other side may not be here any longer.</param>
    internal async Task RunAsync(CancellationToken stop, CancellationToken ended = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _closed.Token, ended);
        var timer = _settings.IdleTimeout is { } idle ? _time.CreateTimer(_ => CheckIdle(idle), null, idle / 2, idle / 2) : null;
        try
        {
            await SendCapabilitiesAsync(either.Token).ConfigureAwait(false);
            await ReadAllAsync(either.Token).ConfigureAwait(false);
        }
        catch (CoapFrameException error)
        {
            await AbortAsync(error.Error.Describe()).ConfigureAwait(false);
        }
        catch (CoapException error)
        {
            Close(error.Message);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            await EndAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await ReleaseAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (IsLoss(error))
        {
            if (!_closed.IsCancellationRequested)
            {
                await AbortAsync(_ready.Task.IsCompleted ? "" : "There were no capabilities in time.").ConfigureAwait(false);
            }
        }
        finally
        {
            if (timer is not null)
            {
                await timer.DisposeAsync().ConfigureAwait(false);
            }

            Close("The other side closed the connection.");
            _handler?.OnGone(this, _remote);
        }
    }

    /// <summary>Says to one that is not let in why, and closes. Never throws.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="stop">Closes it at once.</param>
    internal async Task RefuseAsync(string reason, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(_settings.PeerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            await SendCapabilitiesAsync(either.Token).ConfigureAwait(false);

            // What is not read when a connection is closed resets it, and the reason might be lost.
            await _frames.ReadAsync(_settings.MaxMessageBytes, either.Token).ConfigureAwait(false);
            await AbortAsync(reason).ConfigureAwait(false);
        }
        catch (Exception error) when (IsLoss(error) || error is CoapException or CoapFrameException)
        {
            // It is gone already.
        }
        finally
        {
            Close(reason);
        }
    }

    private Task SendCapabilitiesAsync(CancellationToken stop)
    {
        byte[] capabilities = new CoapOptionBuilder().Add(MaxMessageSize, (uint)_settings.MaxMessageBytes).Add(BlockWiseTransfer, ReadOnlyMemory<byte>.Empty).ToArray();
        return SendAsync(CoapCode.Csm, default, capabilities, default, stop);
    }

    /// <summary>Nothing more is read; and whoever does not take the last word in time is closed without it.</summary>
    private async Task EndAsync()
    {
        const string Reason = "Your access has ended.";
        try
        {
            await AbortAsync(Reason).WaitAsync(_lastWord, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Close(Reason);
        }
    }

    private async Task ReadAllAsync(CancellationToken stop)
    {
        bool isFirst = true;
        while (true)
        {
            using var limit = isFirst ? new CancellationTokenSource(_settings.PeerTimeout, _time) : null;
            using var either = limit is null ? null : CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            if (await _frames.ReadAsync(_settings.MaxMessageBytes, either?.Token ?? stop).ConfigureAwait(false) is not { } frame)
            {
                return;
            }

            _heardAt = _time.GetTimestamp();
            _asked = false;
            var error = Take(frame.TokenLength, frame.Bytes.Span, isFirst, out var token, out var message);
            if (error != CoapFormatError.None)
            {
                throw new CoapFrameException(error);
            }

            isFirst = false;
            if (message is not null && !await OnMessageAsync(token, message, stop).ConfigureAwait(false))
            {
                return;
            }
        }
    }

    private static CoapFormatError Take(int tokenLength, ReadOnlySpan<byte> bytes, bool isFirst, out CoapToken token, out CoapMessage? message)
    {
        message = null;
        var error = CoapFrame.Parse(tokenLength, bytes, out var frame);
        token = frame.Token;
        if (error != CoapFormatError.None)
        {
            return error;
        }

        if (isFirst && frame.Code != CoapCode.Csm)
        {
            return CoapFormatError.NoCapabilities;
        }

        // An empty message is a sign of life and nothing else (3.4).
        message = frame.Code == CoapCode.Empty ? null : CoapMessage.Copy(frame.Code, frame.Options, frame.Payload);
        return CoapFormatError.None;
    }

    /// <summary>Handles a message; false: the connection is over.</summary>
    private async ValueTask<bool> OnMessageAsync(CoapToken token, CoapMessage message, CancellationToken stop)
    {
        if (message.Code.IsSignal())
        {
            return await OnSignalAsync(token, message, stop).ConfigureAwait(false);
        }

        if (message.Code.IsRequest())
        {
            await _answering.WaitAsync(stop).ConfigureAwait(false);
            _ = AnswerAsync(token, message);
        }
        else if (message.Code.IsResponse())
        {
            OnResponse(token, message);
        }

        return true;
    }

    private async ValueTask<bool> OnSignalAsync(CoapToken token, CoapMessage signal, CancellationToken stop)
    {
        if (FirstCritical(signal) is var refused and not 0)
        {
            await AbortAsync("A critical option of a signal is unknown.", signal.Code == CoapCode.Csm ? refused : 0).ConfigureAwait(false);
            return false;
        }

        switch (signal.Code)
        {
            case CoapCode.Csm:
                _peerMessageBytes = (int)Math.Clamp(Find(signal, MaxMessageSize) ?? (uint)_peerMessageBytes, 64, int.MaxValue / 2);
                _peerHasBlocks |= Find(signal, BlockWiseTransfer) is not null;
                _ready.TrySetResult();
                break;
            case CoapCode.Ping:
                await SendAsync(CoapCode.Pong, token, default, default, stop).ConfigureAwait(false);
                break;
            case CoapCode.Pong:
                OnResponse(token, signal);
                break;
            case CoapCode.Release:
                // What is under way goes on; nothing new is begun here.
                _isReleased = true;
                return await FinishAsync(stop).ConfigureAwait(false);
            case CoapCode.Abort:
                Close(signal.Payload.IsEmpty ? "The other side gave the connection up." : $"The other side gave the connection up: {Extensibility.SafeText.Escape(signal.Payload.Span)}.");
                return false;
        }

        return true;
    }

    /// <summary>Waits until the requests of the side that goes are answered; false where that closes the connection.</summary>
    private async ValueTask<bool> FinishAsync(CancellationToken stop)
    {
        bool isWaitedFor;
        lock (_gate)
        {
            isWaitedFor = _exchanges.Count > 0;
        }

        for (int i = 0; i < _settings.MaxRequests; i++)
        {
            await _answering.WaitAsync(stop).ConfigureAwait(false);
        }

        _answering.Release(_settings.MaxRequests);
        return isWaitedFor;
    }

    private void OnResponse(CoapToken token, CoapMessage message)
    {
        Exchange? exchange;
        bool isFirst;
        lock (_gate)
        {
            if (!_exchanges.TryGetValue(token, out exchange))
            {
                return;
            }

            isFirst = !exchange.Response.Task.IsCompleted;
            exchange.GoesOn = exchange.Observation is not null && message.Code.IsSuccess() && message.Observe is not null;
            if (!exchange.GoesOn)
            {
                _exchanges.Remove(token);
            }
        }

        if (!message.Code.IsSignal() && CoapOptionNumber.FirstRefused(message.Options.Span) is var refused and not 0)
        {
            exchange.Response.TrySetException(new CoapException($"The response has the critical option {refused}, which is unknown here."));
        }
        else if (isFirst)
        {
            exchange.Response.TrySetResult(message);
        }
        else
        {
            exchange.Observation?.OnResponse(message);
        }
    }

    private async Task AnswerAsync(CoapToken token, CoapMessage message)
    {
        CoapMessage? response;
        try
        {
            int refused = CoapOptionNumber.FirstRefused(message.Options.Span);
            response = refused != 0 ? CoapMessage.Error(CoapCode.BadOption, $"The critical option {refused} is unknown, malformed or repeated.")
                : message.Has(CoapOptionNumber.ProxyUri) || message.Has(CoapOptionNumber.ProxyScheme) ? CoapMessage.Error(CoapCode.ProxyingNotSupported)
                : _handler is null ? CoapMessage.Error(CoapCode.NotFound)
                : await _handler.HandleAsync(new CoapRequest(this, _remote, token, message)).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            response = error is OperationCanceledException ? CoapAnswers.Busy : CoapMessage.Error(CoapCode.InternalServerError);
        }

        try
        {
            if (response is not null && (message.UInt(CoapOptionNumber.NoResponse) is not { } classes || ((classes >> (((byte)response.Code >> 5) - 1)) & 1) == 0))
            {
                await SendAsync(response.Code, token, response.Options, response.Payload, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (CoapException)
        {
            // Whoever asked is gone.
        }
        finally
        {
            try
            {
                _answering.Release();
            }
            catch (ObjectDisposedException)
            {
            }
        }
    }

    private async Task AbortAsync(string reason, int badOption = 0)
    {
        try
        {
            byte[] options = badOption == 0 ? [] : new CoapOptionBuilder().Add(BadCsmOption, (uint)badOption).ToArray();
            await SendAsync(CoapCode.Abort, default, options, Encoding.UTF8.GetBytes(reason), CancellationToken.None).ConfigureAwait(false);
        }
        catch (CoapException)
        {
            // There is nobody to tell.
        }

        Close(reason.Length == 0 ? "The connection was lost." : $"The connection was given up: {reason}");
    }

    private void CheckIdle(TimeSpan idle)
    {
        var silence = _time.GetElapsedTime(_heardAt);
        if (silence >= idle)
        {
            Close("Nothing was heard for too long.");
        }
        else if (silence >= idle / 2 && !_asked)
        {
            _asked = true;
            _ = AskAsync();
        }
    }

    private async Task AskAsync()
    {
        try
        {
            await PingAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (error is CoapException or TimeoutException)
        {
            // The next check closes it.
        }
    }

    private static int FirstCritical(CoapMessage signal)
    {
        var reader = new CoapOptionReader(signal.Options.Span);
        while (reader.Next())
        {
            if (CoapOptionNumber.IsCritical(reader.Number))
            {
                return reader.Number;
            }
        }

        return 0;
    }

    private static uint? Find(CoapMessage signal, int number)
    {
        var reader = new CoapOptionReader(signal.Options.Span);
        while (reader.Next())
        {
            if (reader.Number == number && reader.Value.Length <= sizeof(uint))
            {
                return reader.UInt();
            }
        }

        return null;
    }
}
