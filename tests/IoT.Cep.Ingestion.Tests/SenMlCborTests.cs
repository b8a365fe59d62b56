using System.Formats.Cbor;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

[Event]
internal readonly partial record struct InUnits([EventTime] DateTimeOffset Time, [EventKey] string Sensor, [Unit("Cel")] double Celsius, [Unit("V")] double? Volt);

/// <summary>RFC 8428: its example of CBOR, its examples of JSON in both forms, and units.</summary>
public sealed class SenMlCborTests
{
    // Section 6.
    private const string Example =
        "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333";

    private const string ExampleJson =
        """[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":-3,"v":1.4},{"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}]""";

    public static TheoryData<string> Packs =>
    [
        ExampleJson,
        """[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]""",
        """[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]""",
        """[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3},{"u":"%EL","t":150,"v":98}]""",
        """[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.320067464e+09,"n":"temp","u":"Cel","v":27.2},{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]""",
        """[{"bn":"a","bv":1.5,"bs":2,"n":"x","v":-3,"s":1.25,"ut":10,"t":-0.5},{"n":"y","v":1e20}]""",
    ];

    [Fact]
    public void The_RFCs_example_is_its_JSON() => Assert.Equal(
        Decoding.Run(SenMl.Decode(Record), ExampleJson).Events, Decoding.Run(SenMl.DecodeCbor(Record), Convert.FromHexString(Example)).Events);

    [Theory]
    [MemberData(nameof(Packs))]
    public void Every_pack_resolves_to_the_same_records_in_both_forms(string json)
    {
        var expected = Decoding.Run(SenMl.Decode(Record), json);
        Assert.Null(expected.Reason);
        foreach (bool isIndefinite in (bool[])[true, false])
        {
            Assert.Equal(expected.Events, Decoding.Run(SenMl.DecodeCbor(Record), ToCbor(json, isIndefinite)).Events);
        }
    }

    [Theory]
    [InlineData("a0", DeadLetterReason.WrongType)]
    [InlineData("8101", DeadLetterReason.WrongType)]
    [InlineData("81a1", DeadLetterReason.Malformed)]
    [InlineData("81a1f501", DeadLetterReason.WrongType)]
    [InlineData("81a200616102f4", DeadLetterReason.WrongType)]
    [InlineData("81a200616102f97e00", DeadLetterReason.OutOfRange)]
    [InlineData("81a300616102010201", DeadLetterReason.DuplicateField)]
    [InlineData("81a300616102016278 5f01", DeadLetterReason.UnknownTopic)]
    [InlineData("81a300616102012018 63", DeadLetterReason.UnknownTopic)]
    [InlineData("81a20061610201 00", DeadLetterReason.Malformed)]
    [InlineData("81a1006161", DeadLetterReason.MissingField)]
    public void What_is_no_pack_is_a_dead_letter(string hex, DeadLetterReason reason) =>
        Decoding.Run(SenMl.DecodeCbor(Record), Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal))).IsRejected(reason);

    [Fact]
    public void Unknown_labels_are_passed_over_with_all_that_they_hold() => Assert.Equal(
        Decoding.Run(SenMl.Decode(Record), """[{"n":"a","v":1}]""").Events,
        Decoding.Run(SenMl.DecodeCbor(Record), Convert.FromHexString("81a400616102011863a1018102617882f6f7")).Events);

    [Theory]
    [InlineData("K", "294.65", 21.5)]
    [InlineData("Cel", "21.5", 21.5)]
    [InlineData(null, "21.5", 21.5)]
    [InlineData("degF", "70", null)]
    [InlineData("%RH", "70", null)]
    public void A_unit_is_checked_and_converted_where_it_is_well_known(string? unit, string value, double? celsius)
    {
        string given = unit is null ? "" : $"\"u\":\"{unit}\",";
        var outcome = Decoding.Run(SenMl.Decode<InUnits>(), $$"""[{"bn":"s:","bt":1767225600,"n":"celsius",{{given}}"v":{{value}}},{"n":"volt","u":"mV","v":215}]""");
        if (celsius is { } expected)
        {
            Assert.Equal(expected, outcome.Single().Celsius, 1e-9);
            Assert.Equal(0.215, outcome.Single().Volt);
        }
        else
        {
            outcome.IsRejected(DeadLetterReason.WrongType, $"the unit '{unit}' is not 'Cel'");
        }
    }

    [Fact]
    public void A_declared_unit_is_written() => Assert.Equal(
        """[{"bn":"s:","bt":1767225600,"n":"celsius","u":"Cel","v":21.5}]""",
        RichEvents.Encode(SenMl.Encode<InUnits>(), new InUnits(DateTimeOffset.FromUnixTimeSeconds(1_767_225_600), "s", 21.5, null)));

    private static string Record(SenMlRecord r) => FormattableString.Invariant($"{r.Name}|{r.Ticks}|{r.Kind}|{r.Value:R}|{r.Text}|{r.Boolean}|{r.Unit}|{r.Sum:R}|{r.UpdateTime}");

    private static byte[] ToCbor(string json, bool isIndefinite)
    {
        string[] labels = ["bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"];
        var writer = new CborWriter(CborConformanceMode.Lax, convertIndefiniteLengthEncodings: !isIndefinite);
        writer.WriteStartArray(null);
        foreach (var record in JsonDocument.Parse(json).RootElement.EnumerateArray())
        {
            writer.WriteStartMap(null);
            foreach (var pair in record.EnumerateObject())
            {
                writer.WriteInt32(Array.IndexOf(labels, pair.Name) - 6);
                switch (pair.Value.ValueKind)
                {
                    case JsonValueKind.Number when pair.Value.TryGetInt64(out long whole):
                        writer.WriteInt64(whole);
                        break;
                    case JsonValueKind.Number:
                        writer.WriteDouble(pair.Value.GetDouble());
                        break;
                    case JsonValueKind.String when pair.Name == "vd":
                        writer.WriteByteString(Convert.FromBase64String(pair.Value.GetString()!.PadRight(8, '=')));
                        break;
                    case JsonValueKind.String:
                        writer.WriteTextString(pair.Value.GetString()!);
                        break;
                    default:
                        writer.WriteBoolean(pair.Value.GetBoolean());
                        break;
                }
            }

            writer.WriteEndMap();
        }

        writer.WriteEndArray();
        return writer.Encode();
    }
}
