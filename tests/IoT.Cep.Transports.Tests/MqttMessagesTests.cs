using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What of an MQTT message reaches a decoder, and how subscriptions are written.</summary>
public sealed class MqttMessagesTests
{
    [Theory]
    [InlineData("city/+/temp", "city/+/temp", "city/+/temp")]
    [InlineData("city/{building}/{sensor}", "city/+/+", "city/{building}/{sensor}")]
    [InlineData("city/{building}/{*rest}", "city/+/#", "city/{building}/{*rest}")]
    [InlineData("$share/group/city/{sensor}", "$share/group/city/+", "city/{sensor}")]
    [InlineData("$share/group/city/+", "$share/group/city/+", "city/+")]
    [InlineData("/city/{sensor}", "/city/+", "city/{sensor}")]
    public void A_template_is_subscribed_to_by_its_filter(string text, string filter, string template)
    {
        var parsed = MqttFilter.Parse(text);
        Assert.Equal((filter, template), (parsed.Filter, parsed.Template.ToString()));
    }

    [Theory]
    [InlineData("city/x{sensor}")]
    [InlineData("city/{sensor}/{sensor}")]
    [InlineData("city/#/{sensor}")]
    [InlineData("$share/group{a}")]
    [InlineData("city/+x/{a}")]
    public void What_is_no_template_is_refused_when_the_source_is_made(string text) => Assert.Throws<ArgumentException>(() => new MqttTransport([text]));

    [Fact]
    public void User_properties_come_along()
    {
        var headers = new PayloadHeaders(Properties(("trace", "7"), ("other", "ü")));
        Assert.Equal((2, "7", "ü", 0L), (headers.Count, headers.Find("Trace"), headers.Find("other"), MqttHeaders.SentTicks(headers)));
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
        long ticks = MqttHeaders.SentTicks(new PayloadHeaders(Properties(("sent", text))));
        Assert.Equal(time is null ? 0 : Ticks.From(DateTimeOffset.Parse(time, CultureInfo.InvariantCulture)), ticks);
    }

    private static UserProperties Properties(params (string Name, string Value)[] properties) =>
        new() { List = [.. properties.Select(p => MqttHeaders.ToProperty(p.Name, p.Value))] };
}
