using System.Text;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

[Trait("Requirement", "R54")]
public sealed class MqttBrokerStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("broker");
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(4, true)]
    [InlineData(5, true)]
    public async Task What_was_acknowledged_is_there_after_the_process_was_killed(int version, bool isKilled)
    {
        string folder = Sub("one");
        var broker = await StartAsync(folder);
        using (var subscriber = await ConnectAsync(broker, version, "sub", kept: true))
        {
            await subscriber.SubscribeAsync(version, "a/+");
            await subscriber.NextAsync(RawMqtt.SubAck);
        }

        using (var publisher = await ConnectAsync(broker, version, "pub"))
        {
            for (ushort i = 1; i <= 5; i++)
            {
                await publisher.PublishAsync(version, "a/b", $"{i}", packetId: i);
                await publisher.NextAsync(RawMqtt.PubAck);
            }

            await publisher.PublishAsync(version, "a/r", "kept", packetId: 6, retain: true);
            await publisher.NextAsync(RawMqtt.PubAck);

            // What the disk has when the acknowledgement is here is what a killed process leaves.
            folder = isKilled ? Copy(folder, "two") : folder;
        }

        await broker.DisposeAsync();
        await using var again = await StartAsync(folder);
        var (back, answer) = await RawMqtt.ConnectAsync(again.Port, version, "sub", clean: false, expiry: 1_000);
        using var _ = back;
        Assert.Equal((1, 0), (answer.Body[0], answer.Body[1]));
        Assert.Equal(["1", "2", "3", "4", "5", "kept"], await TakeAsync(back, version, 6));
        using var late = await ConnectAsync(again, version, "late");
        await late.SubscribeAsync(version, "a/r");
        // The retained message may come before the SUBACK (3.8.4).
        RawPacket[] both = [(await late.ReadAsync())!, (await late.ReadAsync())!];
        Assert.Equal(1, Assert.Single(both, p => p.Kind == RawMqtt.Publish).Head & 1);
    }

    [Fact]
    public async Task What_a_subscriber_acknowledged_does_not_come_again()
    {
        string folder = Sub("one");
        var broker = await StartAsync(folder);
        var subscriber = await ConnectAsync(broker, 5, "sub", kept: true);
        await subscriber.SubscribeAsync(5, "a");
        await subscriber.NextAsync(RawMqtt.SubAck);
        using (var publisher = await ConnectAsync(broker, 5, "pub"))
        {
            await publisher.PublishAsync(5, "a", "1");
            await publisher.PublishAsync(5, "a", "2", packetId: 2);
            await publisher.NextAsync(RawMqtt.PubAck);
            await publisher.NextAsync(RawMqtt.PubAck);
        }

        byte[] first = await subscriber.NextAsync(RawMqtt.Publish);
        await subscriber.SendAsync(0x40, first[3], first[4]);
        await subscriber.NextAsync(RawMqtt.Publish);
        await subscriber.SendAsync(0xC0);
        await subscriber.NextAsync(RawMqtt.PingResp);
        subscriber.Dispose();
        await broker.DisposeAsync();

        await using var again = await StartAsync(folder);
        using var back = await ConnectAsync(again, 5, "sub", kept: true, isBack: true);
        Assert.Equal(["2"], await TakeAsync(back, 5, 1));
    }

    [Fact]
    public async Task A_session_that_nobody_comes_back_to_ends_in_time_and_stays_ended()
    {
        string folder = Sub("one");
        var broker = await StartAsync(folder);
        (await ConnectAsync(broker, 5, "sub", kept: true)).Dispose();
        await UntilAsync(() => broker.Clients == 0);
        for (int i = 0; broker.Sessions > 0; i++)
        {
            Assert.True(i < 1_100, "It did not end.");
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal(1, broker.ExpiredSessions);
        await broker.DisposeAsync();
        await using var again = await StartAsync(folder);
        using var back = await ConnectAsync(again, 5, "sub", kept: true);
    }

    [Fact]
    public async Task A_second_broker_does_not_take_the_folder()
    {
        await using var broker = await StartAsync(Sub("one"));
        await Assert.ThrowsAsync<IOException>(() => StartAsync(Sub("one")));
    }

    [Fact]
    public async Task A_full_store_refuses_what_would_have_to_be_kept()
    {
        await using var broker = await StartAsync(Sub("one"), o => o.MaxStoreBytes = 1 << 16);
        using (var subscriber = await ConnectAsync(broker, 5, "sub", kept: true))
        {
            await subscriber.SubscribeAsync(5, "a");
            await subscriber.NextAsync(RawMqtt.SubAck);
        }

        using var publisher = await ConnectAsync(broker, 5, "pub");
        var answers = new List<byte>();
        for (ushort i = 1; i <= 4; i++)
        {
            await publisher.PublishAsync(5, "a", new string('x', 30_000), packetId: i);
            byte[] answer = await publisher.NextAsync(RawMqtt.PubAck);
            answers.Add(answer.Length > 2 ? answer[2] : (byte)0);
        }

        Assert.Equal([0, 0, 0x97, 0x97], answers);
    }

    [Fact]
    public async Task A_log_that_was_cut_off_anywhere_has_what_was_before()
    {
        string folder = Sub("one");
        await using (var broker = await StartAsync(folder))
        {
            for (int i = 0; i < 3; i++)
            {
                await broker.PublishAsync($"r/{i}", Encoding.UTF8.GetBytes($"{i}"), retained: true);
            }
        }

        byte[] whole = File.ReadAllBytes(Path.Combine(folder, "broker.log"));
        int last = -1;
        for (int length = 16; length <= whole.Length; length++)
        {
            string cut = Sub("cut");
            Directory.CreateDirectory(cut);
            File.WriteAllBytes(Path.Combine(cut, "broker.log"), whole[..length]);
            await using var store = BrokerStore.Open(cut);
            int count = store.Retained().Count;
            Assert.True(count >= last);
            Assert.Equal(store.Damage is null, new FileInfo(Path.Combine(cut, "broker.log")).Length == length);
            last = count;
        }

        Assert.Equal(3, last);
    }

    [Fact]
    public async Task Any_changed_byte_of_a_log_is_noticed()
    {
        string folder = Sub("one");
        await using (var broker = await StartAsync(folder))
        {
            await broker.PublishAsync("r/1", "1"u8.ToArray(), retained: true);
            await broker.PublishAsync("r/2", "2"u8.ToArray(), retained: true);
        }

        byte[] whole = File.ReadAllBytes(Path.Combine(folder, "broker.log"));
        for (int at = 0; at < whole.Length; at++)
        {
            byte[] bad = [.. whole];
            bad[at] ^= 0x41;
            string folder2 = Sub("bad");
            Directory.CreateDirectory(folder2);
            File.WriteAllBytes(Path.Combine(folder2, "broker.log"), bad);
            if (at < 16)
            {
                Assert.Throws<InvalidDataException>(() => BrokerStore.Open(folder2));
                continue;
            }

            await using var store = BrokerStore.Open(folder2);
            Assert.NotNull(store.Damage);
            Assert.All(store.Retained(), m => Assert.Contains(m.Topic, (string[])["r/1", "r/2"]));
        }
    }

    [Fact]
    public async Task A_log_is_written_anew_when_most_of_it_is_past()
    {
        string folder = Sub("one");
        byte[] payload = new byte[100_000];
        await using (var broker = await StartAsync(folder))
        {
            for (int i = 0; i < 200; i++)
            {
                payload[0] = (byte)i;
                await broker.PublishAsync("r", payload.ToArray(), retained: true);
            }

            Assert.True(new FileInfo(Path.Combine(folder, "broker.log")).Length < 6 << 20);
        }

        await using var store = BrokerStore.Open(folder);
        Assert.Equal(199, Assert.Single(store.Retained()).Payload.FirstSpan[0]);
        Assert.Null(store.Damage);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(watch.Elapsed < Collector.Patience, "It did not come true.");
            await Task.Yield();
        }
    }

    private static async Task<string[]> TakeAsync(RawMqtt client, int version, int count)
    {
        string[] texts = new string[count];
        for (int i = 0; i < count; i++)
        {
            byte[] body = await client.NextAsync(RawMqtt.Publish);
            int start = 2 + body[1] + 2 + (version == 5 ? 1 : 0);
            texts[i] = Encoding.UTF8.GetString(body.AsSpan(start));
            await client.SendAsync(0x40, body[start - (version == 5 ? 3 : 2)], body[start - (version == 5 ? 2 : 1)]);
        }

        return texts;
    }

    private static async Task<RawMqtt> ConnectAsync(MqttBroker broker, int version, string clientId, bool kept = false, bool isBack = false)
    {
        var (client, answer) = await RawMqtt.ConnectAsync(broker.Port, version, clientId, clean: !kept, expiry: kept ? 1_000u : 0);
        Assert.Equal((isBack ? 1 : 0, 0), (answer.Body[0], answer.Body[1]));
        return client;
    }

    private string Sub(string name) => Path.Combine(_folder.FullName, name);

    private string Copy(string folder, string name)
    {
        string copy = Directory.CreateDirectory(Sub(name)).FullName;
        File.Copy(Path.Combine(folder, "broker.log"), Path.Combine(copy, "broker.log"));
        return copy;
    }

    private Task<MqttBroker> StartAsync(string folder, Action<MqttBrokerOptions>? configure = null)
    {
        var options = new MqttBrokerOptions { Port = 0, StoreFolder = folder };
        configure?.Invoke(options);
        return MqttBroker.StartAsync(options, _time);
    }
}
