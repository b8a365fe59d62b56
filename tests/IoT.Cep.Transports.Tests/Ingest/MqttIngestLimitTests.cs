using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.Ingest;

public sealed class MqttIngestLimitTests
{
    [Fact]
    public async Task A_silent_client_is_cut_after_one_and_a_half_of_its_keep_alives()
    {
        var time = new FakeTimeProvider();
        await using var server = IngestServer.Start(new Collector(), time: time);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "c", keepAlive: 10);
        await ReadsAsync(device);
        time.Advance(TimeSpan.FromSeconds(14));
        await ReadsAsync(device);
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.Equal([0x8D], await device.NextAsync(0xE0));
        Assert.Equal(1, server.Endpoint.Statistics.Cut);

        async Task ReadsAsync(Device device)
        {
            await device.SendAsync(Packets.Ping);
            await device.NextAsync(0xD0);
        }
    }

    [Fact]
    public async Task A_client_that_does_not_say_who_it_is_is_cut()
    {
        var time = new FakeTimeProvider();
        await using var server = IngestServer.Start(new Collector(), time: time);
        using var device = await Device.OpenAsync(server.Port);
        await device.SendAsync([0x10]);
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 1);
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.Null(await device.ReadAsync());
    }

    [Fact]
    public async Task A_packet_that_comes_a_byte_at_a_time_is_cut_however_often_a_byte_comes()
    {
        var time = new FakeTimeProvider();
        await using var server = IngestServer.Start(new Collector(), time: time);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "c", keepAlive: 60);
        await device.SendAsync(Packets.Ping, [0x30, 0xE8, 0x07, 0, 1]);
        await device.NextAsync(0xD0);

        // It has 1,000 bytes, for which there are 5 s and as long again; after these the next look cuts it, and it does not get to its end.
        int sent = 2;
        await IngestServer.UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            if (sent < 900 && device.TrySend((byte)'a'))
            {
                sent++;
            }

            return server.Endpoint.Statistics.Cut == 1;
        });
        Assert.InRange(sent, 5, 900);
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics is { Connections: 0, Cut: 1, Received: 0 });
    }

    [Fact]
    public async Task Clients_that_send_garbage_or_stay_half_open_do_not_keep_out_others()
    {
        await using var server = IngestServer.Start(new Collector(), o => (o.MaxConnecting, o.MaxConnections) = (5, 7));
        using var good = await Device.ConnectAsync(server.Port, Level.V311, "good");
        var silent = new List<Device>();
        for (int i = 0; i < 10; i++)
        {
            silent.Add(await Device.OpenAsync(server.Port));
        }

        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Refused == 5);
        Assert.Equal(6, server.Endpoint.Statistics.Connections);
        await good.SendAsync(Packets.Ping);
        await good.NextAsync(0xD0);
        silent.ForEach(s => s.Dispose());
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 1);
        using var next = await Device.ConnectAsync(server.Port, Level.V311, "next");
    }

    [Fact]
    public async Task Who_is_cut_and_refused_is_told_in_one_line_each_ten_seconds()
    {
        var time = new FakeTimeProvider();
        var log = new Lines();
        await using var server = IngestServer.Start(new Collector(), time: time, logger: log);
        byte[] garbage = [0x10, 5, 1, 2, 3, 4, 27];
        for (int second = 0; second < 60; second++)
        {
            for (int i = 0; i < 10; i++)
            {
                await server.ExchangeAsync(garbage);
            }

            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(600, server.Endpoint.Statistics.Cut);
        Assert.InRange(log.Warnings.Count, 1, 7);
        Assert.All(log.Warnings, line => Assert.DoesNotContain(line, char.IsControl));
    }

    [Fact]
    public async Task A_client_that_takes_nothing_of_what_is_sent_to_it_is_cut()
    {
        var time = new FakeTimeProvider();
        await using var server = IngestServer.Start(new Collector(), time: time);
        using var device = await Device.ConnectAsync(server.Port, Level.V311, "c");
        byte[] pings = [.. Enumerable.Repeat(Packets.Ping, 4_096).SelectMany(p => p)];
        var sending = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    await device.SendAsync(pings);
                }
            }
            catch (SocketException)
            {
            }
        });

        // It sends without end and takes no answer, until nothing goes any more.
        await IngestServer.UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return sending.IsCompleted;
        });
        await sending.WaitAsync(Collector.Patience);
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 0);
        Assert.Equal(1, server.Endpoint.Statistics.Cut);
    }

    [Fact]
    public async Task A_session_ends_when_its_time_is_over()
    {
        var time = new FakeTimeProvider();
        await using var server = IngestServer.Start(new Collector(), time: time);
        (await Device.ConnectAsync(server.Port, Level.V5, "c", clean: true, properties: [17, .. Packets.Four(60)])).Dispose();
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 0);
        Assert.Equal(1, server.Endpoint.Statistics.Sessions);
        time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(1, server.Endpoint.Statistics.Sessions);
        time.Advance(TimeSpan.FromSeconds(20));
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Sessions == 0);
    }

    [Fact]
    public async Task An_address_that_others_can_reach_needs_security()
    {
        var error = Assert.Throws<InvalidOperationException>(() => new MqttIngestEndpoint(new MqttIngestOptions { Address = IPAddress.Any }));
        Assert.Contains("set Password", error.Message, StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_WebSocket_carries_the_same_protocol()
    {
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var accepted = await listener.AcceptTcpClientAsync();
        using var device = WebSocket.CreateFromStream(client.GetStream(), new WebSocketCreationOptions { IsServer = false });
        var serving = server.Endpoint.AcceptAsync(
            WebSocket.CreateFromStream(accepted.GetStream(), new WebSocketCreationOptions { IsServer = true }), new MqttIngestPeer(IPAddress.Loopback, IsEncrypted: true));
        byte[] stream = MqttIngestPacketTests.Conversation(Level.V5);
        foreach (byte[] part in stream.Chunk(7))
        {
            await device.SendAsync(part.AsMemory(), WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
        }

        Assert.Equal(["one", "two", new string('x', 200), "last"], (await collector.TakeAsync(4)).Select(m => m.Text));
        byte[] answers = new byte[4_096];
        int read = 0;
        while (await device.ReceiveAsync(answers.AsMemory(read), CancellationToken.None) is { MessageType: WebSocketMessageType.Binary } part)
        {
            read += part.Count;
        }

        Assert.EndsWith("D000", Convert.ToHexString(answers.AsSpan(0, read)), StringComparison.Ordinal);
        await device.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        await serving.WaitAsync(Collector.Patience);
    }

    private sealed class Lines : ILogger
    {
        internal List<string> Warnings { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Warnings)
            {
                Warnings.Add(formatter(state, exception));
            }
        }
    }
}
