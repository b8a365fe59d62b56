using System.Buffers;
using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public sealed class MeasurementsTests
{
    private static readonly long _received = Ticks.From(DateTimeOffset.UnixEpoch.AddDays(20_000));

    [Theory]
    [InlineData("""{"sensor":"s","time":"2026-01-01T00:00:00Z","t":21.5,"ok":true,"state":"open","none":null}""", "s t 21.5@2026", "s ok True@2026", "s state open@2026")]
    [InlineData("""{"a":{"b":{"c":1}},"d":[1,[2,3]]}""", "topic a.b.c 1", "topic d[0] 1", "topic d[1][0] 2", "topic d[1][1] 3")]
    [InlineData("""[{"id":7,"v":1},{"id":8,"v":2}]""", "7 v 1", "8 v 2")]
    [InlineData("""{"device":"d","data":[{"name":"temp","value":1,"unit":"C"},{"name":"hum","value":2}]}""", "d data.temp 1 C", "d data.hum 2")]
    [InlineData("{\"a\":1}\n{\"a\":2}\n", "topic a 1", "topic a 2")]
    [InlineData("""{"DEVICE_ID":"x","Timestamp":1767225600000,"p":1}""", "x p 1@2026")]
    [InlineData("21.5", "topic value 21.5")]
    [InlineData(" true\n", "topic value True")]
    [InlineData("on fire", "topic value on fire")]
    [InlineData("[1,2]", "topic value 1", "topic value 2")]
    [InlineData("""[{"bn":"urn:dev:1:","n":"t","v":1,"u":"Cel"},{"n":"h","vs":"x"}]""", "urn:dev:1 t 1 Cel", "urn:dev:1 h x")]
    [InlineData("id;t;h\na;1;2\nb;3;\n", "a t 1", "a h 2", "b t 3")]
    [InlineData("weather,station=7,place=a\\ b temp=21.5,wind=3i,rain=f,sky=\"a, b\" 1767225600000000000\nroom temp=1", "7 temp 21.5@2026", "7 wind 3@2026", "7 rain f@2026", "7 sky a, b@2026", "room temp 1")]
    public void Values_come_out_of_any_format(string payload, params string[] expected) => Assert.Equal(expected, Decode(Encoding.UTF8.GetBytes(payload)).Values);

    [Theory]
    [InlineData("", DeadLetterReason.Malformed)]
    [InlineData("{\"a\":", DeadLetterReason.Malformed)]
    [InlineData("{\"a\":1}}", DeadLetterReason.Malformed)]
    [InlineData("{\"a\":1e999}", DeadLetterReason.OutOfRange)]
    [InlineData("a=1,b", DeadLetterReason.Malformed, MeasurementFormat.Line)]
    [InlineData("m f=1 when", DeadLetterReason.Malformed, MeasurementFormat.Line)]
    [InlineData("a,b\n1,2,3\n", DeadLetterReason.Malformed)]
    public void What_cannot_be_read_is_a_dead_letter_whole(string payload, DeadLetterReason reason, MeasurementFormat format = MeasurementFormat.Auto)
    {
        var (values, rejection) = Decode(Encoding.UTF8.GetBytes(payload), format);
        Assert.Equal(reason, rejection);
        Assert.Empty(values);
    }

    [Fact]
    public void Depth_count_and_length_are_bounded()
    {
        Assert.Equal(DeadLetterReason.TooDeep, Decode(Encoding.UTF8.GetBytes(new string('[', 17) + "1" + new string(']', 17))).Rejection);
        Assert.Equal(DeadLetterReason.TooLarge, Decode(Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Repeat("1", 10_001)) + "]")).Rejection);
        Assert.Equal(DeadLetterReason.OutOfRange, Decode(Encoding.UTF8.GetBytes($"\"{new string('x', 5000)}\"")).Rejection);
        Assert.Equal(DeadLetterReason.TooLarge, Decode(new byte[(1 << 20) + 1]).Rejection);
    }

    [Fact]
    public void Any_bytes_give_values_or_a_dead_letter()
    {
        byte[][] seeds =
        [
            """{"sensor":"s","time":"2026-01-01T00:00:00Z","t":21.5,"a":[{"b":true}]}"""u8.ToArray(), """[{"bn":"s/","n":"t","v":1}]"""u8.ToArray(),
            Convert.FromHexString("A36673656E736F726273316474696D65C11A6955C0086B74656D7065726174757265FB4035800000000000"),
            Convert.FromHexString("81A4216373312F221A6955C008006B74656D706572617475726502FB4035800000000000"), Convert.FromHexString("BF61619F01F97E00FFFF"),
            "time,sensor,t\n1,2,\"3\"\n"u8.ToArray(), "m,id=s f=1,g=\"x\" 1767225600000000000"u8.ToArray(), "21.5"u8.ToArray(),
        ];
        const int Seed = 20_260;
        var random = new Random(Seed);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. seeds[random.Next(seeds.Length)]];
            for (int k = random.Next(4); k >= 0; k--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var (values, rejection) = Decode(bytes[..random.Next(1, bytes.Length + 1)], (MeasurementFormat)random.Next(7));
            Assert.True(rejection is null || values.Count == 0, $"seed {Seed}, round {i}");
        }
    }

    [Theory]
    [InlineData("v=21.5", "topic v 21.5")]
    [InlineData("temp=21.5&state=on%20fire&dev=d7&time=2026-01-01T00%3A00%3A00Z", "d7 temp 21.5@2026", "d7 state on fire@2026")]
    [InlineData("%F0%28%8C=1&&=", "topic \uFFFD(\uFFFD 1")]
    [InlineData("")]
    [InlineData("v", "topic value v")]
    [InlineData("v=")]
    [InlineData("21.5", "topic value 21.5")]
    [InlineData("""{"a":1}""", "topic a 1")]
    [InlineData("m,id=s f=1", "s f 1")]
    public void A_form_is_a_row(string form, params string[] expected)
    {
        var (values, rejection) = Decode(System.Text.Encoding.UTF8.GetBytes(form), contentType: "application/x-www-form-urlencoded; charset=utf-8");
        Assert.Equal(expected, values);
        Assert.Equal(expected.Length == 0, rejection is not null);
    }

    private static (List<string> Values, DeadLetterReason? Rejection) Decode(
        byte[] payload, MeasurementFormat format = MeasurementFormat.Auto, string? contentType = null)
    {
        using var output = new EventBuffer<Measurement>(new StringPool(64));
        output.BeginMessage(_received);
        Measurements.Decode(format).Decode(new Payload(new ReadOnlySequence<byte>(payload), "topic") { ContentType = contentType }, output);
        var values = new List<string>();
        foreach (var m in output.Events)
        {
            string value = m.Number?.ToString(CultureInfo.InvariantCulture) ?? m.Boolean?.ToString() ?? m.Text ?? "";
            values.Add($"{m.Sensor} {m.Name} {value}{(m.Unit is null ? "" : " " + m.Unit)}{(Ticks.From(m.Time) == _received ? "" : $"@{m.Time.Year}")}");
        }

        return (values, output.Rejection);
    }
}
