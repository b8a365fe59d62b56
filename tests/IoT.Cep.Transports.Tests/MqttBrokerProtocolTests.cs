using IoT.Cep.Ingest;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

/// <summary>What MQTT 5 demands of a broker and MQTTnet does not do: shared subscriptions, the client's limits, expiry, and wills with a delay.</summary>
public sealed class MqttBrokerProtocolTests
{
    private static readonly byte[] _anHour = [17, 0, 0, 0x0E, 0x10];
    private static readonly byte[] _oneAtOnce = [33, 0, 1];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_shared_message_goes_to_one_member_in_turn(int quality)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var one = await SubscribedAsync(broker, "one", "$share/g/t/+", quality, _oneAtOnce);
        using var two = await SubscribedAsync(broker, "two", "$share/g/t/+", quality, _oneAtOnce);
        using var other = await SubscribedAsync(broker, "other", "$share/h/t/+", quality, _oneAtOnce);
        for (int i = 0; i < 6; i++)
        {
            await broker.PublishAsync("t/x", new[] { (byte)i }, (MqttQualityOfService)quality);
        }

        byte[] ofOne = await TakeAsync(one, 3, quality), ofTwo = await TakeAsync(two, 3, quality);
        Assert.Equal((byte[])[0, 1, 2, 3, 4, 5], ofOne.Concat(ofTwo).Order().ToArray());
        Assert.Equal(ofOne.Order().ToArray(), ofOne);
        Assert.Equal([0, 1, 2, 3, 4, 5], await TakeAsync(other, 6, quality));
    }

    [Fact]
    public async Task What_a_member_has_not_acknowledged_when_its_session_ends_goes_to_another_one()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var going = await SubscribedAsync(broker, "going", "$share/g/t", 1);
        for (int i = 0; i < 3; i++)
        {
            await broker.PublishAsync("t", new[] { (byte)i }, MqttQualityOfService.AtLeastOnce);
        }

        await going.NextAsync(0x32);
        using var staying = await SubscribedAsync(broker, "staying", "$share/g/t", 1);
        going.Dispose();
        Assert.Equal([0, 1, 2], await TakeAsync(staying, 3, 1));
    }

    [Fact]
    public async Task A_group_whose_members_are_all_away_keeps_its_messages_also_on_disk()
    {
        using var folder = new Folder();
        var options = new MqttBrokerOptions { Port = 0, StoreFolder = folder.Path };
        await using (var broker = await MqttBroker.StartAsync(options))
        {
            (await SubscribedAsync(broker, "away", "$share/g/t", 1, _anHour)).Dispose();
            await IngestServer.UntilAsync(() => broker.Clients == 0);
            await broker.PublishAsync("t", "kept"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        }

        await using var again = await MqttBroker.StartAsync(options);
        using var back = await Device.ConnectAsync(again.Port, Level.V5, "away", clean: false, properties: _anHour);
        Assert.Equal(1, back.Accepted[0]);
        Assert.EndsWith(Convert.ToHexString("kept"u8), Convert.ToHexString(await back.NextAsync(0x32)), StringComparison.Ordinal);
        await again.PublishAsync("t", "next"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        Assert.EndsWith(Convert.ToHexString("next"u8), Convert.ToHexString(await back.NextAsync(0x32)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_leaves_its_group_by_unsubscribing_and_a_publisher_hears_who_takes_its_message()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var member = await SubscribedAsync(broker, "member", "$share/g/t", 1);
        using var publisher = await Device.ConnectAsync(broker.Port, Level.V5, "publisher");
        await publisher.SendAsync(Packets.Publish(Level.V5, "t", "x", 1, 1));
        Assert.Equal([0, 1], (await publisher.NextAsync(0x40))[..2]);
        await member.NextAsync(0x32);
        await member.SendAsync(Packets.Unsubscribe(Level.V5, 2, "$share/g/t"));
        Assert.Equal([0, 2, 0, 0], await member.NextAsync(0xB0));
        await publisher.SendAsync(Packets.Publish(Level.V5, "t", "x", 1, 2));
        Assert.Equal([0, 2, 0x10], (await publisher.NextAsync(0x40))[..3]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_more_is_under_way_than_the_client_takes_and_other_packets_go_on(int quality)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await SubscribedAsync(broker, "c", "t", quality, [33, 0, 2]);
        for (int i = 0; i < 5; i++)
        {
            await broker.PublishAsync("t", new[] { (byte)i }, (MqttQualityOfService)quality);
        }

        byte kind = (byte)(0x30 | (quality << 1));
        var underWay = new Queue<byte[]>([await client.NextAsync(kind), await client.NextAsync(kind)]);
        await client.SendAsync(Packets.Ping);
        await client.NextAsync(0xD0);
        var came = underWay.Select(m => m[^1]).ToList();
        while (underWay.TryDequeue(out byte[]? message))
        {
            // The next one comes when one is finished, and not before.
            await FinishAsync(client, message, quality);
            if (came.Count < 5)
            {
                underWay.Enqueue(await client.NextAsync(kind));
                came.Add(underWay.Last()[^1]);
            }
        }

        Assert.Equal([0, 1, 2, 3, 4], came);
        await IngestServer.UntilAsync(() => broker.Delivered == 5);
    }

    [Fact]
    public async Task What_was_held_back_comes_in_order_on_the_next_connection()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using (var client = await SubscribedAsync(broker, "c", "t", 1, [.. _anHour, 33, 0, 1]))
        {
            for (int i = 0; i < 4; i++)
            {
                await broker.PublishAsync("t", new[] { (byte)i }, MqttQualityOfService.AtLeastOnce);
            }

            await client.NextAsync(0x32);
        }

        using var back = await Device.ConnectAsync(broker.Port, Level.V5, "c", clean: false, properties: [.. _anHour, 33, 0, 1]);
        byte[] repeated = await back.NextAsync(0x3A);
        Assert.Equal(0, repeated[^1]);
        await FinishAsync(back, repeated, 1);
        Assert.Equal([1, 2, 3], await TakeAsync(back, 3, 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_message_larger_than_the_client_takes_is_left_out_and_the_next_one_comes(int quality)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await SubscribedAsync(broker, "c", "t", quality, [39, 0, 0, 0, 64]);
        await broker.PublishAsync("t", new byte[100], (MqttQualityOfService)quality);
        await broker.PublishAsync("t", new byte[] { 7 }, (MqttQualityOfService)quality);
        Assert.Equal([7], await TakeAsync(client, 1, quality));
        Assert.Equal(1, broker.TooLargeMessages);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(200)]
    public async Task The_size_of_a_message_is_what_it_has_on_the_wire(int payload)
    {
        byte[] properties = [1, 1, 2, 0, 0, 1, 0, 3, .. Packets.Text("text/plain"), 8, .. Packets.Text("answers"), 9, 0, 2, 1, 2, 38, .. Packets.Text("a"), .. Packets.Text("b")];
        byte[] message = Packets.Publish(Level.V5, "t", new string('x', payload), 1, 1, properties: properties);
        foreach (int room in new[] { 0, -1 })
        {
            await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
            using var client = await SubscribedAsync(broker, "c", "t", 1, [39, .. Packets.Four((uint)(message.Length + room))]);
            using var publisher = await Device.ConnectAsync(broker.Port, Level.V5, "publisher");
            await publisher.SendAsync(message, Packets.Publish(Level.V5, "t", "small", 1, 2));
            byte[] came = await client.NextAsync(0x32);
            Assert.Equal(room == 0 ? (byte)'x' : (byte)'l', came[^1]);
            Assert.Equal(room == 0 ? 0 : 1, broker.TooLargeMessages);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_expired_message_does_not_come_and_another_one_says_what_is_left_of_its_time(int quality)
    {
        var time = new FakeTimeProvider();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }, time);
        (await SubscribedAsync(broker, "c", "t", quality, _anHour)).Dispose();
        await IngestServer.UntilAsync(() => broker.Clients == 0);
        using var publisher = await Device.ConnectAsync(broker.Port, Level.V5, "publisher");
        await publisher.SendAsync(
            Packets.Publish(Level.V5, "t", "short", 1, 1, properties: [2, 0, 0, 0, 10]),
            Packets.Publish(Level.V5, "t", "long", 1, 2, properties: [2, 0, 0, 0, 100]),
            Packets.Publish(Level.V5, "t", "ever", 1, 3, properties: [2, 0xFF, 0xFF, 0xFF, 0xFF]));
        await publisher.NextAsync(0x40);
        await publisher.NextAsync(0x40);
        await publisher.NextAsync(0x40);
        time.Advance(TimeSpan.FromSeconds(30));
        using var back = await Device.ConnectAsync(broker.Port, Level.V5, "c", clean: false, properties: _anHour);
        byte[] left = await back.NextAsync(0x32);
        Assert.Equal([5, 2, 0, 0, 0, 70, .. "long"u8], left[5..]);
        Assert.Equal([5, 2, 0xFF, 0xFF, 0xFF, 0xFF, .. "ever"u8], (await back.NextAsync(0x32))[5..]);
        Assert.Equal(1, broker.ExpiredMessages);
        await back.SendAsync(Packets.Publish(Level.V5, "t", "after", 1, 9));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_was_sent_once_is_finished_past_its_time(int quality)
    {
        var time = new FakeTimeProvider();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }, time);
        byte[] first;
        using (var client = await SubscribedAsync(broker, "c", "t", quality, _anHour))
        {
            using var publisher = await Device.ConnectAsync(broker.Port, Level.V5, "publisher");
            await publisher.SendAsync(Packets.Publish(Level.V5, "t", "begun", 2, 1, properties: [2, 0, 0, 0, 10]));
            first = await client.NextAsync((byte)(0x30 | (quality << 1)));
        }

        time.Advance(TimeSpan.FromSeconds(30));
        using var back = await Device.ConnectAsync(broker.Port, Level.V5, "c", clean: false, properties: _anHour);
        byte[] again = await back.NextAsync((byte)(0x38 | (quality << 1)));
        Assert.Equal(first[3..5], again[3..5]);
        Assert.EndsWith(Convert.ToHexString("begun"u8), Convert.ToHexString(again), StringComparison.Ordinal);
        Assert.Equal(0, broker.ExpiredMessages);
    }

    [Fact]
    public async Task An_expired_retained_message_is_not_sent()
    {
        var time = new FakeTimeProvider();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }, time);
        using var publisher = await Device.ConnectAsync(broker.Port, Level.V5, "publisher");
        await publisher.SendAsync(Packets.Publish(Level.V5, "t/1", "old", 1, 1, properties: [2, 0, 0, 0, 10], retained: true), Packets.Publish(Level.V5, "t/2", "kept", 1, 2, retained: true));
        await publisher.NextAsync(0x40);
        await publisher.NextAsync(0x40);
        time.Advance(TimeSpan.FromSeconds(11));
        using var client = await Device.ConnectAsync(broker.Port, Level.V5, "c");
        await client.SendAsync(Packets.Subscribe(Level.V5, 1, ("t/+", 1)));

        // Retained messages may come before the SUBACK.
        var one = (await client.ReadAsync())!.Value;
        var two = (await client.ReadAsync())!.Value;
        byte[] message = one.First == 0x90 ? two.Body : one.Body;
        Assert.EndsWith(Convert.ToHexString("kept"u8), Convert.ToHexString(message), StringComparison.Ordinal);

        // The one that is over may be looked at behind the one that was sent.
        await IngestServer.UntilAsync(() => broker.ExpiredMessages == 1);
    }

    /// <summary>Whether the client comes back, cleanly or not, before the delay is over; what is then said of it.</summary>
    [Theory]
    [InlineData("stays away", true)]
    [InlineData("comes back", false)]
    [InlineData("comes back clean", true)]
    [InlineData("session ends first", true)]
    [InlineData("said goodbye", false)]
    [InlineData("said goodbye with its will", true)]
    public async Task A_will_waits_for_its_delay_or_for_the_end_of_the_session(string what, bool isSaid)
    {
        var time = new FakeTimeProvider();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }, time);
        using var watcher = await SubscribedAsync(broker, "watcher", "will/#", 1);
        using var device = await Device.OpenAsync(broker.Port);
        byte[] kept = what == "session ends first" ? [17, 0, 0, 0, 5] : _anHour;
        await device.SendAsync(Packets.Connect(Level.V5, "device", properties: kept, will: [5, 24, 0, 0, 0, 30, .. Packets.Text("will/device"), .. Packets.Text("gone")], willFlags: 8));
        await device.NextAsync(0x20);
        if (what.StartsWith("said", StringComparison.Ordinal))
        {
            await device.SendAsync(what == "said goodbye" ? Packets.Disconnect : Packets.Packet(0xE0, 4));
        }

        device.Cut();
        await IngestServer.UntilAsync(() => broker.Clients == 1);
        if (what.StartsWith("comes", StringComparison.Ordinal))
        {
            using var back = await Device.ConnectAsync(broker.Port, Level.V5, "device", clean: what == "comes back clean", properties: _anHour);
        }

        // Nothing is said before its time but at the session's end; then it is, or something else comes first.
        for (int second = 0; second < 40; second += 2)
        {
            time.Advance(TimeSpan.FromSeconds(2));
        }

        if (!isSaid)
        {
            await broker.PublishAsync("will/nobody", "no"u8.ToArray(), MqttQualityOfService.AtLeastOnce);
        }

        Assert.EndsWith(Convert.ToHexString(isSaid ? "gone"u8 : "no"u8), Convert.ToHexString(await watcher.NextAsync(0x32)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_codes_of_a_SUBACK_stand_in_the_filters_order_and_the_last_of_equal_filters_counts()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await Device.ConnectAsync(broker.Port, Level.V5, "c");
        await client.SendAsync(Packets.Subscribe(Level.V5, 3, ("a", 0), ("b", 2), ("$share/g/c", 1), ("a", 1), ("b", 0)));
        Assert.Equal([0, 3, 0, 0, 2, 1, 1, 0], await client.NextAsync(0x90));
        await broker.PublishAsync("b", new byte[] { 1 }, MqttQualityOfService.ExactlyOnce);
        await broker.PublishAsync("a", new byte[] { 2 }, MqttQualityOfService.ExactlyOnce);
        Assert.Equal([1], await TakeAsync(client, 1, 0));
        Assert.Equal([2], await TakeAsync(client, 1, 1));
    }

    [Fact]
    public async Task A_refused_message_of_QoS_2_is_not_released()
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        using var client = await SubscribedAsync(broker, "c", "t", 2, [33, 0, 1]);
        await broker.PublishAsync("t", "no"u8.ToArray(), MqttQualityOfService.ExactlyOnce);
        byte[] message = await client.NextAsync(0x34);
        await client.SendAsync(Packets.Packet(0x50, message[3], message[4], 0x97));
        await broker.PublishAsync("t", new byte[] { 7 }, MqttQualityOfService.ExactlyOnce);
        Assert.Equal([7], await TakeAsync(client, 1, 2));
    }

    [Fact]
    public async Task The_packet_id_of_a_refused_message_is_free()
    {
        var security = new ListenerSecurity
        {
            Password = (_, _) => new(new Identity("u", AuthenticationMethod.Password)),
            Authorize = (_, action, resource) => new(action != AccessAction.Publish || resource == "yes"),
        };
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0, Security = security });
        using var client = await Device.OpenAsync(broker.Port);
        await client.SendAsync(Packets.Connect(Level.V5, "c", user: "u", password: "p"));
        await client.NextAsync(0x20);
        await client.SendAsync(Packets.Publish(Level.V5, "no", "x", 2, 5));
        Assert.Equal([0, 5, 0x87], (await client.NextAsync(0x50))[..3]);
        long before = broker.Received;
        await client.SendAsync(Packets.Publish(Level.V5, "yes", "x", 2, 5));
        await client.NextAsync(0x50);
        Assert.Equal(before + 1, broker.Received);
    }

    internal static async Task<Device> SubscribedAsync(MqttBroker broker, string clientId, string filter, int quality, byte[]? properties = null)
    {
        var device = await Device.ConnectAsync(broker.Port, Level.V5, clientId, properties: properties);
        await device.SendAsync(Packets.Subscribe(Level.V5, 1, (filter, quality)));
        Assert.Equal([0, 1, 0, (byte)quality], await device.NextAsync(0x90));
        return device;
    }

    /// <summary>The last bytes of the next messages, each acknowledged.</summary>
    internal static async Task<byte[]> TakeAsync(Device device, int count, int quality)
    {
        byte[] last = new byte[count];
        for (int i = 0; i < count; i++)
        {
            byte[] message = await device.NextAsync((byte)(0x30 | (quality << 1)));
            last[i] = message[^1];
            await FinishAsync(device, message, quality);
        }

        return last;
    }

    private static async Task FinishAsync(Device device, byte[] message, int quality)
    {
        int at = 2 + ((message[0] << 8) | message[1]);
        if (quality == 1)
        {
            await device.SendAsync(Packets.Packet(0x40, message[at], message[at + 1]));
        }
        else if (quality == 2)
        {
            await device.SendAsync(Packets.Packet(0x50, message[at], message[at + 1]));
            Assert.Equal([message[at], message[at + 1]], (await device.NextAsync(0x62))[..2]);
            await device.SendAsync(Packets.Packet(0x70, message[at], message[at + 1]));
        }
    }

    private sealed class Folder : IDisposable
    {
        private readonly DirectoryInfo _info = Directory.CreateTempSubdirectory("broker");

        internal string Path => _info.FullName;

        public void Dispose() => _info.Delete(recursive: true);
    }
}
