using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep;

/// <summary>Each fault breaks a rule, and only a transport without faults passes.</summary>
public sealed class ContractTests
{
    public enum Fault
    {
        None,
        NameChanges,
        Queues,
        HandsOverTwoAtOnce,
        ReusesMemoryDuringTheCall,
        SwallowsTheReceiversErrors,
        PausesByTheWallClock,
        PausesAreAllTheSame,
        DoesNotConnectAgain,
        DoesNotTellTheLoss,
        DoesNotStop,
        ShowsTopicsRaw,
        Reverses,
    }

    [Theory]
    [InlineData(Fault.None, null)]
    [InlineData(Fault.NameChanges, "The name is stable")]
    [InlineData(Fault.Queues, "A receiver that waits holds the sender up")]
    [InlineData(Fault.HandsOverTwoAtOnce, "One message is handed over at a time")]
    [InlineData(Fault.ReusesMemoryDuringTheCall, "Messages of every length arrive")]
    [InlineData(Fault.SwallowsTheReceiversErrors, "An exception of the receiver ends the run")]
    [InlineData(Fault.PausesByTheWallClock, "The clock spaces attempts to connect, by pauses that differ")]
    [InlineData(Fault.PausesAreAllTheSame, "The clock spaces attempts to connect, by pauses that differ")]
    [InlineData(Fault.DoesNotConnectAgain, "It connects again and goes on")]
    [InlineData(Fault.DoesNotTellTheLoss, "The state of the connection is told")]
    [InlineData(Fault.DoesNotStop, "It stops within a bound, whatever it does")]
    [InlineData(Fault.ShowsTopicsRaw, "Hostile topics and payloads do no harm")]
    [InlineData(Fault.Reverses, "Messages arrive whole and in order")]
    public async Task A_fault_breaks_its_rule(Fault fault, string? rule)
    {
        if (rule is null)
        {
            await TransportContract.CheckAllAsync(() => new Fixture(fault));
            return;
        }

        var error = await Assert.ThrowsAsync<ContractException>(() => TransportContract.CheckAsync(rule, () => new Fixture(fault)));
        Assert.Equal(rule, error.Rule);
        Assert.Contains(rule, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rule_that_is_not_there_is_refused() =>
        await Assert.ThrowsAsync<ArgumentException>(() => TransportContract.CheckAsync("no such rule", () => new Fixture(Fault.None)));

    /// <summary>Messages as lines of "topic payload" in base 64.</summary>
    private sealed class Fixture(Fault fault) : TransportFixture
    {
        private readonly TcpListener _server = new(IPAddress.Loopback, 0);
        private LoopbackProxy? _proxy;
        private Socket? _client;

        public override LoopbackProxy? Proxy => _proxy;

        // A broken one is waited for; a whole one is quicker.
        public override TimeSpan Patience => fault == Fault.None ? TimeSpan.FromSeconds(30) : TimeSpan.FromSeconds(5);

        public override ValueTask<ITransport> StartAsync(CancellationToken stop)
        {
            _server.Start();
            _proxy = new LoopbackProxy(((IPEndPoint)_server.LocalEndpoint).Port);
            return new ValueTask<ITransport>(new Faulty(_proxy.Port, fault));
        }

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            while (_client is null || _server.Pending() || (_client.Poll(0, SelectMode.SelectRead) && _client.Available == 0))
            {
                _client?.Dispose();
                _client = await _server.AcceptSocketAsync(stop);
            }

            await _client.SendAsync(Encoding.UTF8.GetBytes($"{Convert.ToBase64String(Encoding.UTF8.GetBytes(topic))} {Convert.ToBase64String(payload.Span)}\n"), stop);
        }

        public override async ValueTask DisposeAsync()
        {
            _client?.Dispose();
            _server.Dispose();
            await _proxy!.DisposeAsync();
        }
    }

    private sealed class Faulty(int port, Fault fault) : ITransport
    {
        private int _received;

        public string Name => fault == Fault.NameChanges ? $"faulty {_received}" : "faulty";

        public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
        {
            var backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
            while (!stop.IsCancellationRequested)
            {
                using var client = new TcpClient();
                try
                {
                    await client.ConnectAsync(IPAddress.Loopback, port, stop);
                    receiver.ConnectionChanged(true);
                    await ReadAsync(client, receiver, context, stop);
                }
                catch (Exception e) when (e is IOException or SocketException or OperationCanceledException || fault == Fault.SwallowsTheReceiversErrors)
                {
                }

                if (fault != Fault.DoesNotTellTheLoss)
                {
                    receiver.ConnectionChanged(false);
                }

                if (fault == Fault.DoesNotConnectAgain)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
                }

                var pause = fault == Fault.PausesAreAllTheSame ? TimeSpan.FromSeconds(1) : backoff.Next();
                var clock = fault == Fault.PausesByTheWallClock || context.TimeProvider == TimeProvider.System ? TimeProvider.System : context.TimeProvider;
                pause = clock == TimeProvider.System ? TimeSpan.FromMilliseconds(20) : pause;
                await Task.Delay(pause, clock, fault == Fault.DoesNotStop ? CancellationToken.None : stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (fault == Fault.DoesNotStop && stop.IsCancellationRequested)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None);
                }
            }
        }

        private async Task ReadAsync(TcpClient client, IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
        {
            using var reader = new StreamReader(client.GetStream());
            var queue = Channel.CreateUnbounded<string>();
            if (fault is Fault.Queues)
            {
                _ = Task.Run(async () =>
                {
                    await foreach (string line in queue.Reader.ReadAllAsync(stop))
                    {
                        await TakeAsync(line, receiver, context);
                    }
                }, stop);
            }

            string? held = null;
            while (await reader.ReadLineAsync(stop) is { } line)
            {
                if (fault == Fault.Reverses && held is null)
                {
                    held = line;
                    continue;
                }

                if (fault == Fault.Queues)
                {
                    await queue.Writer.WriteAsync(line, stop);
                }
                else
                {
                    await TakeAsync(line, receiver, context);
                    held = held is null ? null : await TakeHeldAsync(held, receiver, context);
                }
            }
        }

        private async Task<string?> TakeHeldAsync(string held, IPayloadReceiver receiver, ConnectionContext context)
        {
            await TakeAsync(held, receiver, context);
            return null;
        }

        private async Task TakeAsync(string line, IPayloadReceiver receiver, ConnectionContext context)
        {
            _received++;
            string[] parts = line.Split(' ');
            string topic = Encoding.UTF8.GetString(Convert.FromBase64String(parts[0]));
            byte[] bytes = Convert.FromBase64String(parts[1]);
            if (fault == Fault.ShowsTopicsRaw)
            {
                receiver.ConnectionChanged(true, $"message of {topic}");
            }

            if (fault == Fault.ReusesMemoryDuringTheCall && bytes.Length > 10_000)
            {
                bytes[5000] ^= 1;
            }

            var taken = receiver.ReceiveAsync(new Payload(new ReadOnlySequence<byte>(bytes), topic));
            if (fault != Fault.HandsOverTwoAtOnce)
            {
                await taken;
            }
        }
    }
}
