using IoT.Cep.Extensibility;
using static IoT.Cep.Ingestion.Tests.SparkplugTests;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct Oven(
    [EventTime] DateTimeOffset Time, [EventKey] string Source, [Field("Temperature")] double Celsius, [Field("Door/Open")] bool? Open, [Field("$kind")] SparkplugKind Kind, [Field("$device")] string? Device);

[Event]
internal readonly partial record struct OvenWithoutKind([EventTime] DateTimeOffset Time, [EventKey] string Source, [Field("Temperature")] double Celsius);

/// <summary>Sparkplug B by the members of an event type, and how nodes are asked to be born again.</summary>
public sealed class SparkplugMembersTests
{
    private static readonly DateTimeOffset _second = DateTimeOffset.FromUnixTimeSeconds(1);

    private readonly Decoder<Oven> _decoder = Sparkplug.Decode<Oven>();

    [Fact]
    public void What_a_message_does_not_tell_is_as_it_was_told_last()
    {
        Assert.Equal(new Oven(_second, "g/n", 20.5, true, SparkplugKind.Birth, null), Born("NBIRTH", null).Single());
        Assert.Equal(new Oven(_second, "g/n", 21.5, true, SparkplugKind.Data, null), Data("NDATA", null, 1, Metric(null, 1, 0, w => Double(w, 21.5))).Single());
        Assert.Equal(new Oven(_second, "g/n", 21.5, false, SparkplugKind.Data, null), Data("NDATA", null, 2, Metric(null, 2, 0, w => Bool(w, false))).Single());
        Assert.Equal(new Oven(_second, "g/n/d", 20.5, true, SparkplugKind.Birth, "d"), Born("DBIRTH", "d", 3).Single());
        Assert.Equal(new Oven(_second, "g/n/d", 1, true, SparkplugKind.Data, "d"), Data("DDATA", "d", 4, Metric(null, 1, 0, w => Double(w, 1))).Single());
    }

    [Fact]
    public void A_message_without_the_types_metrics_gives_nothing()
    {
        Assert.Empty(Decode(_decoder, "NBIRTH", null, Payload(0, 1000, Metric("bdSeq", null, 8, w => Long(w, 3)))).Events);
        Assert.Empty(Data("NDATA", null, 1, Metric("Other", null, 10, w => Double(w, 1))).Events);
    }

    [Fact]
    public void A_metric_of_another_type_or_a_required_one_that_is_missing_is_a_dead_letter_with_its_name()
    {
        Decode(_decoder, "NBIRTH", null, Payload(0, 1000, Metric("Temperature", 1, 12, w => Text(w, "hot")))).IsRejected(DeadLetterReason.WrongType, "Temperature");
        Decode(_decoder, "NBIRTH", null, Payload(0, 1000, Metric("Door/Open", 1, 11, w => Bool(w, true)))).IsRejected(DeadLetterReason.MissingField, "Temperature");
    }

    [Fact]
    public void A_death_is_an_event_for_a_type_that_has_a_kind_and_silence_for_others()
    {
        Born("NBIRTH", null);
        Born("DBIRTH", "d", 1);
        Assert.Equal(
            [new Oven(Ticks.ToTime(Decoding.Received), "g/n", 20.5, null, SparkplugKind.Death, null), new Oven(Ticks.ToTime(Decoding.Received), "g/n/d", 20.5, null, SparkplugKind.Death, "d")],
            Decode(_decoder, "NDEATH", null, Payload(-1, 0)).Events);

        var without = Sparkplug.Decode<OvenWithoutKind>();
        Assert.Single(Decode(without, "NBIRTH", null, Payload(0, 1000, Metric("Temperature", 1, 10, w => Double(w, 1)))).Events);
        Assert.Empty(Decode(without, "NDEATH", null, Payload(-1, 0)).Events);
    }

    [Fact]
    public void What_was_recorded_earlier_is_an_event_of_its_own_time_and_changes_nothing()
    {
        Born("NBIRTH", null);
        var outcome = Data("NDATA", null, 1, Late(5), Late(6), Metric(null, 2, 0, w => Bool(w, false)));

        Assert.Equal(
            [
                new Oven(DateTimeOffset.FromUnixTimeSeconds(5), "g/n", 5, null, SparkplugKind.Data, null), new Oven(DateTimeOffset.FromUnixTimeSeconds(6), "g/n", 6, null, SparkplugKind.Data, null),
                new Oven(_second, "g/n", 20.5, false, SparkplugKind.Data, null),
            ],
            outcome.Events);
    }

    [Fact]
    public void A_gap_publishes_the_command_for_a_rebirth_once_in_a_while()
    {
        var sent = new List<(string Topic, string Body)>();
        ((IReplying)_decoder).Reply = (topic, body) => sent.Add((topic, Convert.ToHexString(body.Span)));
        Born("NBIRTH", null);
        for (int i = 0; i < 4; i++)
        {
            Data("NDATA", null, 7 + (3 * i), Metric(null, 1, 0, w => Double(w, 21.5)));
        }

        Assert.Equal("spBv1.0/g/NCMD/n", Assert.Single(sent).Topic);
        Assert.Contains(Convert.ToHexString("Node Control/Rebirth"u8), sent[0].Body, StringComparison.Ordinal);
        Decode(_decoder, "NDATA", null, Payload(99, 1000, Metric(null, 1, 0, w => Double(w, 1))), received: Decoding.Received + TimeSpan.TicksPerMinute);
        Assert.Equal(2, sent.Count);
    }

    [Fact]
    public void Mutated_payloads_give_events_or_a_dead_letter() => Fuzz.Run(
        "sparkplug-members", _decoder, [Payload(0, 1000, Temperature, Open), Payload(1, 1000, Metric(null, 1, 0, w => Double(w, 2)), Late(3))], p => p, "spBv1.0/g/NBIRTH/n");

    private static byte[] Temperature => Metric("Temperature", 1, 10, w => Double(w, 20.5));

    private static byte[] Open => Metric("Door/Open", 2, 11, w => Bool(w, true));

    private static byte[] Late(int second) => Metric(
        null, 1, 0, w =>
        {
            Tag(w, 5, Google.Protobuf.WireFormat.WireType.Varint, () => w.WriteBool(true));
            Double(w, second);
        }, 1000 * second);

    private Outcome<Oven> Born(string type, string? device, int sequence = 0) => Decode(_decoder, type, device, Payload(sequence, 1000, Temperature, Open));

    private Outcome<Oven> Data(string type, string? device, int sequence, params byte[][] metrics) => Decode(_decoder, type, device, Payload(sequence, 1000, metrics));
}
