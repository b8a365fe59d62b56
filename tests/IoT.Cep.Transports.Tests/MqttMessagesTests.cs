using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;
using MQTTnet.Packets;

namespace IoT.Cep;

/// <summary>What of an MQTT message reaches a decoder, and how subscriptions are written.</summary>
public sealed class MqttMessagesTests
{
    [Theory]
    [InlineData("city/+/temp", "city/+/temp", null)]
    [InlineData("city/{building}/{sensor}", "city/+/+", "city/{building}/{sensor}")]
    [InlineData("city/{building}/{*rest}", "city/+/#", "city/{building}/{*rest}")]
    [InlineData("$share/group/city/{sensor}", "$share/group/city/+", "city/{sensor}")]
    [InlineData("$share/group/city/+", "$share/group/city/+", null)]
    [InlineData("/city/{sensor}", "/city/+", "/city/{sensor}")]
    public void A_template_is_subscribed_to_by_its_filter(string text, string topic, string? template)
    {
        var filter = MqttFilter.Parse(text);

        Assert.Equal((text, topic, template), (filter.Text, filter.Topic, filter.Template?.ToString()));
    }

    [Theory]
    [InlineData("city/x{sensor}")]
    [InlineData("city/{sensor}/{sensor}")]
    [InlineData("city/#/{sensor}")]
    [InlineData("$share/group{a}")]
    [InlineData("city/+x/{a}")]
    public void What_is_no_template_is_refused_when_the_source_is_made(string text) => Assert.Throws<ArgumentException>(() => new MqttTransport([text]));

    [Fact]
    public void The_first_template_that_takes_the_topic_is_the_messages()
    {
        var messages = new MqttMessages([MqttFilter.Parse("a/+"), MqttFilter.Parse("b/{x}/{y}"), MqttFilter.Parse("b/{*all}")]);

        Assert.Equal("b/{x}/{y}", messages.ToPayload(Packet("b/1/2")).Template?.ToString());
        Assert.Equal("b/{*all}", messages.ToPayload(Packet("b/1")).Template?.ToString());
        Assert.Null(messages.ToPayload(Packet("a/1")).Template);
    }

    [Fact]
    public void User_properties_and_the_media_type_come_along()
    {
        var packet = Packet("a", ("trace", "7"), ("other", "ü"));
        packet.ContentType = "application/cbor";

        var payload = new MqttMessages([MqttFilter.Parse("a")]).ToPayload(packet);

        Assert.Equal(("application/cbor", 2, "7", "ü", 0L), (payload.ContentType, payload.Headers.Count, payload.Headers.Find("Trace"), payload.Headers.Find("other"), payload.SentTicks));
    }

    [Theory]
    [InlineData("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")]
    [InlineData("2026-01-01T01:00:00.5+01:00", "2026-01-01T00:00:00.5Z")]
    [InlineData("1767225600", "2026-01-01T00:00:00Z")]
    [InlineData("1767225600.25", "2026-01-01T00:00:00.25Z")]
    [InlineData("1767225600250", "2026-01-01T00:00:00.25Z")]
    [InlineData("soon", null)]
    [InlineData("", null)]
    [InlineData("99999999999999999999999999", null)]
    [InlineData("-99999999999999999999999999", null)]
    public void The_sent_time_is_read_from_its_user_property(string text, string? time)
    {
        var payload = new MqttMessages([MqttFilter.Parse("a")]).ToPayload(Packet("a", ("sent", text)));

        Assert.Equal(time is null ? 0 : Ticks.From(DateTimeOffset.Parse(time, CultureInfo.InvariantCulture)), payload.SentTicks);
    }

    private static MqttPublishPacket Packet(string topic, params (string Name, string Value)[] properties) => new()
    {
        Topic = topic,
        UserProperties = [.. properties.Select(p => new MqttUserProperty(p.Name, Encoding.UTF8.GetBytes(p.Value)))],
    };
}
