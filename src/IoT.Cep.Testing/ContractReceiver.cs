using System.Buffers;
using System.Threading.Channels;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>A message as it arrived.</summary>
internal sealed record Arrived(string Topic, byte[] Body, IAcknowledger? Acknowledger, object? Delivery)
{
    internal void Acknowledge() => Acknowledger?.Acknowledge(Delivery!);
}

/// <summary>Takes messages as an engine does, and notes what is against the rules. Partitions of a source share what arrived; each is handed one message at a time.</summary>
internal sealed class ContractReceiver : IPayloadReceiver
{
    private readonly Channel<Arrived> _messages;
    private readonly Channel<(bool Up, string? Detail)> _connections = Channel.CreateUnbounded<(bool, string?)>();
    private readonly ContractReceiver _root;
    private readonly Lock _gate = new();
    private readonly List<string> _told = [];
    private int _inside;
    private int _duplicates;

    internal ContractReceiver(ContractReceiver? root = null)
    {
        _root = root ?? this;
        _messages = root?._messages ?? Channel.CreateUnbounded<Arrived>();
    }

    /// <summary>Awaited before the next message is taken; null: never.</summary>
    internal Func<Arrived, ValueTask>? Gate { get; set; }

    internal bool AcknowledgesAtOnce { get; set; } = true;

    /// <summary>What was against the rules first; null: nothing.</summary>
    internal string? Broken { get; private set; }

    internal bool? IsConnected { get; private set; }

    internal int Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>All texts that the transport gave to be shown.</summary>
    internal string[] Told
    {
        get
        {
            lock (_gate)
            {
                return [.. _told];
            }
        }
    }

    internal bool IsEmpty => !_messages.Reader.TryPeek(out _);

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        if (Interlocked.Increment(ref _inside) != 1)
        {
            Break("a message was handed over while the one before it was not taken yet");
        }

        if (payload.Topic is null)
        {
            Break("a message has no topic; give an empty one");
        }

        if ((acknowledger is null) != (delivery is null))
        {
            Break("an acknowledger and its delivery belong together: give both, or neither");
        }

        byte[] body = payload.Bytes.ToArray();
        Thread.Yield();
        if (!payload.Bytes.ToArray().AsSpan().SequenceEqual(body))
        {
            Break("the payload changed during the call");
        }

        return TakeAsync(new Arrived(payload.Topic ?? "", body, acknowledger, delivery));
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail)
    {
        Tell(detail);
        _ = payload.Bytes.Length;
    }

    public void CountDuplicate() => Interlocked.Increment(ref _root._duplicates);

    public void ConnectionChanged(bool connected, string? detail = null)
    {
        Tell(detail);
        _root.IsConnected = connected;
        _root._connections.Writer.TryWrite((connected, detail));
    }

    public IPayloadReceiver OpenPartition(string name)
    {
        Tell(name);
        return new ContractReceiver(_root);
    }

    internal async Task<Arrived> NextAsync(TimeSpan patience, string rule, string expected)
    {
        try
        {
            var next = await _messages.Reader.ReadAsync().AsTask().WaitAsync(patience).ConfigureAwait(false);
            Check(rule);
            return next;
        }
        catch (TimeoutException late)
        {
            Check(rule);
            throw new ContractException(rule, $"{expected} did not arrive in {patience}.", late);
        }
    }

    internal async Task UntilAsync(bool connected, TimeSpan patience, string rule)
    {
        // For all of them together: a transport that tells the other state again and again is given up as well.
        using var limit = new CancellationTokenSource(patience);
        try
        {
            while (true)
            {
                var (up, _) = await _connections.Reader.ReadAsync(limit.Token).ConfigureAwait(false);
                if (up == connected)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException late)
        {
            throw new ContractException(rule, $"ConnectionChanged({(connected ? "true" : "false")}) was not called in {patience}.", late);
        }
    }

    internal void Check(string rule)
    {
        if (_root.Broken is { } broken)
        {
            throw new ContractException(rule, broken + ".");
        }
    }

    private async ValueTask TakeAsync(Arrived message)
    {
        try
        {
            if (_root.AcknowledgesAtOnce)
            {
                message.Acknowledge();
            }

            _messages.Writer.TryWrite(message);
            if (_root.Gate is { } gate)
            {
                await gate(message).ConfigureAwait(false);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }

    private void Break(string what) => _root.Broken ??= what;

    private void Tell(string? text)
    {
        lock (_root._gate)
        {
            _root._told.Add(text ?? "");
        }
    }
}
