using IoT.Cep.Extensibility;
using Microsoft.Extensions.Configuration;

namespace IoT.Cep;

public sealed class MqttOptionsTests
{
    public static TheoryData<string, Action<MqttOptions>> Wrong() => new()
    {
        { "Host", o => o.Host = "" },
        { "Port", o => o.Port = 70_000 },
        { "Password would cross the network in clear text; set Tls", o => (o.UserName, o.Password) = ("u", "p") },
        { "UserName", o => (o.Password, o.AllowPlainTextPassword) = ("p", true) },
        { "CleanSession", o => (o.CleanSession, o.ProtocolVersion) = (false, MqttProtocol.V311) },
        { "KeepAlive", o => o.KeepAlive = TimeSpan.Zero },
        { "ReceiveMaximum", o => o.ReceiveMaximum = 0 },
        { "Tls.CaFile names a file that does not exist", o => o.Tls = new MqttTlsOptions { CaFile = "/no/such/file" } },
        { "Tls.CertificateFile", o => o.Tls = new MqttTlsOptions { KeyFile = "/no/such/file" } },
        { "ReconnectMax", o => o.ReconnectMax = TimeSpan.FromMilliseconds(1) },
        { "ClientId", o => o.ClientId = "a\0b" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    [Trait("Requirement", "R35")]
    public void An_option_that_cannot_work_is_named_with_its_remedy(string expected, Action<MqttOptions> configure)
    {
        var error = Assert.Throws<InvalidOperationException>(() => new FakeCep().Mqtt(configure));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_come_from_the_configuration_and_code_overrides_them()
    {
        var cep = new FakeCep(("Mqtt:default:Host", "broker.example"), ("Mqtt:default:Port", "1999"), ("Mqtt:default:ProtocolVersion", "3.1.1"),
            ("Mqtt:default:KeepAlive", "00:00:20"), ("Mqtt:default:Tls:TargetHost", "other"));
        cep.Mqtt(o => o.Port = 2000);

        var options = cep.Connections.Find<MqttOptions>()!;
        Assert.Equal(("broker.example", 2000, MqttProtocol.V311, 20.0, "other"),
            (options.Host, options.EffectivePort, options.ProtocolVersion, options.KeepAlive.TotalSeconds, options.Tls!.TargetHost));
    }

    [Theory]
    [InlineData("Mqtt:default:Hots", "x", "Hots")]
    [InlineData("Mqtt:default:Port", "secret", "Port")]
    [InlineData("Mqtt:default:Tls:Ca", "x", "Ca")]
    public void A_misspelled_configuration_is_an_error_that_names_the_key_and_not_the_value(string key, string value, string named)
    {
        var error = Assert.Throws<InvalidOperationException>(() => new FakeCep((key, value)).Mqtt(_ => { }));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_declaration_the_default_connection_is_this_machine_and_others_are_errors()
    {
        var cep = new FakeCep();
        Assert.Equal(("localhost", 1883), (MqttConnectionExtensions.Resolve(cep.Connections, "default").Host, 1883));
        var error = Assert.Throws<InvalidOperationException>(() => MqttConnectionExtensions.Resolve(cep.Connections, "plant"));
        Assert.Contains("cep.Mqtt(", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/#/b")]
    [InlineData("a+/b")]
    [InlineData("a/b#")]
    [InlineData("a\0")]
    public void A_malformed_filter_is_refused_when_it_is_written(string filter) =>
        Assert.ThrowsAny<ArgumentException>(() => new MqttTransport([filter]));

    [Fact]
    public void Half_a_surrogate_pair_is_refused_in_filters_and_topics()
    {
        Assert.ThrowsAny<ArgumentException>(() => new MqttTransport(["a\uD800"]));
        Assert.Contains("surrogate", MqttTopic.Problem("a\uD800"), StringComparison.Ordinal);
    }

    private sealed class FakeCep : ICep
    {
        internal FakeCep(params (string Key, string Value)[] configuration) => Connections = new Connections(configuration.Length == 0
            ? null : new ConfigurationBuilder().AddInMemoryCollection(configuration.Select(p => KeyValuePair.Create(p.Key, (string?)p.Value))).Build());

        public Connections Connections { get; }

        public DeadLetters DeadLetters => throw new NotSupportedException();

        public IEventStream<T> From<T>(ISource<T> source, Action<SourceOptions>? configure = null) => throw new NotSupportedException();
    }
}
