using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class TopicFilterTests
{
    // MQTT 5.0, section 4.7: its own examples first.
    [Theory]
    [InlineData("sport/tennis/player1/#", "sport/tennis/player1", true)]
    [InlineData("sport/tennis/player1/#", "sport/tennis/player1/ranking", true)]
    [InlineData("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true)]
    [InlineData("sport/tennis/player1/#", "sport/tennis/player2", false)]
    [InlineData("sport/#", "sport", true)]
    [InlineData("sport/#", "sports", false)]
    [InlineData("#", "sport/tennis", true)]
    [InlineData("#", "/", true)]
    [InlineData("sport/tennis/+", "sport/tennis/player1", true)]
    [InlineData("sport/tennis/+", "sport/tennis/player1/ranking", false)]
    [InlineData("sport/+", "sport", false)]
    [InlineData("sport/+", "sport/", true)]
    [InlineData("+/+", "/finance", true)]
    [InlineData("/+", "/finance", true)]
    [InlineData("+", "/finance", false)]
    [InlineData("+/tennis/#", "sport/tennis", true)]
    [InlineData("+/tennis/#", "sport/tennis/a/b", true)]
    [InlineData("#", "$SYS/monitor/Clients", false)]
    [InlineData("+/monitor/Clients", "$SYS/monitor/Clients", false)]
    [InlineData("$SYS/#", "$SYS/monitor", true)]
    [InlineData("$SYS/monitor/+", "$SYS/monitor/Clients", true)]
    [InlineData("ACCOUNTS", "Accounts", false)]
    [InlineData("a//b", "a//b", true)]
    [InlineData("a/+/b", "a//b", true)]
    [InlineData("a", "a/", false)]
    [InlineData("a/", "a", false)]
    [InlineData("#", "", false)]
    public void A_filter_takes_topics_by_mqtts_rules(string filter, string topic, bool expected) =>
        Assert.Equal(expected, TopicFilter.Parse(filter).Matches(topic));

    [Theory]
    [InlineData("", "empty")]
    [InlineData("sport/tennis#", "whole level")]
    [InlineData("sport+", "whole level")]
    [InlineData("sport/#/ranking", "last level")]
    [InlineData("##", "whole level")]
    [InlineData("a\0b", "U+0000")]
    public void A_wrong_filter_is_refused_with_the_reason(string filter, string reason)
    {
        Assert.False(TopicFilter.TryParse(filter, out _, out string? error));
        Assert.Contains(reason, error, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => TopicFilter.Parse(filter));
        Assert.Throws<ArgumentException>(() => Decoder.ByTopic((filter, Json.Decode<Sample>())));
    }

    [Fact]
    public void The_first_filter_that_takes_the_topic_picks_the_decoder()
    {
        var decoder = Decoder.ByTopic(
            ("city/+/csv", Csv.Decode((ref row) => "csv " + row.Text(0))),
            ("city/#", Json.Decode((ref f) => "json " + f.Text("a"u8))));
        Assert.Equal("csv x", Run("city/bern/csv", "x").Single());
        Assert.Equal("json x", Run("city/bern/json", """{"a":"x"}""").Single());
        Run("village", "x").IsRejected(DeadLetterReason.UnknownTopic);

        Outcome<string> Run(string topic, string payload) => Decoding.Once(
            decoder, new ReadOnlySequence<byte>(System.Text.Encoding.UTF8.GetBytes(payload)), topic);
    }
}
