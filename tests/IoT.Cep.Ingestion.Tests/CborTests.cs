using System.Buffers;
using System.Formats.Cbor;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct OneNumber([Field("v")] double Value);

[Event]
internal readonly partial record struct OneWhole([Field("v")] long Value);

[Event]
internal readonly partial record struct OneText([Field("v")] string Value);

[Event]
internal readonly partial record struct OneTime([Field("v")] DateTimeOffset Value);

[Event]
internal readonly partial record struct OneFlag([Field("v")] bool? Value);

[Event]
internal readonly partial record struct Numbered([EventKey, Field(Number = -1)] string Sensor, [Field("temperature", Number = 1)] double Celsius, [Field(Number = 300)] int Count);

/// <summary>RFC 8949: the vectors of its appendices A and F, and System.Formats.Cbor beside them.</summary>
public sealed class CborTests
{
    // Appendix A: every item of its table, and what it is as a number where it is one.
    public static TheoryData<string, double?> Vectors => new()
    {
        { "00", 0 }, { "01", 1 }, { "0a", 10 }, { "17", 23 }, { "1818", 24 }, { "1819", 25 }, { "1864", 100 }, { "1903e8", 1000 }, { "1a000f4240", 1000000 },
        { "1b000000e8d4a51000", 1000000000000 }, { "1bffffffffffffffff", 18446744073709551615 }, { "c249010000000000000000", null }, { "3bffffffffffffffff", -18446744073709551616d },
        { "c349010000000000000000", null }, { "20", -1 }, { "29", -10 }, { "3863", -100 }, { "3903e7", -1000 }, { "f90000", 0 }, { "f98000", -0.0 }, { "f93c00", 1 },
        { "fb3ff199999999999a", 1.1 }, { "f93e00", 1.5 }, { "f97bff", 65504 }, { "fa47c35000", 100000 }, { "fa7f7fffff", 3.4028234663852886e+38 }, { "fb7e37e43c8800759c", 1.0e+300 },
        { "f90001", 5.960464477539063e-8 }, { "f90400", 0.00006103515625 }, { "f9c400", -4 }, { "fbc010666666666666", -4.1 }, { "f97c00", null }, { "f97e00", null }, { "f9fc00", null },
        { "fa7f800000", null }, { "fa7fc00000", null }, { "faff800000", null }, { "fb7ff0000000000000", null }, { "fb7ff8000000000000", null }, { "fbfff0000000000000", null },
        { "f4", null }, { "f5", null }, { "f6", null }, { "f7", null }, { "f0", null }, { "f8ff", null }, { "c074323031332d30332d32315432303a30343a30305a", null }, { "c11a514b67b0", 1363896240 },
        { "c1fb41d452d9ec200000", 1363896240.5 }, { "d74401020304", null }, { "d818456449455446", null }, { "d82076687474703a2f2f7777772e6578616d706c652e636f6d", null }, { "40", null },
        { "4401020304", null }, { "60", null }, { "6161", null }, { "6449455446", null }, { "62225c", null }, { "62c3bc", null }, { "63e6b0b4", null }, { "64f0908591", null }, { "80", null },
        { "83010203", null }, { "8301820203820405", null }, { "98190102030405060708090a0b0c0d0e0f101112131415161718181819", null }, { "a0", null }, { "a201020304", null },
        { "a26161016162820203", null }, { "826161a161626163", null }, { "a56161614161626142616361436164614461656145", null }, { "5f42010243030405ff", null }, { "7f657374726561646d696e67ff", null },
        { "9fff", null }, { "9f018202039f0405ffff", null }, { "9f01820203820405ff", null }, { "83018202039f0405ff", null }, { "83019f0203ff820405", null },
        { "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", null }, { "bf61610161629f0203ffff", null }, { "826161bf61626163ff", null }, { "bf6346756ef563416d7421ff", null },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Every_item_of_the_RFC_is_read_or_refused_by_its_type_and_passed_over_where_it_is_not_wanted(string hex, double? number)
    {
        var wanted = Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a16176" + hex));
        if (number is { } value)
        {
            Assert.Equal(BitConverter.DoubleToInt64Bits(value), BitConverter.DoubleToInt64Bits(wanted.Single().Value));
        }
        else
        {
            Assert.True(wanted.Reason is DeadLetterReason.WrongType or DeadLetterReason.OutOfRange, wanted.Detail);
        }

        Assert.Equal(7, Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a2" + "6178" + hex + "617607")).Single().Value);
        Assert.Equal(7, Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("bf" + hex + hex + "617607ff")).Single().Value);
    }

    // Appendix F.1: what is not well-formed, by kind.
    [Theory]
    [InlineData("18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000")]
    [InlineData("41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203")]
    [InlineData("81 818181818181818181 8200 a1 a20102 a100 a2000000")]
    [InlineData("c0 5f4100 7f6100 9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff")]
    [InlineData("1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe")]
    [InlineData("f800 f801 f818 f81f")]
    [InlineData("5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff")]
    [InlineData("ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffff")]
    [InlineData("bf00ff bf000000ff 1f 3f df")]
    public void What_is_not_well_formed_is_a_dead_letter(string items)
    {
        foreach (string hex in items.Split(' '))
        {
            Assert.True(Decoding.Run(Cbor.Decode<OneNumber>(), Bytes(hex)).Reason is DeadLetterReason.Malformed or DeadLetterReason.WrongType, hex);
            Assert.True(Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a2" + "617607" + "6178" + hex)).Reason is DeadLetterReason.Malformed, hex);
        }
    }

    [Theory]
    [InlineData("1b7fffffffffffffff", long.MaxValue)]
    [InlineData("3b7fffffffffffffff", long.MinValue)]
    [InlineData("f93c00", 1L)]
    [InlineData("fb4340000000000000", 1L << 53)]
    [InlineData("1b8000000000000000", null)]
    [InlineData("3b8000000000000000", null)]
    [InlineData("f93e00", null)]
    [InlineData("fb4350000000000000", null)]
    public void A_whole_number_fits_or_is_a_dead_letter(string hex, long? value)
    {
        var outcome = Decoding.Run(Cbor.Decode<OneWhole>(), Bytes("a16176" + hex));
        Assert.Equal(value, outcome.Reason is null ? outcome.Single().Value : null);
    }

    [Theory]
    [InlineData("c48221196ab3", 273.15)]
    [InlineData("c4822001", 0.1)]
    [InlineData("c4820119ffff", 655350)]
    [InlineData("c48239012b1b7fffffffffffffff", 9.223372036854775807e-282)]
    public void A_decimal_fraction_is_a_number(string hex, double value) => Assert.Equal(value, Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a16176" + hex)).Single().Value);

    [Theory]
    [InlineData("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z")]
    [InlineData("74323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z")]
    [InlineData("c11a514b67b0", "2013-03-21T20:04:00Z")]
    [InlineData("c1fb41d452d9ec200000", "2013-03-21T20:04:00.5Z")]
    [InlineData("c120", "1969-12-31T23:59:59Z")]
    [InlineData("1b0000013d8e8d0974", "2013-03-21T20:04:00.500Z")]
    [InlineData("c11b0000013d8e8ed3f4", "45190-01-01")]
    [InlineData("f5", null)]
    public void A_time_is_text_or_seconds(string hex, string? time)
    {
        var outcome = Decoding.Run(Cbor.Decode<OneTime>(), Bytes("a16176" + hex));
        if (time is null || time.StartsWith('4'))
        {
            outcome.IsRejected(time is null ? DeadLetterReason.WrongType : DeadLetterReason.OutOfRange, "v");
        }
        else
        {
            Assert.Equal(Decoding.At(time), Ticks.From(outcome.Single().Value));
        }
    }

    [Theory]
    [InlineData("7f657374726561646d696e67ff", "streaming")]
    [InlineData("7fff", "")]
    [InlineData("d9d9f7626162", "ab")]
    public void Chunks_of_a_text_are_put_together(string hex, string text) => Assert.Equal(text, Decoding.Run(Cbor.Decode<OneText>(), Bytes("a16176" + hex)).Single().Value);

    [Theory]
    [InlineData("61ff")]
    [InlineData("7f61c361bcff")]
    public void Text_that_is_not_UTF8_is_a_dead_letter(string hex)
    {
        Decoding.Run(Cbor.Decode<OneText>(), Bytes("a16176" + hex)).IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a2617607" + "6178" + hex)).IsRejected(DeadLetterReason.Malformed);
    }

    [Fact]
    public void Null_and_undefined_are_null()
    {
        Assert.Null(Decoding.Run(Cbor.Decode<OneFlag>(), Bytes("a16176f6")).Single().Value);
        Assert.Null(Decoding.Run(Cbor.Decode<OneFlag>(), Bytes("a16176f7")).Single().Value);
        Assert.True(Decoding.Run(Cbor.Decode<OneFlag>(), Bytes("a16176f5")).Single().Value);
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a16176f6")).IsRejected(DeadLetterReason.WrongType, "v");
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a0")).IsRejected(DeadLetterReason.MissingField, "v");
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("a2617601617602")).IsRejected(DeadLetterReason.DuplicateField, "v");
    }

    [Fact]
    public void Keys_are_names_or_numbers_in_any_order()
    {
        // {1: 21.5, 300: 2, -1: "a", 7: [1]} and the same by names, with indefinite lengths.
        var expected = new Numbered("a", 21.5, 2);
        Assert.Equal(expected, Decoding.Run(Cbor.Decode<Numbered>(), Bytes("a4" + "01f94d60" + "19012c02" + "206161" + "078101")).Single());
        Assert.Equal(expected, Decoding.Run(Cbor.Decode<Numbered>(), Bytes("bf" + "65636f756e7402" + "7f6673656e736f72ff6161" + "6b74656d7065726174757265f94d60" + "ff")).Single());
        Assert.Equal(expected, Decoding.Run(Cbor.Decode<Numbered>(), Convert.FromHexString("a3206161" + "01f94d60" + "19012c02")).Single());
        Assert.Equal("A320616101F94D6019012C02", Convert.ToHexString(Encoded(Cbor.Encode<Numbered>(byNumber: true), expected)));
        Assert.Equal("A36673656E736F7261616B74656D7065726174757265F94D6065636F756E7402", Convert.ToHexString(Encoded(Cbor.Encode<Numbered>(), expected)));
    }

    [Fact]
    public void An_array_of_maps_and_a_sequence_are_many_events()
    {
        double[] Values(string hex) => [.. Decoding.Run(Cbor.Decode<OneNumber>(), Bytes(hex)).Events.Select(e => e.Value)];

        Assert.Equal([1, 2], Values("82a1617601a1617602"));
        Assert.Equal([1, 2], Values("9fa1617601bf617602ffff"));
        Assert.Equal([1, 2, 3], Values("a161760182a1617602a1617603"));
        Assert.Empty(Values("80"));
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("")).IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("82a1617601")).IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(Cbor.Decode<OneNumber>(), Bytes("82a161760101")).IsRejected(DeadLetterReason.WrongType, "map");
        Decoding.Run(Cbor.Decode<OneNumber>(new PayloadLimits(MaxEvents: 1)), Bytes("82a1617601a1617602")).IsRejected(DeadLetterReason.TooLarge);
    }

