using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class TopicTemplateTests
{
    [Theory]
    [InlineData("plant/{line}/{sensor}", "plant/+/+", "plant/a/t1", "line=a sensor=t1")]
    [InlineData("/plant/{line}", "plant/+", "plant/a", "line=a")]
    [InlineData("plant/{line}/{*rest}", "plant/+/#", "plant/a/b/c/d", "line=a rest=b/c/d")]
    [InlineData("plant/{line}/{*rest}", "plant/+/#", "plant/a/b", "line=a rest=b")]
    [InlineData("plant/{line}/{*rest}", "plant/+/#", "plant/a", null)]
    [InlineData("{a}/+/{b}/#", "+/+/+/#", "1/2/3", "a=1 b=3")]
    [InlineData("{a}/+/{b}/#", "+/+/+/#", "1/2/3/4/5", "a=1 b=3")]
    [InlineData("plant/{line}", "plant/+", "plant/", "line=")]
    [InlineData("plant/{line}", "plant/+", "plant/a/b", null)]
    [InlineData("plant/{line}", "plant/+", "plan/a", null)]
    [InlineData("{a}", "+", "$SYS", null)]
    [InlineData("plant/#", "plant/#", "plant/a/b", "")]
    public void Places_are_what_stands_in_the_topic(string text, string filter, string topic, string? places)
    {
        var template = TopicTemplate.Parse(text);
        var values = new Range[TopicTemplate.MaxPlaces];

        Assert.Equal(filter, template.Filter.ToString());
        Assert.Equal(places is not null, template.TryMatch(topic, values));
        if (places is not null)
        {
            Assert.Equal(places, string.Join(' ', template.Names.Select((name, i) => $"{name}={topic[values[i]]}")));
        }
    }

    [Theory]
    [InlineData("a/x{line}", "whole level")]
    [InlineData("a/{line}x", "whole level")]
    [InlineData("a/{}", "is no name")]
    [InlineData("a/{li ne}", "is no name")]
    [InlineData("a/{*all}/b", "last level")]
    [InlineData("{a}/{a}", "stands twice")]
    [InlineData("a/#/{b}", "#")]
    public void What_is_no_template_is_told_why(string text, string mentions)
    {
        Assert.False(TopicTemplate.TryParse(text, out _, out string? error));
        Assert.Contains(mentions, error, StringComparison.Ordinal);
        Assert.Contains(mentions, Assert.Throws<FormatException>(() => TopicTemplate.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_has_at_most_as_many_places_as_it_says()
    {
        string Places(int count) => string.Join('/', Enumerable.Range(0, count).Select(i => $"{{p{i}}}"));

        Assert.Equal(TopicTemplate.MaxPlaces, TopicTemplate.Parse(Places(TopicTemplate.MaxPlaces)).Names.Count);
        Assert.False(TopicTemplate.TryParse(Places(TopicTemplate.MaxPlaces + 1), out _, out _));
    }

    [Fact]
    public void Matching_allocates_nothing()
    {
        var template = TopicTemplate.Parse("plant/{line}/{sensor}");
        var values = new Range[TopicTemplate.MaxPlaces];
        template.TryMatch("plant/a/b", values);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            template.TryMatch("plant/a/b", values);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_header_is_found_whatever_its_case_and_the_first_one_wins()
    {
        var headers = Decoding.Headers(("Trace", "1"), ("trace", "2"), ("other", "3"));

        Assert.Equal(3, headers.Count);
        Assert.Equal("1", headers.Find("TRACE"));
        Assert.Equal(KeyValuePair.Create("trace", "2"), headers[1]);
        Assert.Null(headers.Find("trac"));
        Assert.Null(default(PayloadHeaders).Find("trace"));
        Assert.Equal(0, default(PayloadHeaders).Count);
    }
}
