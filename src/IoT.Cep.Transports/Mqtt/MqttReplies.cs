using System.Buffers;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;
using MQTTnet;

namespace IoT.Cep;

/// <summary>What a decoder has to say to senders (<see cref="IReplying"/>), published one after the other on its source's connection. A lost one is asked for again by who needs it.</summary>
internal sealed class MqttReplies(Func<IMqttClient?> connection)
{
    /// <summary>More wait only while there is no connection; then the oldest give way.</summary>
    private const int MaxWaiting = 1_000;

    private readonly Lock _gate = new();
    private readonly Queue<(string Topic, ReadOnlyMemory<byte> Body)> _waiting = new();
    private bool _isSending;

    internal (string Source, ILogger Log)? Log { get; set; }

    internal void Send(string topic, ReadOnlyMemory<byte> body)
    {
        lock (_gate)
        {
            if (_waiting.Count == MaxWaiting)
            {
                _waiting.Dequeue();
            }

            _waiting.Enqueue((topic, body));
        }

        Flush();
    }

    /// <summary>Publishes what waits, where there is a connection now.</summary>
    internal void Flush()
    {
        lock (_gate)
        {
            if (_isSending || _waiting.Count == 0 || connection() is null)
            {
                return;
            }

            _isSending = true;
        }

        // Not on the thread that reads: an acknowledgement that it waits for could then never come.
        _ = Task.Run(SendAllAsync);
    }

    private async Task SendAllAsync()
    {
        while (TryNext(out var client, out var next))
        {
            try
            {
                await client.PublishAsync(new MqttApplicationMessage { Topic = next.Topic, Payload = new ReadOnlySequence<byte>(next.Body) }, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (MqttFailure.IsTransient(e))
            {
                if (Log is { } log)
                {
                    MqttLog.NoReply(log.Log, log.Source, SafeText.Escape(next.Topic, 128), MqttFailure.Describe(e));
                }
            }
        }
    }

    private bool TryNext(out IMqttClient client, out (string Topic, ReadOnlyMemory<byte> Body) next)
    {
        lock (_gate)
        {
            client = connection()!;
            next = default;
            return _isSending = client is not null && _waiting.TryDequeue(out next);
        }
    }
}
