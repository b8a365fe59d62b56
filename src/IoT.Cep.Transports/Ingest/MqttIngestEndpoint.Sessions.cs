using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What a client asked to be published when it goes without a word.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Payload">The payload.</param>
/// <param name="ContentType">Its media type; null: none.</param>
/// <param name="Delay">How long after the connection, in milliseconds, unless the client comes back before.</param>
/// <param name="Sender">Whose it is.</param>
internal sealed record IngestWill(Topic Topic, byte[] Payload, string? ContentType, long Delay, string Sender);

/// <summary>Keeps the sessions of clients, and their wills.</summary>
public sealed partial class MqttIngestEndpoint
{
    private const int SessionSweepMilliseconds = 5_000;

    private readonly Dictionary<string, IngestSession> _sessions = new(StringComparer.Ordinal);
    private readonly List<(IngestSession Session, IngestWill Will, long Due)> _wills = [];
    private long _sessionsSwept;

    internal CommandTree Commands { get; } = new();

    /// <summary>Gives a client its session. An earlier connection of the client ends first: what had arrived on it is processed.</summary>
    /// <param name="connection">The new connection.</param>
    /// <param name="clientId">The client's name.</param>
    /// <param name="identity">Who it is.</param>
    /// <param name="startsClean">Whether an earlier session is to be forgotten.</param>
    /// <returns>The session and whether it was there before, or why it may not have it.</returns>
    internal async ValueTask<(IngestSession? Session, bool IsPresent, MqttReason Reason)> OpenSessionAsync(
        IngestConnection connection, string clientId, Identity identity, bool startsClean)
    {
        while (true)
        {
            IngestConnection? earlier;
            IngestSession session;
            bool isPresent;
            lock (_gate)
            {
                isPresent = _sessions.TryGetValue(clientId, out var known);
                if (known is not null && known.Owner.Name != identity.Name)
                {
                    // A client id is no secret; commands and unfinished messages of another are.
                    return (null, false, MqttReason.ClientIdNotValid);
                }

                earlier = known?.Connection;
                if (earlier is null)
                {
                    if (known is not null && startsClean)
                    {
                        Forget(known);
                        isPresent = false;
                    }

                    session = isPresent ? known! : new IngestSession(this, clientId, identity);
                    if (!isPresent)
                    {
                        MakeRoom();
                        _sessions[clientId] = session;
                    }

                    _wills.RemoveAll(waiting => waiting.Session == session);
                    session.Attach(connection);
                    return (session, isPresent, MqttReason.Success);
                }

                session = known!;
            }

            earlier.TakeOver();
            try
            {
                await earlier.Completion.WaitAsync(Options.ConnectTimeout / 2, _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // The engine holds it back. It hands nothing over any more, and what it had not handed over is sent again.
                earlier.Abort();
                session.Detach(earlier);
            }
        }
    }

    /// <summary>A connection has ended: its session ends with it, or is kept.</summary>
    internal void CloseSession(IngestConnection connection, IngestSession session, IngestWill? will)
    {
        bool isOver;
        lock (_gate)
        {
            // Where another connection has it by now, nothing is ours any more but the will.
            bool isOurs = session.Detach(connection);
            isOver = isOurs && session.KeptFor == 0;
            if (isOver)
            {
                Forget(session);
            }

            if (will is { Delay: > 0 } && isOurs && !isOver)
            {
                _wills.Add((session, will, Now + Math.Min(will.Delay, session.KeptFor)));
                will = null;
            }
        }

        if (will is not null && !IsStopping)
        {
            _ = PublishAsync(will);
        }
    }

    private static async Task PublishAsync(IngestWill will)
    {
        foreach (var taker in will.Topic.Takers)
        {
            await taker.Turn.EnterAsync(new Waiter()).ConfigureAwait(false);
            try
            {
                var payload = new Payload(new System.Buffers.ReadOnlySequence<byte>(will.Payload), will.Topic.Text) { Template = taker.Template, ContentType = will.ContentType, Sender = will.Sender };
                if (taker.Receiver is { } receiver)
                {
                    taker.Received++;
                    await receiver.ReceiveAsync(in payload).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                taker.Fail(e);
            }
            finally
            {
                taker.Turn.Leave();
            }
        }
    }

    // The caller holds the gate, here and below.
    private void Forget(IngestSession session)
    {
        _sessions.Remove(session.ClientId);
        Commands.RemoveAll(session);
        CountCommandsDropped(session.DropCommands());
        for (int i = _wills.Count - 1; i >= 0; i--)
        {
            if (_wills[i].Session == session)
            {
                _ = PublishAsync(_wills[i].Will);
                _wills.RemoveAt(i);
            }
        }
    }

    private void MakeRoom()
    {
        if (_sessions.Count < Options.MaxSessions)
        {
            return;
        }

        IngestSession? longest = null;
        foreach (var session in _sessions.Values)
        {
            if (session.Connection is null && (longest is null || session.AwaySince < longest.AwaySince))
            {
                longest = session;
            }
        }

        if (longest is not null)
        {
            CountRefused(SafeText.Escape(longest.ClientId, 64), "its session was discarded, since there are MaxSessions");
            Forget(longest);
        }
    }

    private void SweepSessions(long now)
    {
        if (now - _sessionsSwept < SessionSweepMilliseconds && _wills.Count == 0)
        {
            return;
        }

        lock (_gate)
        {
            for (int i = _wills.Count - 1; i >= 0; i--)
            {
                if (_wills[i].Due <= now)
                {
                    _ = PublishAsync(_wills[i].Will);
                    _wills.RemoveAt(i);
                }
            }

            if (now - _sessionsSwept < SessionSweepMilliseconds)
            {
                return;
            }

            _sessionsSwept = now;
            foreach (var session in _sessions.Values)
            {
                if (session.Connection is null && now - session.AwaySince >= session.KeptFor)
                {
                    Forget(session);
                }
            }
        }
    }
}
