using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class MqttBrokerSecurityTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(5, 0x86)]
    [InlineData(4, 4)]
    public async Task A_token_in_the_password_proves_who_connects_under_any_user_name(int version, byte refusal)
    {
        await using var broker = await StartAsync(Open());
        var (client, accepted) = await RawMqtt.ConnectAsync(broker.Port, version, user: "anything", password: "token-a");
        using (client)
        {
            Assert.Equal(0, accepted.Body[1]);
        }

        var (other, refused) = await RawMqtt.ConnectAsync(broker.Port, version, user: "anything", password: "wrong");
        using (other)
        {
            Assert.Equal((RawMqtt.ConnAck, refusal), (refused.Kind, refused.Body[1]));
            Assert.Null(await other.ClosedAsync());
        }

        Assert.Equal(1, broker.RefusedConnections);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    [Trait("Requirement", "R67")]
    public async Task What_a_client_may_not_publish_is_refused_and_reaches_nobody(int version)
    {
        await using var broker = await StartAsync(Open((_, action, topic) => new(action != AccessAction.Publish || topic == "mine")));
        using var watcher = await ConnectAsync(broker, version, "watch");
        await watcher.SubscribeAsync(version, "#");
        await watcher.NextAsync(RawMqtt.SubAck);
        using var client = await ConnectAsync(broker, version);
        await client.PublishAsync(version, "theirs", "0", qualityOfService: 0);
        await client.PublishAsync(version, "theirs", "1");
        if (version == 5)
        {
            Assert.Equal(0x87, (await client.NextAsync(RawMqtt.PubAck))[2]);
            await client.PublishAsync(version, "theirs", "2", qualityOfService: 2, packetId: 2);
            Assert.Equal(0x87, (await client.NextAsync(RawMqtt.PubRec))[2]);
        }
        else
        {
            Assert.Null(await client.ClosedAsync());
        }

        using var again = await ConnectAsync(broker, version);
        await again.PublishAsync(version, "mine", "3");
        await again.NextAsync(RawMqtt.PubAck);
        Assert.Equal("mine", System.Text.Encoding.UTF8.GetString(await watcher.NextAsync(RawMqtt.Publish), 2, 4));
    }

    [Theory]
    [InlineData(5, 0x87)]
    [InlineData(4, 0x80)]
    public async Task What_a_client_may_not_subscribe_to_is_refused(int version, byte refusal)
    {
        await using var broker = await StartAsync(Open((_, action, filter) => new(action != AccessAction.Subscribe || filter == "mine/#")));
        using var client = await ConnectAsync(broker, version);
        await client.SubscribeAsync(version, "#");
        Assert.Equal(refusal, (await client.NextAsync(RawMqtt.SubAck))[^1]);
        await client.SubscribeAsync(version, "mine/#");
        Assert.Equal(1, (await client.NextAsync(RawMqtt.SubAck))[^1]);
    }

    [Fact]
    public async Task A_will_that_the_client_may_not_publish_is_refused_when_it_connects()
    {
        await using var broker = await StartAsync(Open((_, action, topic) => new(action != AccessAction.Publish || topic == "mine")));
        var (client, answer) = await RawMqtt.ConnectAsync(broker.Port, user: "u", password: "token-a", will: ("theirs", "gone"));
        using (client)
        {
            Assert.Equal(0x87, answer.Body[1]);
        }
    }

    [Fact]
    public async Task Another_identity_does_not_get_a_session_by_its_client_id()
    {
        await using var broker = await StartAsync(Open());
        var (owner, _) = await RawMqtt.ConnectAsync(broker.Port, clientId: "device", clean: false, user: "u", password: "token-a", expiry: 100);
        owner.Dispose();
        var (thief, answer) = await RawMqtt.ConnectAsync(broker.Port, clientId: "device", clean: false, user: "u", password: "token-b", expiry: 100);
        Assert.Equal(0x85, answer.Body[1]);
        thief.Dispose();
        var (back, kept) = await RawMqtt.ConnectAsync(broker.Port, clientId: "device", clean: false, user: "u", password: "token-a", expiry: 100);
        Assert.Equal((1, 0), (kept.Body[0], kept.Body[1]));
        back.Dispose();
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task A_revoked_client_is_disconnected(int version)
    {
        var security = Open();
        await using var broker = await StartAsync(security);
        using var client = await ConnectAsync(broker, version);
        using var other = await ConnectAsync(broker, version, "other", "token-b");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        security.Revoke("a");
        Assert.Equal(version == 5 ? (byte?)0x87 : null, await client.ClosedAsync());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"It took {watch.Elapsed}.");
        await other.PublishAsync(version, "t", "still here");
        await other.NextAsync(RawMqtt.PubAck);
    }

    [Fact]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task A_connection_ends_when_its_token_does()
    {
        var security = new ListenerSecurity { TimeProvider = _time, Token = name => new(new Identity(name, AuthenticationMethod.Token, expires: _time.GetUtcNow().AddMinutes(1))) };
        await using var broker = await StartAsync(security);
        using var client = await ConnectAsync(broker);
        await client.PublishAsync(5, "t", "1");
        await client.NextAsync(RawMqtt.PubAck);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal((byte?)0x87, await client.ClosedAsync());
    }

    [Fact]
    public async Task A_publisher_that_is_too_fast_waits_and_loses_nothing()
    {
        var security = Open(limits: new PrincipalLimits { MessagesPerSecond = 1, Burst = 2 });
        await using var broker = await StartAsync(security);
        using var client = await ConnectAsync(broker);
        for (ushort i = 1; i <= 4; i++)
        {
            await client.PublishAsync(5, "t", "x", packetId: i);
        }

        Assert.Equal(1, (await client.NextAsync(RawMqtt.PubAck))[1]);
        Assert.Equal(2, (await client.NextAsync(RawMqtt.PubAck))[1]);
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (broker.Slowed == 0)
        {
            Assert.True(waited.Elapsed < Collector.Patience, "Nobody waits.");
            await Task.Yield();
        }

        for (byte i = 3; i <= 4; i++)
        {
            var next = client.NextAsync(RawMqtt.PubAck);
            Assert.True(i == 4 || !next.IsCompleted);
            while (!next.IsCompleted)
            {
                // The wait's timer may be set after the clock moved.
                _time.Advance(TimeSpan.FromMilliseconds(100));
                await Task.Yield();
            }

            Assert.Equal(i, (await next)[1]);
        }
    }

    [Fact]
    public async Task More_topics_than_allowed_are_refused()
    {
        await using var broker = await StartAsync(Open(limits: new PrincipalLimits { MaxTopics = 1 }));
        using var client = await ConnectAsync(broker);
        await client.PublishAsync(5, "one", "x");
        Assert.Equal(0x10, (await client.NextAsync(RawMqtt.PubAck))[2]);
        await client.PublishAsync(5, "two", "x");
        Assert.Equal(0x97, (await client.NextAsync(RawMqtt.PubAck))[2]);
    }

    [Theory]
    [InlineData(5, 0x97)]
    [InlineData(4, 3)]
    public async Task More_connections_than_allowed_are_refused(int version, byte refusal)
    {
        await using var broker = await StartAsync(Open(limits: new PrincipalLimits { MaxConnections = 1 }));
        using var client = await ConnectAsync(broker, version);
        var (second, answer) = await RawMqtt.ConnectAsync(broker.Port, version, "second", user: "u", password: "token-a");
        second.Dispose();
        Assert.Equal(refusal, answer.Body[1]);
    }

    [Fact]
    public async Task A_device_sends_its_own_topic_and_no_other()
    {
        var security = new ListenerSecurity { TimeProvider = _time, Token = Known, DevicePlace = "device" };
        await using var broker = await StartAsync(security, o => o.Templates = [TopicTemplate.Parse("plant/{device}/data")]);
        using var client = await ConnectAsync(broker);
        await client.PublishAsync(5, "plant/a/data", "x");
        Assert.Equal(0x10, (await client.NextAsync(RawMqtt.PubAck))[2]);
        await client.PublishAsync(5, "plant/b/data", "x");
        Assert.Equal(0x87, (await client.NextAsync(RawMqtt.PubAck))[2]);
        await client.SubscribeAsync(5, "plant/+/data");
        Assert.Equal(0x87, (await client.NextAsync(RawMqtt.SubAck))[^1]);
        await client.SubscribeAsync(5, "plant/a/#");
        Assert.Equal(1, (await client.NextAsync(RawMqtt.SubAck))[^1]);
    }

    [Fact]
    public async Task A_client_certificate_proves_who_connects()
    {
        using var authority = new TestAuthority();
        using var stranger = new TestAuthority();
        var server = authority.Sign("localhost");
        using var pem = X509Certificate2.CreateFromPemFile(server.Certificate, server.Key);
        using var certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        var names = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var security = new ListenerSecurity
        {
            Certificate = Certificates.FromPemFile(authority.CaFile).Validate,
            Authorize = (who, _, _) =>
            {
                names.Enqueue(who.Name);
                return new(true);
            },
        };
        await using var broker = await StartAsync(security, o => o.Certificate = certificate);
        await using (var sink = await Publisher.OpenAsync(To(authority.Sign("sensor-7"))))
        {
            await sink.SendAsync(("a", "1"));
        }

        Assert.All(names, n => Assert.Equal("sensor-7", n));
        await Assert.ThrowsAsync<MqttRefusedException>(() => Publisher.OpenAsync(To(stranger.Sign("sensor-7"))));
        await Assert.ThrowsAsync<MqttRefusedException>(() => Publisher.OpenAsync(To(null)));

        Connections To((string Certificate, string Key)? client) => RunningTransport.To(
            broker.Port, o => o.Tls = new MqttTlsOptions { CaFile = authority.CaFile, TargetHost = "localhost", CertificateFile = client?.Certificate, KeyFile = client?.Key });
    }

    private static ValueTask<Identity?> Known(string token) =>
        new(token.StartsWith("token-", StringComparison.Ordinal) ? new Identity(token[6..], AuthenticationMethod.Token) : null);

    private ListenerSecurity Open(Authorize? authorize = null, PrincipalLimits? limits = null) =>
        new() { TimeProvider = _time, Token = Known, Authorize = authorize, Limits = limits ?? PrincipalLimits.Default };

    private async Task<MqttBroker> StartAsync(ListenerSecurity security, Action<MqttBrokerOptions>? configure = null)
    {
        var options = new MqttBrokerOptions { Port = 0, Security = security };
        configure?.Invoke(options);
        return await MqttBroker.StartAsync(options, security.TimeProvider == _time ? _time : null);
    }

    private static async Task<RawMqtt> ConnectAsync(MqttBroker broker, int version = 5, string clientId = "raw", string token = "token-a")
    {
        var (client, answer) = await RawMqtt.ConnectAsync(broker.Port, version, clientId, user: "u", password: token);
        Assert.Equal(0, answer.Body[1]);
        return client;
    }
}
