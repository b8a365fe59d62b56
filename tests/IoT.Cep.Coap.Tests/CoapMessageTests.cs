using System.Text;

namespace IoT.Cep.CoapTests;

public class CoapMessageTests
{
    [Fact]
    public void The_request_of_the_RFC_has_the_bytes_of_its_figure()
    {
        // RFC 7252, appendix A, figure 16: GET temperature, confirmable, message id 0x7d34, no token.
        byte[] expected = [0x40, 0x01, 0x7D, 0x34, 0xBB, .. "temperature"u8];
        byte[] options = new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, "temperature").ToArray();
        byte[] bytes = new byte[CoapDatagram.Measure(default, options, default)];
        CoapDatagram.Write(bytes, CoapType.Confirmable, CoapCode.Get, 0x7D34, default, options, default);
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public void The_response_of_the_RFC_is_read_as_its_figure_says()
    {
        // RFC 7252, appendix A, figure 18: 2.05 Content with token 0x20 and "22.3 C".
        byte[] bytes = [0x61, 0x45, 0x7D, 0x35, 0x20, 0xFF, .. "22.3 C"u8];
        Assert.Equal(CoapFormatError.None, CoapDatagram.Parse(bytes, out var message));
        Assert.Equal(CoapType.Acknowledgement, message.Type);
        Assert.Equal(CoapCode.Content, message.Code);
        Assert.Equal(0x7D35, message.MessageId);
        Assert.Equal(CoapToken.Read([0x20]), message.Token);
        Assert.Equal("22.3 C", Encoding.UTF8.GetString(message.Payload));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(268)]
    [InlineData(269)]
    [InlineData(1034)]
    public void An_option_of_each_length_class_comes_back(int length)
    {
        byte[] value = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        byte[] options = new CoapOptionBuilder().Add(65_000, value).Add(12, 50u).Add(280, value).ToArray();
        Assert.Equal(CoapFormatError.None, CoapFormat.Check(options, out int optionsLength, out _));
        Assert.Equal(options.Length, optionsLength);
        var reader = new CoapOptionReader(options);
        Assert.True(reader.Next() && reader.Number == 12 && reader.UInt() == 50);
        Assert.True(reader.Next() && reader.Number == 280 && reader.Value.SequenceEqual(value));
        Assert.True(reader.Next() && reader.Number == 65_000 && reader.Value.SequenceEqual(value));
        Assert.False(reader.Next());
    }

