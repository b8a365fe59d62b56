using System.Buffers;
using FsCheck.Xunit;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct ProtoReading(
    [EventTime, Field(Number = 1)] DateTimeOffset Time, [EventKey, Field(Number = 2)] string Sensor, [Field(Number = 3)] double Value,
    [Field(Number = 100, Scale = 0.1, Form = WholeNumberForm.ZigZag)] double Tenths, [Field(Number = 5)] int? Maybe, [Field(Number = 6)] Level Level);

[Event]
internal readonly partial record struct BadNumber([Field(Number = 19_500)] double Value);

[Event]
internal readonly partial record struct NoNumber(double Value);

[Event]
internal readonly partial record struct TwinNumbers([Field(Number = 1)] double A, [Field(Number = 1)] double B);

/// <summary>The wire format, with Google's own reader and writer on the other side.</summary>
public sealed class ProtobufTests
{
    [Property(MaxTest = 1000)]
    public void What_Google_writes_is_read(long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag)
    {
        var value = RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag);
        var outcome = Decoding.Once(Protobuf.Decode<Rich>(), new ReadOnlySequence<byte>(Google(value)));
        Assert.Equal(("", value), (outcome.Detail, outcome.Single()));
    }

    [Property(MaxTest = 1000)]
    public void What_is_written_Google_reads(long time, string sensor, double number, int count, long total, bool ok, int level, string note, float small, double? maybe, long? serial, long? since, bool? flag)
    {
        var value = RichEvents.Make(time, sensor, number, count, total, ok, level, note, small, maybe, serial, since, flag);
        var output = new ArrayBufferWriter<byte>();
        Protobuf.Encode<Rich>().Encode(value, output);
        var input = new CodedInputStream(output.WrittenSpan.ToArray());
        var read = default(Rich) with { Note = "", Sensor = "" };
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            read = (tag >> 3) switch
            {
                1 => read with { Time = Stamp(input) },
                2 => read with { Sensor = input.ReadString() },
                3 => read with { Celsius = input.ReadDouble() },
                4 => read with { Count = input.ReadSInt32() },
                5 => read with { Total = input.ReadInt64() },
                6 => read with { Ok = input.ReadBool() },
                7 => read with { Level = (Level)input.ReadEnum() },
                8 => read with { Note = input.ReadString() },
                9 => read with { Small = (float)input.ReadDouble() },
                10 => read with { Maybe = input.ReadDouble() },
                11 => read with { Serial = input.ReadFixed64() },
                12 => read with { Since = Stamp(input) },
                13 => read with { Flag = input.ReadBool() },
                _ => read with { Balance = input.ReadSFixed64() },
            };
        }

        Assert.Equal(value, read);
    }

    [Fact]
    public void What_equals_its_default_is_not_sent_and_read_all_the_same()
    {
        byte[] onlyTime = Message(w => Write(w, 1, new Timestamp { Seconds = 5, Nanos = 100 }));

        Assert.Equal(new ProtoReading(Ticks.ToTime((5 * TimeSpan.TicksPerSecond) + 1), "", 0, 0, null, Level.None), Decoding.Run(Protobuf.Decode<ProtoReading>(), onlyTime).Single());
        Decoding.Run(Protobuf.Decode<ProtoReading>(), []).IsRejected(DeadLetterReason.MissingField, "time");
    }

    [Fact]
    public void Unknown_fields_of_every_kind_are_passed_over_and_groups_refused()
    {
        byte[] Known() => Message(w => Write(w, 1, new Timestamp { Seconds = 5 }));
        byte[] unknown = Message(w =>
        {
            w.WriteTag(50, WireFormat.WireType.Varint);
            w.WriteInt64(-1);
            w.WriteTag(5000, WireFormat.WireType.Fixed64);
            w.WriteFixed64(7);
            w.WriteTag(51, WireFormat.WireType.Fixed32);
            w.WriteFixed32(7);
            w.WriteTag(52, WireFormat.WireType.LengthDelimited);
            w.WriteBytes(ByteString.CopyFrom(1, 2, 3));
        });

        Assert.Equal(5, Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. unknown, .. Known(), .. unknown]).Single().Time.ToUnixTimeSeconds());
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), 0x9B, 0x03, 0x9C, 0x03]).IsRejected(DeadLetterReason.Malformed, "group");
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), 0x02]).IsRejected(DeadLetterReason.Malformed, "no number");
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), 0x9F, 0x03]).IsRejected(DeadLetterReason.Malformed);
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), .. Known()]).IsRejected(DeadLetterReason.DuplicateField, "time");
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), 0x1A, 0x00]).IsRejected(DeadLetterReason.WrongType, "value");
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [.. Known(), 0x30, 0x63]).IsRejected(DeadLetterReason.OutOfRange, "level");
        Decoding.Run(Protobuf.Decode<ProtoReading>(), [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]).IsRejected(DeadLetterReason.Malformed);
    }

    [Theory]
    [InlineData(0, 1_000_000_000)]
    [InlineData(0, -1)]
    [InlineData(253_402_300_800, 0)]
    [InlineData(long.MinValue, 0)]
    [InlineData(long.MaxValue, 0)]
    public void A_timestamp_outside_of_its_range_is_a_dead_letter(long seconds, long nanoseconds)
    {
        byte[] stamp = Message(w =>
        {
            w.WriteTag(1, WireFormat.WireType.Varint);
            w.WriteInt64(seconds);
            w.WriteTag(2, WireFormat.WireType.Varint);
            w.WriteInt64(nanoseconds);
        });
        byte[] message = Message(w =>
        {
            w.WriteTag(1, WireFormat.WireType.LengthDelimited);
            w.WriteBytes(ByteString.CopyFrom(stamp));
        });
        Decoding.Run(Protobuf.Decode<ProtoReading>(), message).IsRejected(DeadLetterReason.OutOfRange, "time");
    }

    [Fact]
    public void Times_may_be_numbers_and_numbers_may_be_scaled_whole_numbers_or_floats()
    {
        byte[] message = Message(w =>
        {
            w.WriteTag(1, WireFormat.WireType.Varint);
            w.WriteInt64(1_767_225_600_500);
            w.WriteTag(100, WireFormat.WireType.Varint);
            w.WriteSInt64(-215);
            w.WriteTag(3, WireFormat.WireType.Fixed32);
            w.WriteFloat(0.5f);
        });

        Assert.Equal(
            new ProtoReading(Ticks.ToTime(Decoding.At("2026-01-01T00:00:00.5Z")), "", 0.5, -21.5, null, Level.None), Decoding.Run(Protobuf.Decode<ProtoReading>(), message).Single());
    }

    [Fact]
    public void A_payload_may_repeat_the_message()
    {
        byte[] one = Google(FormatTests.Example), two = Google(FormatTests.Example with { Count = 9 });
        byte[] both = Message(w =>
        {
            foreach (byte[] message in (byte[][])[one, two])
            {
                w.WriteTag(4, WireFormat.WireType.LengthDelimited);
                w.WriteBytes(ByteString.CopyFrom(message));
                w.WriteTag(9, WireFormat.WireType.Varint);
                w.WriteInt64(1);
            }
        });

        Assert.Equal([-3, 9], Decoding.Run(Protobuf.Decode<Rich>(repeated: 4), both).Events.Select(e => e.Count));
        Decoding.Run(Protobuf.Decode<Rich>(repeated: 4, new PayloadLimits(MaxEvents: 1)), both).IsRejected(DeadLetterReason.TooLarge);
        Decoding.Run(Protobuf.Decode<Rich>(repeated: 4), both[..^20]).IsRejected(DeadLetterReason.Malformed);
    }

    [Fact]
    public void Members_need_numbers_of_their_own()
    {
        Assert.Contains("[Field(Number", Assert.Throws<ArgumentException>(() => Protobuf.Decode<NoNumber>()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Protobuf.Decode<BadNumber>());
        Assert.Throws<ArgumentException>(() => Protobuf.Encode<TwinNumbers>());
    }

    private static DateTimeOffset Stamp(CodedInputStream input)
    {
        var stamp = new Timestamp();
        input.ReadMessage(stamp);
        return stamp.ToDateTimeOffset();
    }

    private static void Write(CodedOutputStream output, int number, Timestamp stamp)
    {
        output.WriteTag(number, WireFormat.WireType.LengthDelimited);
        output.WriteMessage(stamp);
    }

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        using (var output = new CodedOutputStream(bytes, leaveOpen: true))
        {
            write(output);
        }

        return bytes.ToArray();
    }

    // As a generated class of proto3 writes: defaults are left out.
    private static byte[] Google(Rich value) => Message(w =>
    {
        Write(w, 1, Timestamp.FromDateTimeOffset(value.Time));
        void Tagged(bool isSent, int number, WireFormat.WireType type, Action write)
        {
            if (isSent)
            {
                w.WriteTag(number, type);
                write();
            }
        }

        Tagged(true, 14, WireFormat.WireType.Fixed64, () => w.WriteSFixed64(value.Balance));
        Tagged(value.Sensor.Length > 0, 2, WireFormat.WireType.LengthDelimited, () => w.WriteString(value.Sensor));
        Tagged(BitConverter.DoubleToInt64Bits(value.Celsius) != 0, 3, WireFormat.WireType.Fixed64, () => w.WriteDouble(value.Celsius));
        Tagged(value.Count != 0, 4, WireFormat.WireType.Varint, () => w.WriteSInt32(value.Count));
        Tagged(value.Total != 0, 5, WireFormat.WireType.Varint, () => w.WriteInt64(value.Total));
        Tagged(value.Ok, 6, WireFormat.WireType.Varint, () => w.WriteBool(value.Ok));
        Tagged(value.Level != Level.None, 7, WireFormat.WireType.Varint, () => w.WriteEnum((int)value.Level));
        Tagged(value.Note.Length > 0, 8, WireFormat.WireType.LengthDelimited, () => w.WriteString(value.Note));
        Tagged(BitConverter.SingleToInt32Bits(value.Small) != 0, 9, WireFormat.WireType.Fixed32, () => w.WriteFloat(value.Small));
        Tagged(value.Maybe is not null, 10, WireFormat.WireType.Fixed64, () => w.WriteDouble(value.Maybe!.Value));
        Tagged(value.Serial is not null, 11, WireFormat.WireType.Fixed64, () => w.WriteFixed64(value.Serial!.Value));
        Tagged(value.Flag is not null, 13, WireFormat.WireType.Varint, () => w.WriteBool(value.Flag!.Value));
        if (value.Since is { } since)
        {
            Write(w, 12, Timestamp.FromDateTimeOffset(since));
        }
    });
}
