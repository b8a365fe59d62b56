namespace IoT.Cep;

/// <summary>How a connection ends: by its client, by a fault, by time, by another connection, or with the endpoint.</summary>
internal sealed partial class IngestConnection
{
    private string? _trouble;
    private IngestWill? _will;
    private bool _hasSaidGoodbye;
    private bool _isHungUp;
    private bool _isRefused;

    /// <summary>Whether there is something to look at more closely. Called four times a second for each connection, with the list of them locked.</summary>
    internal bool IsDue(long now)
    {
        long deadline = Volatile.Read(ref _deadline), sending = Output.SendingSince;
        long stall = now - (long)_endpoint.Options.StallTimeout.TotalMilliseconds;
        return (deadline != 0 && now >= deadline) || (sending != 0 && sending <= stall)
            || (Session is { UnacknowledgedSince: > 0 and var since } && since <= stall) || _admission is { HasEnded: true };
    }

    /// <summary>Ends it where its time is over.</summary>
    internal void Look(long now)
    {
        if (_isEnding)
        {
            // It was told goodbye, and neither takes it nor closes.
            Abort();
            return;
        }

        long deadline = Volatile.Read(ref _deadline);
        long stall = now - (long)_endpoint.Options.StallTimeout.TotalMilliseconds;
        if (Output.SendingSince is > 0 and var sending && sending <= stall)
        {
            _trouble = "it takes nothing of what is sent to it";
            Abort();
        }
        else if (_admission is { HasEnded: true })
        {
            EndFromOutside(MqttReason.NotAuthorized, "its proof of identity has ended");
        }
        else if (Session is { UnacknowledgedSince: > 0 and var since } && since <= stall)
        {
            EndFromOutside(MqttReason.Unspecified, "it does not acknowledge a command");
        }
        else if (deadline != 0 && now >= deadline)
        {
            EndFromOutside(
                MqttReason.KeepAliveTimeout,
                !IsKnown ? "it did not say who it is in time" : _partialDeadline != 0 ? "a packet came too slowly" : "it was silent for one and a half of its keep-alives");
        }
    }

    /// <summary>The endpoint stops: at the next border between packets.</summary>
    internal void Stop()
    {
        _isStopping = true;
        EndFromOutside(MqttReason.ServerShuttingDown, null);
    }

    /// <summary>Its client has come back by another connection: what arrived here by now is processed.</summary>
    internal void TakeOver() => EndFromOutside(MqttReason.SessionTakenOver, null);

    /// <summary>Closes it at once. What it waits for is given up, unless that is a receiver.</summary>
    internal void Abort()
    {
        _isAborted = true;
        Interlocked.MemoryBarrier();
        _waitsFor?.Cancel(_waiter);
        _link.Abort();
        Session?.WakeRoom();
        Output.Close();
    }

    private void EndFromOutside(MqttReason reason, string? trouble)
    {
        if (_endReason == MqttReason.Success)
        {
            _trouble ??= trouble;
            _endReason = reason;
        }

        // Both shutting down and the wait for it must be bounded: the next look aborts.
        Volatile.Write(ref _deadline, _endpoint.Now + LingerMilliseconds + (reason is MqttReason.ServerShuttingDown or MqttReason.SessionTakenOver ? (long)_endpoint.Options.StopTimeout.TotalMilliseconds : 0));
        _link.EndInput();
        Session?.WakeRoom();
    }

    /// <summary>Ends it for a fault of its client.</summary>
    private Step Fail(MqttReason reason, string trouble)
    {
        if (_endReason == MqttReason.Success)
        {
            _endReason = reason;
            _trouble = trouble;
        }

        return Step.End;
    }

    private async Task EndAsync(string? trouble)
    {
        var session = Session;
        if (_isStopping && session is not null)
        {
            await WaitForAcknowledgementsAsync(session).ConfigureAwait(false);
        }

        _isEnding = true;
        var reason = _endReason;
        bool wasCut = !_hasSaidGoodbye && reason is not (MqttReason.Success or MqttReason.ServerShuttingDown or MqttReason.SessionTakenOver);
        if (_isRefused)
        {
            IngestLog.Ended(_endpoint.Logger, Client, _trouble ?? "");
        }
        else if (wasCut || _trouble is not null)
        {
            _endpoint.CountCut(Client, _trouble ?? trouble ?? $"{reason}");
        }
        else
        {
            IngestLog.Ended(_endpoint.Logger, Client, _hasSaidGoodbye ? "it said goodbye" : trouble ?? (reason == MqttReason.Success ? "it went without a word" : $"{reason}"));
        }

        if (session is not null)
        {
            // Before it is told, so that a client that comes back at once finds the session as it left it.
            _endpoint.CloseSession(this, session, _will);
        }

        _admission?.Dispose();
        if (_isAborted || (trouble is not null && _trouble is null))
        {
            return;
        }

        Volatile.Write(ref _deadline, _endpoint.Now + LingerMilliseconds);
        if (!_hasSaidGoodbye && IsVersion5 && IsKnown && reason != MqttReason.Success)
        {
            Output.Add([MqttPacketType.Disconnect, 1, (byte)reason]);
        }

        await Output.SentAsync().ConfigureAwait(false);
        if (!_isAborted)
        {
            await LingerAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Closing a socket that holds unread data resets it, and the client might never see why. So what still comes is read and thrown away, for a moment.</summary>
    private async Task LingerAsync()
    {
        await _link.EndOutputAsync().ConfigureAwait(false);
        if (_isHungUp)
        {
            return;
        }

        byte[] scrap = _endpoint.Buffers.Rent(BufferPool.Small);
        try
        {
            for (int rest = 1 << 20; rest > 0;)
            {
                int read = await _link.ReceiveAsync(scrap).ConfigureAwait(false);
                rest = read == 0 ? 0 : rest - read;
            }
        }
        finally
        {
            _endpoint.Buffers.Return(scrap);
        }
    }

    private async Task WaitForAcknowledgementsAsync(IngestSession session)
    {
        Volatile.Write(ref _deadline, 0);
        try
        {
            await session.QuietAsync().WaitAsync(_endpoint.Options.StopTimeout, _endpoint.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Not acknowledged is the truth.
        }
    }
}