    [Fact]
    public void Options_of_one_number_keep_their_order()
    {
        byte[] options = new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, "a").Add(CoapOptionNumber.Observe, 0u).Add(CoapOptionNumber.UriPath, "b/c").ToArray();
        Assert.Equal("a/b%2Fc", new CoapMessage(CoapCode.Get, options).Path);
    }

    [Theory]
    [InlineData("", "TooShort")]
    [InlineData("400100", "TooShort")]
    [InlineData("80010001", "UnknownVersion")]
    [InlineData("49010001000000000000000000", "TokenLength")]
    [InlineData("4F010001", "TokenLength")]
    [InlineData("4201000101", "TokenLength")]
    [InlineData("41000001", "EmptyWithContent")]
    [InlineData("4000000100", "EmptyWithContent")]
    [InlineData("40010001F0", "OptionHeader")]
    [InlineData("400100010F", "OptionHeader")]
    [InlineData("40010001B5616263", "OptionTruncated")]
    [InlineData("40010001D0", "OptionTruncated")]
    [InlineData("40010001E001", "OptionTruncated")]
    [InlineData("400100010E01", "OptionTruncated")]
    [InlineData("40010001E0FFFF", "OptionNumber")]
    [InlineData("40010001FF", "PayloadMissing")]
    [InlineData("40010001B161FF", "PayloadMissing")]
    public void A_malformed_datagram_has_its_error(string hex, string error)
    {
        var found = CoapDatagram.Parse(Convert.FromHexString(hex), out _);
        Assert.Equal(error, found.ToString());
        Assert.NotEmpty(found.Describe());
    }

    [Fact]
    public void A_malformed_message_still_names_its_id_for_the_reset()
    {
        CoapDatagram.Parse([0x40, 0x01, 0x12, 0x34, 0xFF], out var message);
        Assert.Equal(0x1234, message.MessageId);
        Assert.Equal(CoapType.Confirmable, message.Type);
    }

    [Theory]
    [InlineData(9, 4, 9)] // OSCORE is critical and not spoken here
    [InlineData(CoapOptionNumber.Observe, 4, 0)] // elective: too long is ignored
    [InlineData(CoapOptionNumber.Accept, 3, CoapOptionNumber.Accept)]
    [InlineData(CoapOptionNumber.UriHost, 0, CoapOptionNumber.UriHost)]
    [InlineData(CoapOptionNumber.UriPath, 255, 0)]
    [InlineData(CoapOptionNumber.UriPath, 256, CoapOptionNumber.UriPath)]
    [InlineData(65_000, 3, 0)]
    [InlineData(65_001, 3, 65_001)]
    public void A_critical_option_that_cannot_be_honoured_is_found(int number, int length, int refused) =>
        Assert.Equal(refused, CoapOptionNumber.FirstRefused(new CoapOptionBuilder().Add(number, new byte[length]).ToArray()));

    [Fact]
    public void A_critical_option_that_may_not_be_repeated_is_refused_when_it_is()
    {
        Assert.Equal(CoapOptionNumber.Accept, CoapOptionNumber.FirstRefused(new CoapOptionBuilder().Add(CoapOptionNumber.Accept, 0u).Add(CoapOptionNumber.Accept, 50u).ToArray()));
        Assert.Equal(0, CoapOptionNumber.FirstRefused(new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, "a").Add(CoapOptionNumber.UriPath, "a").ToArray()));
    }

    [Theory]
    [InlineData(0, false, 0, 0u)]
    [InlineData(1, true, 6, 0x1Eu)]
    [InlineData(1_048_575, true, 7, 0xFFFFFFu)]
    public void A_block_has_the_bits_of_the_RFC(int number, bool hasMore, int exponent, uint value)
    {
        var block = new CoapBlock(number, hasMore, exponent);
        Assert.Equal(value, block.Value);
        Assert.Equal(block, CoapBlock.Read(value));
    }

    [Fact]
    public void Media_types_have_their_numbers_whatever_their_parameters()
    {
        Assert.Equal(50, CoapContentFormats.Number("application/json; charset=utf-8"));
        Assert.Equal(112, CoapContentFormats.Number("Application/SenML+CBOR"));
        Assert.Equal(-1, CoapContentFormats.Number("application/x-unheard-of"));
        Assert.Equal("application/senml+json", CoapContentFormats.MediaType(110));
        Assert.Null(CoapContentFormats.MediaType(4711));
    }

    [Fact]
    public void Any_bytes_are_a_message_or_a_clear_error()
    {
        const int Seed = 7252;
        var random = new Random(Seed);
        byte[] buffer = new byte[2048];
        int wellFormed = 0;
        for (int i = 0; i < 100_000; i++)
        {
            var bytes = buffer.AsSpan(0, random.Next(random.Next(2) == 0 ? 24 : 200));
            Hostile.Fill(random, bytes, i);
            if (CoapDatagram.Parse(bytes, out var message) != CoapFormatError.None)
            {
                continue;
            }

            wellFormed++;
            var copy = CoapMessage.Copy(message.Code, message.Options, message.Payload);
            _ = copy.Path;
            _ = copy.Block1;
            _ = copy.Texts(CoapOptionNumber.UriQuery);
            _ = CoapOptionNumber.FirstRefused(message.Options);
            byte[] again = new byte[CoapDatagram.Measure(message.Token, message.Options, message.Payload)];
            int length = CoapDatagram.Write(again, message.Type, message.Code, message.MessageId, message.Token, message.Options, message.Payload);
            Assert.Equal(again.Length, length);
            Assert.True(bytes.SequenceEqual(again), $"Seed {Seed}, datagram {i}: {Convert.ToHexString(bytes)}");
        }

        Assert.InRange(wellFormed, 1000, 99_000);
    }

    [Fact]
    public void Reading_a_datagram_allocates_nothing()
    {
        byte[] options = new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, "plant").Add(CoapOptionNumber.ContentFormat, 50u).ToArray();
        byte[] bytes = new byte[64];
        int length = CoapDatagram.Write(bytes, CoapType.Confirmable, CoapCode.Post, 1, CoapToken.Read([1, 2, 3]), options, "{}"u8);
        long sum = Read(bytes.AsSpan(0, length));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            sum += Read(bytes.AsSpan(0, length));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1001 * (11 + 12 + 2), sum);
    }

    private static long Read(ReadOnlySpan<byte> bytes)
    {
        CoapDatagram.Parse(bytes, out var message);
        long sum = message.Payload.Length;
        var reader = new CoapOptionReader(message.Options);
        while (reader.Next())
        {
            sum += reader.Number;
        }

        return sum;
    }
}
