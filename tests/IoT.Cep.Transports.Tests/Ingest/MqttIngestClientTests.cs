using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace IoT.Cep.Ingest;

/// <summary>The endpoint with clients that others wrote.</summary>
public sealed class MqttIngestClientTests
{
    public static TheoryData<int, int> VersionsAndQualities => new() { { 3, 0 }, { 3, 1 }, { 3, 2 }, { 4, 0 }, { 4, 1 }, { 4, 2 }, { 5, 0 }, { 5, 1 }, { 5, 2 } };

    [Theory]
    [MemberData(nameof(VersionsAndQualities))]
    [Trait("Requirement", "R54")]
    public async Task MQTTnet_publishes_in_every_version_and_quality(int version, int quality)
    {
        const int Messages = 500;
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        using var client = await ConnectAsync(server.Port, version, "net");
        for (int i = 0; i < Messages; i++)
        {
            await client.PublishAsync(new MqttApplicationMessageBuilder().WithTopic($"t/{i % 7}").WithPayload($"{i}").WithQualityOfServiceLevel((MqttQualityOfServiceLevel)quality).Build());
        }

        var messages = await collector.TakeAsync(Messages);
        Assert.Equal(Enumerable.Range(0, Messages).Select(i => $"{i}"), messages.Select(m => m.Text));
        await client.DisconnectAsync();
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.Connections == 0);
        Assert.True(collector.IsEmpty);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task MQTTnet_takes_commands_and_pings(int version)
    {
        await using var server = IngestServer.Start(new Collector());
        using var client = await ConnectAsync(server.Port, version, "net");
        var received = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.ApplicationMessageReceivedAsync += e =>
        {
            received.TrySetResult(e.ApplicationMessage.ConvertPayloadToString());
            return Task.CompletedTask;
        };
        await client.SubscribeAsync(new MqttClientSubscribeOptionsBuilder().WithTopicFilter("cmd/+", MqttQualityOfServiceLevel.AtLeastOnce).Build());
        await client.PingAsync();
        var sessions = new Dictionary<IngestSession, bool>();
        server.Endpoint.Commands.Find("cmd/x", sessions);
        Assert.True(Assert.Single(sessions).Key.TrySend(new Command([.. "cmd/x"u8], [.. "go"u8], IsAcknowledged: true), isAcknowledged: true));
        Assert.Equal("go", await received.Task.WaitAsync(Collector.Patience));
        await IngestServer.UntilAsync(() => server.Endpoint.Statistics.CommandsAcknowledged == 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TLS_carries_the_same_protocol_and_a_certificate_proves_who_a_device_is(bool isMutual)
    {
        using var serverCertificate = Certificate("localhost");
        using var clientCertificate = Certificate("device-7");
        var security = isMutual
            ? new ListenerSecurity { Certificate = c => new(c.Thumbprint == clientCertificate.Thumbprint ? new Identity("device-7", AuthenticationMethod.Certificate) : null), DevicePlace = "device" }
            : ListenerSecurity.LoopbackOnly;
        var collector = new Collector();
        await using var server = IngestServer.Start([("d/{device}", collector)], o => (o.Certificate, o.Security) = (serverCertificate, security));
        var options = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", server.Port).WithClientId("c").WithTlsOptions(
            tls => tls.UseTls().WithClientCertificates(isMutual ? [clientCertificate] : []).WithCertificateValidationHandler(c => c.Certificate.GetCertHashString() == serverCertificate.GetCertHashString())).Build();
        using var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(options);
        await client.PublishAsync(new MqttApplicationMessageBuilder().WithTopic("d/device-7").WithPayload(new string('y', 100_000)).WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce).Build());
        Assert.Equal(100_000, (await collector.NextAsync()).Text.Length);
        await client.DisconnectAsync();

        if (isMutual)
        {
            using var stranger = new MqttClientFactory().CreateMqttClient();
            var without = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", server.Port).WithClientId("c").WithTlsOptions(tls => tls.UseTls().WithCertificateValidationHandler(_ => true)).Build();
            var refused = await stranger.ConnectAsync(without);
            Assert.Equal(MqttClientConnectResultCode.BadUserNameOrPassword, refused.ResultCode);
        }
    }

    [ClientsTheory]
    [InlineData("mqttv31", 0)]
    [InlineData("mqttv31", 2)]
    [InlineData("mqttv311", 1)]
    [InlineData("mqttv311", 2)]
    [InlineData("mqttv5", 0)]
    [InlineData("mqttv5", 1)]
    [InlineData("mqttv5", 2)]
    public async Task Mosquitto_pub_publishes_in_every_version(string version, int quality)
    {
        const int Lines = 300;
        var collector = new Collector();
        await using var server = IngestServer.Start(collector);
        string[] more = version == "mqttv5" ? ["-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "a", "b", "-D", "publish", "topic-alias", "3"] : [];
        using var publisher = Run("mosquitto_pub", ["-h", "127.0.0.1", "-p", Text(server.Port), "-i", "pub", "-V", version, "-q", Text(quality), "-t", "lines/x", "-l", .. more]);
        for (int i = 0; i < Lines; i++)
        {
            await publisher.StandardInput.WriteLineAsync(Text(i));
        }

        publisher.StandardInput.Close();
        var messages = await collector.TakeAsync(Lines);
        Assert.Equal(Enumerable.Range(0, Lines).Select(Text), messages.Select(m => m.Text));
        await publisher.WaitForExitAsync().WaitAsync(Collector.Patience);
        Assert.Equal(0, publisher.ExitCode);
        Assert.True(collector.IsEmpty);
    }

    [ClientsTheory]
    [InlineData("mqttv31")]
    [InlineData("mqttv311")]
    [InlineData("mqttv5")]
    public async Task Mosquitto_sub_takes_commands_in_every_version(string version)
    {
        await using var server = IngestServer.Start(new Collector());
        using var subscriber = Run("mosquitto_sub", ["-h", "127.0.0.1", "-p", Text(server.Port), "-i", "sub", "-V", version, "-q", "1", "-t", "cmd/#", "-C", "2"]);
        var sessions = new Dictionary<IngestSession, bool>();
        await IngestServer.UntilAsync(() =>
        {
            server.Endpoint.Commands.Find("cmd/x", sessions);
            return sessions.Count == 1;
        });
        var session = sessions.Single().Key;
        session.TrySend(new Command([.. "cmd/x"u8], [.. "first"u8], IsAcknowledged: true), isAcknowledged: true);
        session.TrySend(new Command([.. "cmd"u8], [.. "second"u8], IsAcknowledged: true), isAcknowledged: false);
        Assert.Equal("first", await subscriber.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience));
        Assert.Equal("second", await subscriber.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience));
        await subscriber.WaitForExitAsync().WaitAsync(Collector.Patience);
        Assert.Equal(0, subscriber.ExitCode);
    }

    private static async Task<IMqttClient> ConnectAsync(int port, int version, string clientId)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        var protocol = version switch { 3 => MqttProtocolVersion.V310, 4 => MqttProtocolVersion.V311, _ => MqttProtocolVersion.V500 };
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", port).WithClientId(clientId).WithProtocolVersion(protocol).Build());
        return client;
    }

    private static X509Certificate2 Certificate(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var made = request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(100));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    private static Process Run(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Tests with mosquitto's clients.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ClientsTheoryAttribute : TheoryAttribute
{
    private static readonly bool _areThere = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "mosquitto_pub")));

    public ClientsTheoryAttribute() => Skip = _areThere || Environment.GetEnvironmentVariable("CI") == "true" ? null : "mosquitto_pub and mosquitto_sub are not installed.";
}
