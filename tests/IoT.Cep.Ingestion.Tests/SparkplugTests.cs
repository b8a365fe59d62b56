using System.Buffers;
using System.Globalization;
using Google.Protobuf;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>Sparkplug B: births name what data says, gaps ask for a rebirth, deaths are events.</summary>
public sealed class SparkplugTests
{
    private readonly List<SparkplugNode> _rebirths = [];
    private readonly Decoder<string> _decoder;

    public SparkplugTests() => _decoder = Make();

    [Fact]
    public void Data_is_told_by_alias_once_its_birth_was_seen()
    {
        Assert.Equal(
            ["Birth g/n bdSeq=3", "Birth g/n Temperature=20.5", "Birth g/n Door=True", "Birth g/n Make=Acme"],
            Send("NBIRTH", 0, 0, Metric("bdSeq", null, 8, w => Long(w, 3)), Metric("Temperature", 1, 10, w => Double(w, 20.5)), Metric("Door", 2, 11, w => Bool(w, true)), Metric("Make", 3, 12, w => Text(w, "Acme"))));
        Assert.Equal(["Birth g/n/d Level=-5", "Birth g/n/d Count=4294967291"], Send("DBIRTH", 1, 0, "d", Metric("Level", 7, 3, w => Int(w, 0xFFFFFFFB)), Metric("Count", 8, 7, w => Int(w, 0xFFFFFFFB))));
        Assert.Equal(["Data g/n Temperature=21.5", "Data g/n Door=False"], Send("NDATA", 2, 0, Metric(null, 1, 0, w => Double(w, 21.5)), Metric(null, 2, 0, w => Bool(w, false))));
        Assert.Equal(["Data g/n/d Level=-6"], Send("DDATA", 3, 0, "d", Metric(null, 7, 0, w => Int(w, 0xFFFFFFFA))));
        Assert.Empty(_rebirths);
    }

    [Fact]
    public void A_gap_in_the_sequence_asks_once_for_a_rebirth()
    {
        Send("NBIRTH", 0, 0, Metric("T", 1, 10, w => Double(w, 1)));
        Send("NDATA", 1, 0, Metric(null, 1, 0, w => Double(w, 2)));
        Assert.Equal(["Data g/n T=3"], Send("NDATA", 3, 0, Metric(null, 1, 0, w => Double(w, 3))));
        Send("NDATA", 9, 0, Metric(null, 1, 0, w => Double(w, 4)));
        Assert.Equal([new SparkplugNode("g", "n")], _rebirths);

        Send("NBIRTH", 0, 0, Metric("T", 1, 10, w => Double(w, 1)));
        for (int i = 1; i < 600; i++)
        {
            Send("NDATA", i & 255, 0, Metric(null, 1, 0, w => Double(w, i)));
        }

        Assert.Single(_rebirths);
    }

    [Fact]
    public void Data_without_a_birth_asks_for_one_and_is_a_dead_letter_where_it_has_no_names()
    {
        Run("NDATA", null, 5, 0, Metric(null, 1, 0, w => Double(w, 2))).IsRejected(DeadLetterReason.MissingField, "alias");
        Assert.Equal(["Data g/n T=2"], Send("NDATA", 6, 0, Metric("T", null, 10, w => Double(w, 2))));
        Run("DBIRTH", "d", 7, 0, Metric("T", 1, 10, w => Double(w, 2))).IsRejected(DeadLetterReason.MissingField);
        Assert.Equal([new SparkplugNode("g", "n")], _rebirths);
    }

    [Fact]
    public void A_death_is_an_event_for_each_metric_that_is_gone()
    {
        Send("NBIRTH", 0, 0, Metric("bdSeq", null, 8, w => Long(w, 3)), Metric("T", 1, 10, w => Double(w, 1)));
        Send("DBIRTH", 1, 0, "d", Metric("L", 7, 3, w => Int(w, 1)));
        Send("DBIRTH", 2, 0, "e", Metric("M", 8, 3, w => Int(w, 1)));

        Assert.Equal(["Death g/n/d L="], Send("DDEATH", 3, 0, "d"));
        Run("DDATA", "d", 4, 0, Metric(null, 7, 0, w => Int(w, 1))).IsRejected(DeadLetterReason.MissingField);
        Assert.Empty(Send("NDEATH", -1, 0, Metric("bdSeq", null, 8, w => Long(w, 2))));
        Assert.Equal(["Death g/n bdSeq=", "Death g/n T=", "Death g/n/e M="], Send("NDEATH", -1, 0, Metric("bdSeq", null, 8, w => Long(w, 3))));
        Assert.Empty(Send("NDEATH", -1, 0, Metric("bdSeq", null, 8, w => Long(w, 3))));
    }

