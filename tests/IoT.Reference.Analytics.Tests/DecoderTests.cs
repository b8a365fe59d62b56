using System.Buffers;
using System.Text;

using IoT.Cep.Extensibility;
using IoT.Reference.Analytics.Ingest;

namespace IoT.Reference.Analytics.Tests;

public sealed class DecoderTests : IDisposable
{
    private readonly ReadingDecoder _decoder = new();
    private readonly EventBuffer<Reading> _output = new(new StringPool());

    public void Dispose()
    {
        _decoder.Dispose();
        _output.Dispose();
    }

    [Fact]
    public void The_device_is_the_topics_and_never_the_bodys()
    {
        var reading = Assert.Single(Decode("t/dev1", """{"device":"dev2","temperature":21.5}"""));
        Assert.Equal(("dev1", "temperature", 21.5), (reading.Device, reading.Name, reading.Value));
    }

    [Theory]
    [InlineData("""[{"bt":1767225600,"n":"temperature","u":"Cel","v":21.5},{"n":"load","v":0.5}]""", 2)]
    [InlineData("""{"time":1767225600,"temperature":21.5,"text":"hello","on":true}""", 2)]
    [InlineData("21.5", 1)]
    [InlineData("""{"temperature":21.5""", 0)]
    [InlineData("", 0)]
    public void Numbers_and_booleans_of_any_format_are_readings(string body, int readings) => Assert.Equal(readings, Decode("t/dev1", body).Length);

    [Fact]
    public void A_reading_that_was_seen_is_left_out()
    {
        Assert.Single(Decode("t/dev1", """{"time":1767225600,"temperature":21.5}"""));
        Assert.Empty(Decode("t/dev1", """{"time":1767225600,"temperature":21.5}"""));
        Assert.Single(Decode("t/dev2", """{"time":1767225600,"temperature":21.5}"""));
        Assert.Equal(1, _decoder.Duplicates);
    }

    [Theory]
    [InlineData("t/")]
    [InlineData("t/Not Valid")]
    [InlineData("x/dev1")]
    public void A_topic_without_a_device_is_a_dead_letter(string topic)
    {
        Assert.Empty(Decode(topic, "21.5"));
        Assert.NotNull(_output.Rejection);
    }

    private Reading[] Decode(string topic, string body)
    {
        _output.Clear();
        _output.BeginMessage(1);
        var payload = new Payload(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)), topic, 1);
        _decoder.Decode(in payload, _output);
        return _output.Events.ToArray();
    }
}
