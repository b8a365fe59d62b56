using System.Buffers.Binary;

namespace IoT.Cep;

/// <summary>
/// What goes to a client: packets gather in one buffer while another is sent, so that many acknowledgements leave in one call. Whoever adds a packet does not
/// send it; a thread of the pool does. Bounded: who reads the connection looks at <see cref="IsFull"/> and waits.
/// </summary>
/// <param name="link">The connection's bytes.</param>
/// <param name="connection">Told when sending fails.</param>
/// <param name="buffers">Where buffers come from.</param>
internal sealed class IngestOutput(Link link, IngestConnection connection, BufferPool buffers) : IThreadPoolWorkItem
{
    /// <summary>Thousands of acknowledgements, or a handful of commands: whoever is that far behind isn't reading.</summary>
    private const int FullAt = 32_768;

    private readonly Lock _gate = new();
    private byte[]? _filling;
    private int _count;
    private bool _isSending;
    private bool _isClosed;
    private Waiter? _room;
    private TaskCompletionSource? _empty;

    internal bool IsFull => Volatile.Read(ref _count) >= FullAt;

    /// <summary>Since when the present call has been sending, in the endpoint's milliseconds; 0: nothing is being sent.</summary>
    internal long SendingSince { get; private set; }

    /// <summary>Adds an acknowledgement or release.</summary>
    /// <param name="type">The packet's type.</param>
    /// <param name="packetId">The message's id.</param>
    /// <param name="reason">The reason; told in MQTT 5 only.</param>
    internal void Answer(byte type, ushort packetId, MqttReason reason)
    {
        bool tells = reason != MqttReason.Success && connection.IsVersion5;
        lock (_gate)
        {
            var packet = Reserve(tells ? 5 : 4);
            if (packet.IsEmpty)
            {
                return;
            }

            packet[0] = (byte)(type == MqttPacketType.PubRel ? type | 2 : type);
            packet[1] = (byte)(tells ? 3 : 2);
            BinaryPrimitives.WriteUInt16BigEndian(packet[2..], packetId);
            if (tells)
            {
                packet[4] = (byte)reason;
            }

            Schedule();
        }
    }

    /// <summary>Adds a whole packet.</summary>
    internal void Add(ReadOnlySpan<byte> packet)
    {
        lock (_gate)
        {
            var reserved = Reserve(packet.Length);
            if (!reserved.IsEmpty)
            {
                packet.CopyTo(reserved);
                Schedule();
            }
        }
    }

    /// <summary>Adds a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="packetId">Its id; 0: QoS 0.</param>
    /// <param name="isRepeated">Whether it was sent before.</param>
    /// <returns>False where the client takes none that large.</returns>
    internal bool Publish(Command command, ushort packetId, bool isRepeated)
    {
        int body = 2 + command.Topic.Length + (packetId != 0 ? 2 : 0) + (connection.IsVersion5 ? 1 : 0) + command.Payload.Length;
        int header = body < 128 ? 2 : body < 16_384 ? 3 : body < 2_097_152 ? 4 : 5;
        if (header + body > connection.MaxCommandBytes)
        {
            return false;
        }

        lock (_gate)
        {
            var packet = Reserve(header + body);
            if (packet.IsEmpty)
            {
                return true;
            }

            packet[0] = (byte)(MqttPacketType.Publish | (packetId != 0 ? 2 : 0) | (isRepeated && packetId != 0 ? 8 : 0));
            int at = 1;
            for (int rest = body; ; rest >>= 7)
            {
                packet[at++] = (byte)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
                if (rest <= 0x7F)
                {
                    break;
                }
            }

            BinaryPrimitives.WriteUInt16BigEndian(packet[at..], (ushort)command.Topic.Length);
            command.Topic.CopyTo(packet[(at + 2)..]);
            at += 2 + command.Topic.Length;
            if (packetId != 0)
            {
                BinaryPrimitives.WriteUInt16BigEndian(packet[at..], packetId);
                at += 2;
            }

            if (connection.IsVersion5)
            {
                packet[at++] = 0;
            }

            command.Payload.CopyTo(packet[at..]);
            Schedule();
            return true;
        }
    }

    /// <summary>Waits until what has gathered has been sent, or can't be.</summary>
    internal ValueTask WaitForRoomAsync(Waiter waiter)
    {
        lock (_gate)
        {
            if (_count < FullAt || _isClosed)
            {
                return ValueTask.CompletedTask;
            }

            _room = waiter;
            return waiter.Begin();
        }
    }

    /// <summary>Completes when all that was added has been sent, or can't be.</summary>
    internal Task SentAsync()
    {
        lock (_gate)
        {
            if (!_isSending || _isClosed)
            {
                return Task.CompletedTask;
            }

            return (_empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Takes nothing more, and drops what is there.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            _count = 0;
            if (_filling is not null)
            {
                buffers.Return(_filling);
                _filling = null;
            }

            Settle();
        }
    }

    public void Execute() => _ = SendAsync();

    // The caller holds the gate.
    private Span<byte> Reserve(int length)
    {
        if (_isClosed)
        {
            return default;
        }

        if (_filling is null || _filling.Length - _count < length)
        {
            byte[] larger = buffers.Rent(Math.Max(_count + length, _filling is null ? 0 : _filling.Length * 2));
            if (_filling is not null)
            {
                _filling.AsSpan(0, _count).CopyTo(larger);
                buffers.Return(_filling);
            }

            _filling = larger;
        }

        var reserved = _filling.AsSpan(_count, length);
        Volatile.Write(ref _count, _count + length);
        return reserved;
    }

    private void Schedule()
    {
        if (!_isSending)
        {
            _isSending = true;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    // Almost always a socket takes all at once, and nothing is awaited.
    private async Task SendAsync()
    {
        while (TakeFilled() is { Buffer: { } sending } taken)
        {
            try
            {
                await link.SendAsync(sending.AsMemory(0, taken.Count)).ConfigureAwait(false);
            }
            catch (Exception e) when (MqttFailure.IsTransient(e) || e is InvalidOperationException or System.Net.WebSockets.WebSocketException)
            {
                Close();
                connection.Abort();
            }

            SendingSince = 0;
            buffers.Return(sending);
            connection.Session?.PumpCommands();
        }
    }

    private (byte[]? Buffer, int Count) TakeFilled()
    {
        lock (_gate)
        {
            var taken = (_filling, _count);
            _filling = null;
            _count = 0;
            _isSending = taken._filling is not null && taken._count > 0;
            SendingSince = _isSending ? connection.Now : 0;
            Signal();
            if (!_isSending)
            {
                Settle();
                if (taken._filling is not null)
                {
                    buffers.Return(taken._filling);
                }

                return default;
            }

            return taken;
        }
    }

    private void Settle()
    {
        Signal();
        _empty?.TrySetResult();
        _empty = null;
    }

    private void Signal()
    {
        var room = _room;
        _room = null;
        room?.Signal();
    }
}