    [Fact]
    public void A_metrics_time_is_its_own_or_the_messages_or_that_of_its_arrival()
    {
        var times = Sparkplug.Decode(m => m.Ticks);
        byte[] timed = Metric("T", 1, 10, w => Double(w, 1), timestamp: 1000), untimed = Metric("U", 2, 10, w => Double(w, 1));

        Assert.Equal([TimeSpan.TicksPerSecond, 5 * TimeSpan.TicksPerSecond], Decode(times, "NBIRTH", null, Payload(0, 5000, timed, untimed)).Events);
        Assert.Equal([TimeSpan.TicksPerSecond, Decoding.Received], Decode(times, "NBIRTH", null, Payload(0, 0, timed, untimed)).Events);
    }

    [Fact]
    public void Nulls_times_and_kinds_that_are_not_read_have_no_number()
    {
        byte[] nothing = Metric("N", 1, 10, w => Tag(w, 7, WireFormat.WireType.Varint, () => w.WriteBool(true)));
        byte[] time = Metric("D", 2, 13, w => Long(w, 1000)), bytes = Metric("B", 3, 17, w => Tag(w, 16, WireFormat.WireType.LengthDelimited, () => w.WriteBytes(ByteString.CopyFrom(1))));
        byte[] huge = Metric("U", 4, 8, w => Long(w, ulong.MaxValue)), none = Metric("X", 5, 10, w => Double(w, double.NaN));

        Assert.Equal(
            ["N None", "D Time", "B None", "U Number 1.8446744073709552E+19", "X None"],
            Decode(Sparkplug.Decode(m => $"{m.Name} {m.Value}" + (m.Value == SparkplugValue.Number ? " " + m.Number.ToString("R", CultureInfo.InvariantCulture) : "")), "NBIRTH", null, Payload(0, 1, nothing, time, bytes, huge, none)).Events);
    }

    [Fact]
    public void What_is_remembered_is_bounded_in_number_and_time()
    {
        var decoder = (SparkplugDecoder<string>)Sparkplug.Decode(m => m.Name, new SparkplugOptions { MaxNodes = 3, MaxMetrics = 2, ForgetAfter = TimeSpan.FromMinutes(1) });
        for (int i = 0; i < 100; i++)
        {
            Decode(decoder, "NBIRTH", null, Payload(0, 1, Metric("T", 1, 10, w => Double(w, 1))), node: $"n{i}");
        }

        Assert.Equal(3, decoder.KnownNodes);
        Decode(decoder, "NDATA", null, Payload(1, 1, Metric(null, 1, 0, w => Double(w, 1))), node: "n96").IsRejected(DeadLetterReason.MissingField);
        Assert.Single(Decode(decoder, "NDATA", null, Payload(1, 1, Metric(null, 1, 0, w => Double(w, 1))), node: "n99").Events);
        Decode(decoder, "NDATA", null, Payload(2, 1, Metric(null, 1, 0, w => Double(w, 1))), node: "n99", received: Decoding.Received + TimeSpan.TicksPerHour).IsRejected(DeadLetterReason.MissingField);
        Assert.Equal(1, decoder.KnownNodes);
        byte[][] many = [Metric("A", 1, 10, w => Double(w, 1)), Metric("B", 2, 10, w => Double(w, 1)), Metric("C", 3, 10, w => Double(w, 1))];
        Decode(decoder, "NBIRTH", null, Payload(0, 1, many)).IsRejected(DeadLetterReason.TooLarge);
    }

    [Theory]
    [InlineData("spBv1.0/g/NDATA", true)]
    [InlineData("spBv1.0/g/NOTHING/n", true)]
    [InlineData("spAv1.0/g/NDATA/n", true)]
    [InlineData("spBv1.0/g/DDATA/n", true)]
    [InlineData("spBv1.0/g/NDATA/n/d/e", true)]
    [InlineData("spBv1.0//NDATA/n", true)]
    [InlineData("spBv1.0/STATE/host", false)]
    [InlineData("spBv1.0/g/NCMD/n", false)]
    [InlineData("spBv1.0/g/DCMD/n/d", false)]
    public void Topics_of_other_kinds_are_dead_letters_but_for_commands_and_states(string topic, bool isRejected)
    {
        var outcome = Decoding.Message(_decoder, [], p => p, topic);

        Assert.Equal((isRejected ? DeadLetterReason.UnknownTopic : (DeadLetterReason?)null, 0), (outcome.Reason, outcome.Events.Length));
    }

    [Fact]
    public void Mutated_payloads_give_events_or_a_dead_letter() => Fuzz.Run(
        "sparkplug", Make(),
        [Payload(0, 1, Metric("bdSeq", null, 8, w => Long(w, 3)), Metric("T", 1, 10, w => Double(w, 1), 1000), Metric("Make", 3, 12, w => Text(w, "Acme"))), Payload(1, 1, Metric(null, 1, 0, w => Double(w, 2)))],
        p => p, "spBv1.0/g/NBIRTH/n");

