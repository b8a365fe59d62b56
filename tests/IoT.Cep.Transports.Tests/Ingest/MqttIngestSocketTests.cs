using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingest;

/// <summary>What has to hold of memory, whose count is the whole process's: nothing else runs beside these.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(Alone))]
public sealed class MqttIngestAllocationTests
{
    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 1)]
    [InlineData(5, 0)]
    [InlineData(5, 1)]
    [InlineData(5, 2)]
    public async Task A_message_allocates_nothing_between_the_socket_and_the_receiver(int level, int quality)
    {
        const int Batch = 500, Warm = 60, Measured = 40, Rounds = 10;
        using var counter = new Counter();
        await using var server = IngestServer.Start(counter);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        // Connected without await: a socket that was awaited once allocates each time a blocking call has to wait, and this side is not what is measured.
#pragma warning disable CA1849
        socket.Connect(IPAddress.Loopback, server.Port);
#pragma warning restore CA1849
        socket.Send(Packets.Connect((Level)level, "device"));
        byte[] scrap = new byte[65_536];
        Assert.NotEqual(0, socket.Receive(scrap));

        var packets = new List<byte>();
        for (int i = 0; i < Batch; i++)
        {
            packets.AddRange(Packets.Publish((Level)level, $"plant/{i % 20}/temperature", "{\"celsius\":21.5,\"time\":\"2026-01-01T00:00:00Z\"}", quality, packetId: i + 1));
        }

        if (quality == 2)
        {
            packets.AddRange(Enumerable.Range(1, Batch).SelectMany(Packets.Release));
        }

        byte[] batch = [.. packets];
        int answers = Batch * (quality == 0 ? 0 : quality == 1 ? 4 : 8);
        long target = 0;
        Send(Warm);

        // What grows with the number of messages that are under way at once (buffers, a lock's first wait) may grow at any time, but once; so one whole round is asked for in which nothing is
        // made for a message. On a busy machine the runtime's own timers and threads make an object or two meanwhile: less than the smallest object for every thousandth message.
        const long Most = 24 * Batch * Measured / 1_000;
        var allocated = new List<long>(Rounds);
        do
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Send(Measured);
            allocated.Add(GC.GetTotalAllocatedBytes(precise: true) - before);
        }
        while (allocated[^1] >= Most && allocated.Count < Rounds);
        Assert.True(allocated[^1] < Most, $"Bytes in each round of {Batch * Measured} messages: {string.Join(", ", allocated)}.");

        void Send(int times)
        {
            for (int i = 0; i < times; i++)
            {
                for (int sent = 0; sent < batch.Length;)
                {
                    sent += socket.Send(batch, sent, batch.Length - sent, SocketFlags.None);
                }

                target += Batch;
                counter.WaitFor(target);
                for (int read = 0; read < answers;)
                {
                    read += socket.Receive(scrap);
                }
            }
        }
    }

    [Fact]
    public async Task Ten_thousand_clients_are_connected_at_once_and_cost_little()
    {
        const int Wanted = 10_000;

        // Both ends of each connection are in this process.
        int clients = Math.Min(Wanted, (OpenFiles() - 500) / 2);
        using var counter = new Counter();
        await using var server = IngestServer.Start(counter, o => (o.MaxConnecting, o.ConnectionBacklog) = (Wanted, 4_096));
        var devices = new List<Device>(clients);
        for (int i = 0; i < clients; i++)
        {
            devices.Add(await Device.ConnectAsync(server.Port, Level.V311, $"device-{i}"));
        }

        Assert.Equal(clients, server.Endpoint.Statistics.Connections);
        byte[] message = Packets.Publish(Level.V311, "plant/1/temperature", "21.5");
        foreach (var device in devices)
        {
            await device.SendAsync(message);
        }

        counter.WaitFor(clients);
        devices.ForEach(d => d.Dispose());
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 0);
        Assert.Equal(0, server.Endpoint.Statistics.Sessions);
    }

    private static int OpenFiles()
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "ulimit -n"]) { RedirectStandardOutput = true })!;
        string answer = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return int.TryParse(answer, out int most) ? most : RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? 30_000 : 1_024;
    }
}

public sealed class MqttIngestSocketTests
{
    [Fact]
    public async Task While_the_engine_holds_back_no_socket_is_read_and_nothing_is_lost()
    {
        const int Devices = 4, Each = 20_000;
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var collector = new Collector { Gate = () => new ValueTask(open.Task) };
        await using var server = IngestServer.Start(collector);
        var devices = new System.Collections.Concurrent.ConcurrentBag<Device>();
        int settled = 0;
        var sending = Enumerable.Range(0, Devices).Select(SendAsync).ToArray();

        // One message is with the receiver, and the senders fill the network's buffers until they can't send, or have sent all.
        await collector.NextAsync();
        await IngestServer.UntilAsync(() => Volatile.Read(ref settled) == Devices || devices.Count(d => d.IsBlocked) + Volatile.Read(ref settled) >= Devices);
        Assert.True(collector.IsEmpty);
        Assert.Contains(sending, s => !s.IsCompleted);
        Assert.Equal(1, server.Endpoint.Statistics.Received);

        open.SetResult();
        await Task.WhenAll(sending).WaitAsync(Collector.Patience);
        var rest = await collector.TakeAsync((Devices * Each) - 1);
        Assert.All(rest.GroupBy(r => r.Topic), g => Assert.Equal(g.Select(r => r.Text).Order(StringComparer.Ordinal), g.Select(r => r.Text)));

        async Task SendAsync(int device)
        {
            using var client = await Device.ConnectAsync(server.Port, Level.V311, $"device-{device}");
            devices.Add(client);
            string filler = new('x', 200);
            for (int i = 0; i < Each; i++)
            {
                await client.SendAsync(Packets.Publish(Level.V311, $"t/{device}", $"{i:D6} {filler}"));
            }

            await client.SendAsync(Packets.Ping);
            Interlocked.Increment(ref settled);
            await client.NextAsync(0xD0);
        }
    }

