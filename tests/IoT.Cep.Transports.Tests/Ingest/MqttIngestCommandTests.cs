using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.Ingest;

public sealed class MqttIngestCommandTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_command_reaches_the_devices_that_subscribed_and_no_other(int level)
    {
        await using var server = IngestServer.Start(new Collector());
        var sink = await OpenAsync(server.Endpoint);
        using var one = await SubscribedAsync(server, (Level)level, "one", "cmd/one/#");
        using var two = await SubscribedAsync(server, (Level)level, "two", "cmd/two/+", "cmd/+/all");
        await WriteAsync(sink, ("cmd/one", "1"), ("cmd/two/all", "2"), ("cmd/one/all", "3"));
        Assert.Equal(("cmd/one", "1", 1), await CommandAsync(one));
        Assert.Equal(("cmd/one/all", "3", 2), await CommandAsync(one));
        Assert.Equal(("cmd/two/all", "2", 1), await CommandAsync(two));
        Assert.Equal(("cmd/one/all", "3", 2), await CommandAsync(two));
        await one.SendAsync(Packets.Packet(0x40, 0, 1), Packets.Packet(0x40, 0, 2), Packets.Ping);
        await one.NextAsync(0xD0);
        Assert.Equal(2, server.Endpoint.Statistics.CommandsAcknowledged);
    }

    [Fact]
    public async Task A_command_for_nobody_is_a_dead_letter()
    {
        await using var server = IngestServer.Start(new Collector());
        var sink = await OpenAsync(server.Endpoint);
        var error = await Assert.ThrowsAsync<SinkRejectedException>(() => WriteAsync(sink, ("cmd/nobody", "1")));
        Assert.Contains("has subscribed to 'cmd/nobody'", error.Message, StringComparison.Ordinal);
        Assert.Contains("wildcard", (await Assert.ThrowsAsync<SinkRejectedException>(() => WriteAsync(sink, ("cmd/#", "1")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_wait_for_a_kept_session_and_unacknowledged_ones_come_again()
    {
        await using var server = IngestServer.Start(new Collector(), o => o.MaxCommandsPerClient = 3);
        var sink = await OpenAsync(server.Endpoint);
        using (var device = await SubscribedAsync(server, Level.V311, "c", "cmd"))
        {
            await WriteAsync(sink, ("cmd", "1"));
            Assert.Equal(("cmd", "1", 1), await CommandAsync(device));
            device.Cut();
        }

        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 0);
        await WriteAsync(sink, ("cmd", "2"), ("cmd", "3"), ("cmd", "4"));
        await Assert.ThrowsAsync<SinkRejectedException>(() => WriteAsync(sink, ("cmd", "5")));
        Assert.Equal(1, server.Endpoint.Statistics.CommandsDropped);

        using var again = await Device.ConnectAsync(server.Port, Level.V311, "c", clean: false);
        var (first, body) = (await again.ReadAsync()).GetValueOrDefault();
        Assert.Equal(0x3A, first);
        Assert.Equal("1", Encoding.UTF8.GetString(body.AsSpan(7)));
        for (int i = 2; i <= 4; i++)
        {
            Assert.Equal(("cmd", $"{i}", i), await CommandAsync(again));
        }
    }

    [Fact]
    public async Task A_device_is_sent_no_more_commands_at_once_than_it_takes()
    {
        await using var server = IngestServer.Start(new Collector());
        var sink = await OpenAsync(server.Endpoint);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "c", properties: [33, 0, 2]);
        await device.SendAsync(Packets.Subscribe(Level.V5, 1, ("cmd", 1)));
        await device.NextAsync(0x90);
        await WriteAsync(sink, ("cmd", "1"), ("cmd", "2"), ("cmd", "3"));
        Assert.Equal(("cmd", "1", 1), await CommandAsync(device));
        Assert.Equal(("cmd", "2", 2), await CommandAsync(device));
        await device.SendAsync(Packets.Ping);
        await device.NextAsync(0xD0);
        await device.SendAsync(Packets.Packet(0x40, 0, 1));
        Assert.Equal(("cmd", "3", 3), await CommandAsync(device));
    }

    [Fact]
    public async Task A_command_larger_than_its_device_takes_is_left_out_and_the_next_one_comes()
    {
        await using var server = IngestServer.Start(new Collector());
        var sink = await OpenAsync(server.Endpoint);
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "c", properties: [39, 0, 0, 0, 20]);
        await device.SendAsync(Packets.Subscribe(Level.V5, 1, ("cmd", 1)));
        await device.NextAsync(0x90);
        await WriteAsync(sink, ("cmd", new string('x', 30)), ("cmd", "small"));
        Assert.Equal("small", (await CommandAsync(device)).Text);
        Assert.Equal(1, server.Endpoint.Statistics.CommandsDropped);
    }

    [Fact]
    public async Task Filters_are_authorized_and_bounded()
    {
        var security = new ListenerSecurity { Authorize = (_, action, resource) => new(action != AccessAction.Subscribe || resource.StartsWith("cmd/", StringComparison.Ordinal)) };
        await using var server = IngestServer.Start(new Collector(), o => (o.Security, o.MaxSubscriptionsPerClient) = (security, 2));
        using var device = await Device.ConnectAsync(server.Port, Level.V5, "c");
        await device.SendAsync(Packets.Subscribe(Level.V5, 1, ("cmd/a", 2), ("other", 1), ("$share/g/cmd/a", 1), ("cmd/b", 0), ("cmd/c", 0), ("cmd/#/x", 0)));
        Assert.Equal([0, 1, 0, 1, 0x87, 0x9E, 0, 0x97, 0x8F], await device.NextAsync(0x90));
    }

    private static async Task<IAsyncSink<(string Topic, string Text)>> OpenAsync(MqttIngestEndpoint endpoint)
    {
        var sink = (IAsyncSink<(string Topic, string Text)>)endpoint.Publish<(string Topic, string Text)>(m => m.Topic, m => m.Text);
        await sink.OpenAsync(new SinkContext(TimeProvider.System, new Connections(), NullLogger.Instance, HasIdentity: false), CancellationToken.None);
        return sink;
    }

    private static Task WriteAsync(IAsyncSink<(string Topic, string Text)> sink, params (string Topic, string Text)[] commands) =>
        sink.WriteAsync(new SinkBatch<(string, string)> { Events = commands, Ticks = new long[commands.Length] }, CancellationToken.None).AsTask().WaitAsync(Collector.Patience);

    private static async Task<Device> SubscribedAsync(IngestServer server, Level level, string clientId, params string[] filters)
    {
        var device = await Device.ConnectAsync(server.Port, level, clientId, clean: level == Level.V5);
        await device.SendAsync(Packets.Subscribe(level, 1, [.. filters.Select(f => (f, 1))]));
        await device.NextAsync(0x90);
        return device;
    }

    private static async Task<(string Topic, string Text, int PacketId)> CommandAsync(Device device)
    {
        byte[] body = await device.NextAsync(0x32);
        int length = (body[0] << 8) | body[1];
        int start = 4 + length + (device.Level == Level.V5 ? 1 : 0);
        return (Encoding.UTF8.GetString(body, 2, length), Encoding.UTF8.GetString(body, start, body.Length - start), (body[2 + length] << 8) | body[3 + length]);
    }
}
