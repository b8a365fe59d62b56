using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class FormTests
{
    private static readonly Decoder<Sample> _decoder = Form.Decode<Sample>();
    private static readonly long _time = Decoding.At("2026-01-01T12:30:00Z");

    [Theory]
    [InlineData("sensor=a&temperature=21.5", "a", 21.5)]
    [InlineData("temperature=-1e3&sensor=a", "a", -1000)]
    [InlineData("sensor=a+b%2fc%C3%A9&temperature=1", "a b/cé", 1)]
    [InlineData("&&sensor=a&other=%41&temperature=1&", "a", 1)]
    [InlineData("s%65nsor=a&%74emperature=1", "a", 1)]
    public void Fields_are_read_by_their_names(string form, string sensor, double temperature) =>
        Assert.Equal(new Sample(_time, sensor, temperature, null, false), Decoding.Run(_decoder, form + "&time=2026-01-01T12%3A30%3A00Z").Single());

    [Fact]
    public void Every_kind_of_field_is_read_and_an_empty_one_is_null()
    {
        Assert.Equal(new Sample(_time, "a", 1, 17, true), Decoding.Run(_decoder, "time=1767270600&sensor=a&temperature=1&count=17&ok=TRUE").Single());
        Assert.Equal(new Sample(_time, "a", 1, null, true), Decoding.Run(_decoder, "time=1767270600000&sensor=a&temperature=1&count=&ok=1").Single());
    }

    [Theory]
    [InlineData("temperature=1&time=1", DeadLetterReason.MissingField, "sensor")]
    [InlineData("", DeadLetterReason.MissingField, "time")]
    [InlineData("sensor=a&temperature=warm", DeadLetterReason.WrongType, "temperature")]
    [InlineData("sensor=a&temperature=1e999", DeadLetterReason.OutOfRange, "temperature")]
    [InlineData("sensor=a&temperature=NaN", DeadLetterReason.WrongType, "temperature")]
    [InlineData("sensor=a&temperature=1&temperature=2", DeadLetterReason.DuplicateField, "temperature")]
    [InlineData("sensor=a&temperature=1&count=1.5", DeadLetterReason.WrongType, "count")]
    [InlineData("sensor=a&temperature=1&ok=maybe", DeadLetterReason.WrongType, "ok")]
    [InlineData("sensor=a&temperature=1&time=soon", DeadLetterReason.WrongType, "time")]
    [InlineData("sensor=%4&temperature=1", DeadLetterReason.Malformed, "percent")]
    [InlineData("sensor=%zz&temperature=1", DeadLetterReason.Malformed, "percent")]
    [InlineData("sensor=%FF&temperature=1", DeadLetterReason.Malformed, "UTF-8")]
    public void What_is_wrong_is_named(string form, DeadLetterReason reason, string mentions) =>
        Decoding.Run(_decoder, form).IsRejected(reason, mentions);

    [Fact]
    public void What_the_topic_says_counts_whatever_the_form_says()
    {
        var template = TopicTemplate.Parse("t/{sensor}");
        using var buffer = new EventBuffer<Sample>(new StringPool(64));
        buffer.BeginMessage(0);

        _decoder.Decode(new Payload(new ReadOnlySequence<byte>("temperature=1&sensor=other&time=1767270600"u8.ToArray()), "t/dev é") { Template = template }, buffer);

        Assert.Equal([new Sample(_time, "dev é", 1, null, false)], buffer.Events.ToArray());
    }

    [Fact]
    public void Bytes_of_any_kind_are_an_event_or_a_dead_letter()
    {
        var random = new Random(7);
        byte[] alphabet = Encoding.ASCII.GetBytes("sensor=temperature&%+ab0159.");
        for (int i = 0; i < 5000; i++)
        {
            byte[] bytes = new byte[random.Next(40)];
            for (int j = 0; j < bytes.Length; j++)
            {
                bytes[j] = random.Next(8) == 0 ? (byte)random.Next(256) : alphabet[random.Next(alphabet.Length)];
            }

            Decoding.Once(_decoder, new ReadOnlySequence<byte>(bytes));
        }
    }
}
