using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingest;

/// <summary>
/// A device with a kept session sends over a cable that is cut at every border between packets there is, in the first connection and again in the second: before a packet, which is lost, or behind it.
/// </summary>
public sealed class MqttIngestCutTests
{
    private const int Messages = 3;

    [Theory]
    [InlineData(4, 1)]
    [InlineData(5, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    [Trait("Requirement", "R55")]
    public async Task Wherever_a_connection_is_cut_nothing_is_lost_and_qos_2_comes_once(int level, int quality)
    {
        // An exchange without a cut: CONNECT, CONNACK, and two or four packets for each message.
        int packets = 2 + (Messages * (quality == 1 ? 2 : 4));
        var receiver = new Store();
        await using var server = IngestServer.Start(receiver);
        await using var proxy = new PacketProxy(server.Port);
        int run = 0;
        for (int first = 1; first <= packets; first++)
        {
            for (int second = 0; second <= packets; second++)
            {
                for (int kinds = 0; kinds < (second == 0 ? 2 : 4); kinds++)
                {
                    proxy.Plan([(first, (kinds & 1) != 0), (second, (kinds & 2) != 0)]);
                    string name = $"{first}-{second}-{kinds}";
                    await new Sender(proxy.Port, (Level)level, quality, $"run-{run++}", name, receiver).RunAsync();
                    for (int i = 0; i < Messages; i++)
                    {
                        int times = receiver.TimesOf($"{name}:{i}");
                        Assert.True(quality == 2 ? times == 1 : times >= 1, $"Cut {name}: message {i} came {times} times.");
                    }
                }
            }
        }
    }

    /// <summary>A device as the specification wants it: keeps what is not finished, and sends it again in order when it has connected again.</summary>
    private sealed class Sender(int port, Level level, int quality, string clientId, string name, Store receiver)
    {
        private enum State
        {
            New,
            Sent,
            Released,
            Done,
        }

        private readonly State[] _states = new State[Messages];

        internal async Task RunAsync()
        {
            for (int attempt = 0; _states.Any(s => s != State.Done); attempt++)
            {
                Assert.InRange(attempt, 0, 5);
                await ConnectAsync();
            }
        }

        private async Task ConnectAsync()
        {
            try
            {
                using var device = await Device.OpenAsync(port, level);
                await device.SendAsync(Packets.Connect(level, clientId, clean: false, properties: [17, 0, 0, 1, 0]));
                if (await device.ReadAsync() is not { First: 0x20, Body: var accepted })
                {
                    return;
                }

                Assert.Equal(0, accepted[1]);
                Assert.True(accepted[0] == 1 || _states.All(s => s == State.New), "The session was lost.");
                for (int i = 0; i < Messages; i++)
                {
                    await SendAsync(device, i);
                }

                // The server may see an earlier, cut connection's CONNECT only now: then that one takes the session over, and this one has to come again.
                while (_states.Any(s => s != State.Done) && await device.ReadAsync() is { } packet && packet is not (0xE0, [0x8E]))
                {
                    await AnswerAsync(device, packet.First, packet.Body[1] - 1);
                }

                if (_states.All(s => s == State.Done))
                {
                    await device.SendAsync(Packets.Disconnect);
                }
            }
            catch (SocketException)
            {
                // Cut while it was sending.
            }
        }

        private async Task SendAsync(Device device, int i)
        {
            bool repeated = _states[i] == State.Sent;
            if (_states[i] is State.New or State.Sent)
            {
                _states[i] = State.Sent;
                await device.SendAsync(Packets.Publish(level, "t", $"{name}:{i}", quality, i + 1, repeated));
            }
            else if (_states[i] == State.Released)
            {
                await device.SendAsync(Packets.Release(i + 1));
            }
        }

        private async Task AnswerAsync(Device device, byte kind, int i)
        {
            switch (kind)
            {
                case 0x40 or 0x50:
                    Assert.True(receiver.TimesOf($"{name}:{i}") > 0, "It was acknowledged, and is not there.");
                    _states[i] = kind == 0x40 ? State.Done : _states[i] == State.Done ? State.Done : State.Released;
                    if (kind == 0x50)
                    {
                        await device.SendAsync(Packets.Release(i + 1));
                    }

                    break;
                case 0x70:
                    _states[i] = State.Done;
                    break;
                default:
                    Assert.Fail($"A packet {kind:X2} came.");
                    break;
            }
        }
    }

    /// <summary>What came, and how often. Acknowledges on another thread, a little later, in order.</summary>
    private sealed class Store : IPayloadReceiver
    {
        private readonly Dictionary<string, int> _times = [];
        private Task _acknowledging = Task.CompletedTask;

        internal int TimesOf(string text)
        {
            lock (_times)
            {
                return _times.GetValueOrDefault(text);
            }
        }

        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
        {
            string text = Encoding.UTF8.GetString(payload.Bytes.FirstSpan);
            lock (_times)
            {
                _times[text] = _times.GetValueOrDefault(text) + 1;
                _acknowledging = _acknowledging.ContinueWith(_ => acknowledger!.Acknowledge(delivery!), TaskScheduler.Default);
            }

            return ValueTask.CompletedTask;
        }

        public void Reject(in Payload payload, DeadLetterReason reason, string detail) => throw new NotSupportedException();

        public void CountDuplicate()
        {
        }

        public void ConnectionChanged(bool connected, string? detail = null)
        {
        }
    }
}

/// <summary>Passes MQTT packets on, both ways, and cuts each connection where the plan says.</summary>
internal sealed class PacketProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly Task _accepting;
    private readonly Queue<(int Packet, bool IsPassed)> _plan = [];

    internal PacketProxy(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>For each of the next connections: at which of its packets it is cut (0: not), and whether that packet still gets through.</summary>
    internal void Plan((int Packet, bool IsPassed)[] cuts)
    {
        lock (_plan)
        {
            _plan.Clear();
            Array.ForEach(cuts, _plan.Enqueue);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _accepting;
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var device = await _listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                device.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, _target);
                (int Packet, bool IsPassed) cut;
                lock (_plan)
                {
                    cut = _plan.TryDequeue(out var planned) ? planned : default;
                }

                var cable = new Cable(device, server, cut.Packet == 0 ? int.MaxValue : cut.Packet, cut.IsPassed);
                _ = cable.PassAsync(device, server);
                _ = cable.PassAsync(server, device);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private sealed class Cable(Socket device, Socket server, int cutAt, bool isPassed)
    {
        private int _packets;

        internal async Task PassAsync(Socket from, Socket to)
        {
            try
            {
                var held = new List<byte>();
                byte[] buffer = new byte[4_096];
                int read;
                while ((read = await from.ReceiveAsync(buffer)) > 0)
                {
                    held.AddRange(buffer.AsSpan(0, read));

                    // All packets here are shorter than 128 bytes.
                    while (held.Count >= 2 && held.Count >= 2 + held[1])
                    {
                        byte[] packet = [.. held[..(2 + held[1])]];
                        held.RemoveRange(0, packet.Length);
                        int number = Interlocked.Increment(ref _packets);
                        if (number < cutAt || (number == cutAt && isPassed))
                        {
                            await to.SendAsync(packet);
                        }

                        if (number >= cutAt)
                        {
                            Cut();
                            return;
                        }
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
            }

            Cut();
        }

        private void Cut()
        {
            device.Dispose();
            server.Dispose();
        }
    }
}
