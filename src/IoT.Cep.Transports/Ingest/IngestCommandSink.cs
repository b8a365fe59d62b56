using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sends results to the devices that have subscribed to their topics. A connected device whose queue is full holds the sink up, for no longer than the endpoint's stall time,
/// after which it is cut; an absent one does not.
/// </summary>
internal sealed class IngestCommandSink<T>(MqttIngestEndpoint endpoint, Func<T, string> topic, Action<T, IBufferWriter<byte>> encode, bool isAcknowledged) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _payload = new();
    private readonly Dictionary<IngestSession, bool> _found = [];

    // Two queries may end in one sink; its buffers are for one of them at a time.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private TimeProvider _time = TimeProvider.System;

    public string Name => "mqtt-ingest commands";

    // They wait in memory, and a restart forgets them.
    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        _time = context.TimeProvider;
        return ValueTask.CompletedTask;
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            for (int row = 0; row < batch.Length; row++)
            {
                // What was sent can't be unsent.
                if (batch.Kinds.IsEmpty || batch.Kinds.Span[row] != EventKind.Retract)
                {
                    await SendAsync(Encode(batch.Events.Span[row], row, out string name), name, row, stop).ConfigureAwait(false);
                }

                batch.MarkWritten(row);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        _gate.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask SendAsync(Command command, string name, int row, CancellationToken stop)
    {
        _found.Clear();
        endpoint.Commands.Find(name, _found);
        int sent = 0;
        foreach (var (session, wantsAcknowledgement) in _found)
        {
            if (await SendAsync(session, command, isAcknowledged && wantsAcknowledgement, stop).ConfigureAwait(false))
            {
                sent++;
            }
            else
            {
                endpoint.CountCommandsDropped(1);
            }
        }

        if (sent == 0)
        {
            throw new SinkRejectedException(row, _found.Count == 0
                ? $"No connected device and no kept session has subscribed to '{SafeText.Escape(name)}'."
                : $"The queues of all {_found.Count} devices that have subscribed to '{SafeText.Escape(name)}' are full, or they are away.");
        }
    }

    private async ValueTask<bool> SendAsync(IngestSession session, Command command, bool withAcknowledgement, CancellationToken stop)
    {
        while (!session.TrySend(command, withAcknowledgement))
        {
            if (session.CommandsRoomAsync() is not { } room)
            {
                return false;
            }

            try
            {
                await room.WaitAsync(endpoint.Options.StallTimeout, _time, stop).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        return true;
    }

    private Command Encode(T result, int row, out string name)
    {
        _payload.ResetWrittenCount();
        try
        {
            encode(result, _payload);
            name = topic(result);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new SinkRejectedException(row, $"The topic or payload function failed: {SafeText.Escape(e.Message)}", e);
        }

        if (MqttTopic.Problem(name) is { } problem)
        {
            throw new SinkRejectedException(row, problem);
        }

        if (_payload.WrittenCount > endpoint.Options.MaxPacketBytes)
        {
            throw new SinkRejectedException(row, $"The payload has {_payload.WrittenCount} bytes; MqttIngestOptions.MaxPacketBytes allows {endpoint.Options.MaxPacketBytes}.");
        }

        return new Command(Encoding.UTF8.GetBytes(name), _payload.WrittenSpan.ToArray(), isAcknowledged);
    }
}