    [Fact]
    public void Deep_nesting_is_refused_without_using_the_stack()
    {
        byte[] nested = [0xA1, 0x61, (byte)'x', .. Enumerable.Repeat((byte)0x81, 500_000)];
        Decoding.Run(Cbor.Decode<OneNumber>(), nested).IsRejected(DeadLetterReason.TooDeep);
        byte[] tagged = [0xA1, 0x61, (byte)'x', .. Enumerable.Repeat((byte)0xC1, 500_000)];
        Decoding.Run(Cbor.Decode<OneNumber>(), tagged).IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(Cbor.Decode<OneText>(new PayloadLimits(MaxTextBytes: 3)), Bytes("a161766461626364")).IsRejected(DeadLetterReason.OutOfRange, "v");
    }

    [Fact]
    public void Items_are_passed_over_as_the_framework_passes_them_over()
    {
        var random = new Random(Fuzz.Seed);
        string[] vectors = [.. Vectors.Select(row => (string)row[0])];
        int accepted = 0;
        for (int run = 0; run < 50_000; run++)
        {
            byte[] bytes = [.. Bytes(vectors[random.Next(vectors.Length)]), .. Bytes(vectors[random.Next(vectors.Length)])];
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var scanner = new CborScanner(bytes, 64);
            bool isSkipped = scanner.TrySkip();
            int? theirs = Skip(bytes);
            accepted += isSkipped ? 1 : 0;
            if (isSkipped)
            {
                Assert.Equal((Convert.ToHexString(bytes), (int?)scanner.Position), (Convert.ToHexString(bytes), theirs));
            }
            else if (theirs is { } length)
            {
                // The framework's lax mode looks neither at text nor at tags' ends.
                Assert.True(!IsText(bytes.AsSpan(0, length)), Convert.ToHexString(bytes));
            }
        }

        Assert.InRange(accepted, 10_000, 50_000);
    }