    [Fact]
    public void Data_allocates_nothing_once_its_birth_was_seen()
    {
        var decoder = Sparkplug.Decode(m => m.Number);
        Decode(decoder, "NBIRTH", null, Payload(0, 1, Metric("T", 1, 10, w => Double(w, 1))));
        var data = new ReadOnlySequence<byte>(Payload(-1, 1, Metric(null, 1, 0, w => Double(w, 2))));
        using var buffer = new EventBuffer<double>(new StringPool());
        Assert.Contains(0L, Enumerable.Range(0, 60).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                buffer.Clear();
                buffer.BeginMessage(Decoding.Received);
                decoder.Decode(new Payload(data, "spBv1.0/g/NDATA/n"), buffer);
                if (buffer.Count != 1)
                {
                    Assert.Fail(buffer.RejectionDetail);
                }
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    private Decoder<string> Make() => Sparkplug.Decode(
        m => string.Create(CultureInfo.InvariantCulture, $"{m.Kind} {m.Source} {m.Name}={m.Value switch
        {
            SparkplugValue.Number => m.Number.ToString("R", CultureInfo.InvariantCulture),
            SparkplugValue.Boolean => m.Boolean.ToString(),
            _ => m.Text,
        }}"),
        new SparkplugOptions { RebirthNeeded = _rebirths.Add });

    private string[] Send(string type, int sequence, long timestamp, params byte[][] metrics) => Send(type, sequence, timestamp, null, metrics);

    private string[] Send(string type, int sequence, long timestamp, string? device, params byte[][] metrics)
    {
        var outcome = Run(type, device, sequence, timestamp, metrics);
        Assert.Equal("", outcome.Detail);
        return outcome.Events;
    }

    private Outcome<string> Run(string type, string? device, int sequence, long timestamp, params byte[][] metrics) => Decode(_decoder, type, device, Payload(sequence, timestamp, metrics));

    internal static Outcome<T> Decode<T>(Decoder<T> decoder, string type, string? device, byte[] payload, string node = "n", long received = 0)
    {
        using var buffer = new EventBuffer<T>(new StringPool(1024));
        buffer.BeginMessage(received == 0 ? Decoding.Received : received);
        decoder.Decode(new Payload(new ReadOnlySequence<byte>(payload), $"spBv1.0/g/{type}/{node}{(device is null ? "" : "/" + device)}"), buffer);
        return new Outcome<T>(buffer.Events.ToArray(), buffer.Rejection, buffer.Rejection is null ? "" : buffer.RejectionDetail);
    }

    internal static byte[] Payload(int sequence, long timestamp, params byte[][] metrics) => Message(w =>
    {
        Tag(w, 1, WireFormat.WireType.Varint, () => w.WriteUInt64((ulong)timestamp));
        foreach (byte[] metric in metrics)
        {
            Tag(w, 2, WireFormat.WireType.LengthDelimited, () => w.WriteBytes(ByteString.CopyFrom(metric)));
        }

        if (sequence >= 0)
        {
            Tag(w, 3, WireFormat.WireType.Varint, () => w.WriteUInt64((ulong)sequence));
        }
    });

    internal static byte[] Metric(string? name, int? alias, int type, Action<CodedOutputStream> value, long timestamp = 0) => Message(w =>
    {
        if (name is not null)
        {
            Tag(w, 1, WireFormat.WireType.LengthDelimited, () => w.WriteString(name));
        }

        if (alias is { } number)
        {
            Tag(w, 2, WireFormat.WireType.Varint, () => w.WriteUInt64((ulong)number));
        }

        if (timestamp != 0)
        {
            Tag(w, 3, WireFormat.WireType.Varint, () => w.WriteUInt64((ulong)timestamp));
        }

        if (type != 0)
        {
            Tag(w, 4, WireFormat.WireType.Varint, () => w.WriteUInt32((uint)type));
        }

        value(w);
    });

    internal static void Int(CodedOutputStream w, uint value) => Tag(w, 10, WireFormat.WireType.Varint, () => w.WriteUInt32(value));

    internal static void Long(CodedOutputStream w, ulong value) => Tag(w, 11, WireFormat.WireType.Varint, () => w.WriteUInt64(value));

    internal static void Double(CodedOutputStream w, double value) => Tag(w, 13, WireFormat.WireType.Fixed64, () => w.WriteDouble(value));

    internal static void Bool(CodedOutputStream w, bool value) => Tag(w, 14, WireFormat.WireType.Varint, () => w.WriteBool(value));

    internal static void Text(CodedOutputStream w, string value) => Tag(w, 15, WireFormat.WireType.LengthDelimited, () => w.WriteString(value));

    internal static void Tag(CodedOutputStream w, int number, WireFormat.WireType type, Action write)
    {
        w.WriteTag(number, type);
        write();
    }

    internal static byte[] Message(Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        using (var output = new CodedOutputStream(bytes, leaveOpen: true))
        {
            write(output);
        }

        return bytes.ToArray();
    }
}