    [Fact]
    public async Task Acknowledgements_wait_for_the_engine_and_come_in_order()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector);
        using var device = await Device.ConnectAsync(server.Port, Level.V311, "device");
        await device.SendAsync(Packets.Publish(Level.V311, "a", "1", 1, 1), Packets.Publish(Level.V311, "a", "2", 2, 2), Packets.Publish(Level.V311, "a", "3", 1, 3), Packets.Ping);
        var messages = await collector.TakeAsync(3);

        // Nothing came before the answer to the ping behind them.
        await device.NextAsync(0xD0);
        messages[2].Acknowledge();
        messages[1].Acknowledge();
        messages[0].Acknowledge();
        Assert.Equal([0, 1], await device.NextAsync(0x40));
        Assert.Equal([0, 2], await device.NextAsync(0x50));
        Assert.Equal([0, 3], await device.NextAsync(0x40));
    }

    [Fact]
    public async Task A_dead_letter_is_told_to_a_client_of_version_5()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "device");
        await device.SendAsync(Packets.Publish(Level.V5, "a", "1", 2, 7));
        var message = await collector.NextAsync();
        message.Acknowledger!.Rejected(message.Delivery!, DeadLetterReason.Malformed, "not JSON");
        message.Acknowledge();
        Assert.Equal([0, 7, 0x99], await device.NextAsync(0x50));

        // The exchange has ended: the id is free.
        await device.SendAsync(Packets.Publish(Level.V5, "a", "2", 2, 7));
        Assert.Equal("2", (await collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_client_of_version_5_with_more_under_way_than_it_may_have_is_cut()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector, o => o.ReceiveMaximum = 3);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "device");
        for (int i = 1; i <= 4; i++)
        {
            await device.SendAsync(Packets.Publish(Level.V5, "a", "x", 1, i));
        }

        Assert.Equal([0x93], await device.NextAsync(0xE0));
        Assert.Null(await device.ReadAsync());
    }

    [Fact]
    public async Task A_client_of_version_3_with_as_many_under_way_is_read_on_when_they_are_acknowledged()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start(collector, o => o.ReceiveMaximum = 3);
        using var device = await Device.ConnectAsync(server.Port, Level.V311, "device");
        for (int i = 1; i <= 8; i++)
        {
            await device.SendAsync(Packets.Publish(Level.V311, "a", "x", 1, i));
        }

        for (int i = 1; i <= 8; i++)
        {
            (await collector.NextAsync()).Acknowledge();
            Assert.Equal([0, (byte)i], await device.NextAsync(0x40));
        }
    }

    [Fact]
    public async Task Sources_share_an_endpoint_by_template_and_overlapping_ones_get_a_message_each()
    {
        var one = new Collector { AcknowledgeAtOnce = false };
        var two = new Collector { AcknowledgeAtOnce = false };
        await using var server = IngestServer.Start([("plant/{line}/{sensor}", one), ("plant/7/#", two)]);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "device");
        await device.SendAsync(Packets.Publish(Level.V5, "/plant/7/temperature", "both", 1, 1), Packets.Publish(Level.V5, "plant/8/x", "one", 1, 2), Packets.Publish(Level.V5, "other", "none", 1, 3));
        var first = await one.NextAsync();
        Assert.Equal("plant/7/temperature", first.Topic);
        first.Acknowledge();
        (await one.NextAsync()).Acknowledge();
        await device.SendAsync(Packets.Ping);
        await device.NextAsync(0xD0);
        (await two.NextAsync()).Acknowledge();
        Assert.Equal([0, 1], await device.NextAsync(0x40));
        Assert.Equal([0, 2], await device.NextAsync(0x40));
        Assert.Equal([0, 3, 0x10], await device.NextAsync(0x40));
        Assert.Equal(1, server.Endpoint.Statistics.Unmatched);
    }

    [Fact]
    public async Task The_announced_limits_are_those_of_the_options()
    {
        await using var server = IngestServer.Start(new Collector(), o => (o.ReceiveMaximum, o.MaxKeepAlive, o.RefuseRetained, o.MaxPacketBytes) = (7, TimeSpan.FromSeconds(90), true, 4096));
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "", keepAlive: 0, properties: [17, 0xFF, 0xFF, 0xFF, 0xFF]);
        string properties = Convert.ToHexString(device.Accepted.AsSpan(3));
        Assert.StartsWith("1100015180" + "210007" + "2700001000" + "2500" + "120025" + Convert.ToHexString("auto-"u8), properties, StringComparison.Ordinal);
        Assert.EndsWith("220010" + "13005A" + "2900" + "2A00", properties, StringComparison.Ordinal);
        await device.SendAsync(Packets.Publish(Level.V5, "a", "x", retained: true));
        Assert.Equal([0x9A], await device.NextAsync(0xE0));
    }
}