    [Fact]
    public void What_is_written_the_framework_reads_in_its_strictest_mode()
    {
        var reader = new CborReader(Encoded(Cbor.Encode<Rich>(), FormatTests.Example), CborConformanceMode.Strict);
        Assert.Equal(14, reader.ReadStartMap());
        Assert.Equal("time", reader.ReadTextString());
        Assert.Equal(FormatTests.Example.Time, reader.ReadUnixTimeSeconds());
        for (int i = 0; i < 13; i++)
        {
            Assert.Equal(CborReaderState.TextString, reader.PeekState());
            reader.SkipValue();
            reader.SkipValue();
        }

        reader.ReadEndMap();
        Assert.Equal(0, reader.BytesRemaining);
    }

    private static bool IsText(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var strict = new CborReader(bytes.ToArray(), CborConformanceMode.Strict);
            strict.SkipValue();
            return !bytes.ContainsAnyInRange((byte)0x60, (byte)0x7F);
        }
        catch (CborContentException)
        {
            return false;
        }
    }

    private static int? Skip(byte[] bytes)
    {
        var reader = new CborReader(bytes, CborConformanceMode.Lax, allowMultipleRootLevelValues: true);
        try
        {
            reader.SkipValue();
            return bytes.Length - reader.BytesRemaining;
        }
        catch (Exception e) when (e is CborContentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static byte[] Encoded<T>(Encoder<T> encoder, T value)
    {
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(in value, output);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex);
}
