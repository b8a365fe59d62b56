using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class SenMlTests
{
    private static readonly Decoder<string> _records = SenMl.Decode(r => string.Create(
        CultureInfo.InvariantCulture,
        $"{r.Name} {r.Unit} {r.Time.UtcDateTime:yyyy-MM-ddTHH:mm:ss.FFF} {r.Kind switch
        {
            SenMlValueKind.Number => r.Value.ToString("R", CultureInfo.InvariantCulture),
            SenMlValueKind.Boolean => r.Boolean ? "true" : "false",
            _ => r.Text,
        }}{r.Sum}"));

    [Fact]
    public void Rfc_8428_section_5_1_1_single_data_point() => Assert.Equal(
        ["urn:dev:ow:10e2073a01080063 Cel 2026-01-01T00:00:00 23.1"],
        Records("""[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"""));

    [Fact]
    public void Rfc_8428_section_5_1_2_multiple_data_points() => Assert.Equal(
        ["urn:dev:ow:10e2073a01080063:voltage V 2026-01-01T00:00:00 120.1", "urn:dev:ow:10e2073a01080063:current A 2026-01-01T00:00:00 1.2"],
        Records("""[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]"""));

    [Fact]
    public void Rfc_8428_section_5_1_2_base_values_are_sticky_and_times_may_be_negative() => Assert.Equal(
        [
            "urn:dev:ow:10e2073a0108006:voltage V 2010-06-08T18:01:16.001 120.1",
            "urn:dev:ow:10e2073a0108006:current A 2010-06-08T18:01:11.001 1.2",
            "urn:dev:ow:10e2073a0108006:current A 2010-06-08T18:01:12.001 1.3",
            "urn:dev:ow:10e2073a0108006:current A 2010-06-08T18:01:16.001 1.7",
        ],
        Records("""
            [{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
             {"n":"current","t":-5,"v":1.2}, {"n":"current","t":-4,"v":1.3}, {"n":"current","v":1.7}]
            """));

    [Fact]
    public void Rfc_8428_section_5_1_3_resolves_to_section_5_1_4()
    {
        const string Name = "urn:dev:ow:10e2073a01080063";
        Assert.Equal(
            [
                $"{Name} %RH 2011-10-31T13:24:24 20", $"{Name} lon 2011-10-31T13:24:24 24.30621", $"{Name} lat 2011-10-31T13:24:24 60.07965",
                $"{Name} %RH 2011-10-31T13:25:24 20.3", $"{Name} lon 2011-10-31T13:25:24 24.30622", $"{Name} lat 2011-10-31T13:25:24 60.07965",
                $"{Name} %RH 2011-10-31T13:26:24 20.7", $"{Name} %EL 2011-10-31T13:26:54 98", $"{Name} %RH 2011-10-31T13:27:24 21.2",
            ],
            Records("""
                [{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},
                 {"t":60,"v":20.3},{"u":"lon","t":60,"v":24.30622},{"u":"lat","t":60,"v":60.07965},
                 {"t":120,"v":20.7},{"u":"%EL","t":150,"v":98},{"t":180,"v":21.2}]
                """));
    }

    [Fact]
    public void Rfc_8428_section_5_1_5_multiple_data_types() => Assert.Equal(
        [
            "urn:dev:ow:10e2073a01080063:temp Cel 2026-01-01T00:00:00 23.1",
            "urn:dev:ow:10e2073a01080063:label  2026-01-01T00:00:00 Machine Room",
            "urn:dev:ow:10e2073a01080063:open  2026-01-01T00:00:00 false",
            "urn:dev:ow:10e2073a01080063:nfc-reader  2026-01-01T00:00:00 aGkgCg",
        ],
        Records("""
            [{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
             {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]
            """));

    [Fact]
    public void Rfc_8428_section_5_1_6_a_base_name_of_its_own_for_each_record() => Assert.Equal(
        ["2001:db8::2/temperature Cel 2011-10-31T16:27:09 27.2", "2001:db8::2/humidity %RH 2011-10-31T16:27:09 80", "2001:db8::1/temperature Cel 2011-10-31T16:27:09 12.3"],
        Records("""
            [{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":27.2},{"n":"humidity","u":"%RH","v":80},
             {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3}]
            """));

    [Fact]
    public void Base_value_and_base_sum_are_added() => Assert.Equal(
        ["m/a  2026-01-01T00:00:00 103", "m/b  2026-01-01T00:00:00 7"],
        Records("""[{"bn":"m/","bv":100,"bs":5},{"n":"a","v":3},{"n":"b","s":2}]"""));

    [Theory]
    [InlineData("0", "2026-01-01T00:00:00Z")]
    [InlineData("-0.5", "2025-12-31T23:59:59.5Z")]
    [InlineData("268435455", "2034-07-04T21:24:15Z")]
    [InlineData("268435456", "1978-07-04T21:24:16Z")]
    public void A_time_below_2_to_the_28_is_relative_to_when_the_payload_was_received(string time, string expected) => Assert.Equal(
        Decoding.At(expected),
        Decoding.Run(SenMl.Decode(r => r.Ticks), $$"""[{"n":"a","v":1,"t":{{time}}}]""").Single());

    [Fact]
    public void A_pack_is_one_event()
    {
        string pack = """[{"bn":"s1:","bt":1767225600.25,"n":"temperature","v":21.5},{"n":"humidity","u":"%RH","v":40},{"n":"battery","v":3}]""";
        Assert.Equal(new Reading(Decoding.Received + 2_500_000, "s1", 21.5, 40), Decoding.Run(SenMl.Decode<Reading>(), pack).Single());
    }

    [Fact]
    public void Each_base_name_and_time_is_an_event_wherever_its_records_stand()
    {
        string pack = """
            [{"bn":"a/","n":"temperature","v":1,"t":-1},{"n":"temperature","v":2},{"bn":"b","n":"humidity","v":30},
             {"bn":"a/","n":"humidity","v":10,"t":-1},{"n":"humidity","v":20},{"bn":"b","n":"temperature","v":3},{"n":"battery","v":9,"t":-60}]
            """;
        long now = Decoding.Received;
        Assert.Equal(
            [new Reading(now - 10_000_000, "a", 1, 10), new Reading(now, "a", 2, 20), new Reading(now, "b", 3, 30)],
            Decoding.Run(SenMl.Decode<Reading>(), pack).Events);
    }

    [Fact]
    public void Values_become_the_members_types()
    {
        string pack = """[{"bn":"s","n":"temperature","v":1},{"n":"count","v":9007199254740993},{"n":"ok","vb":true}]""";
        Assert.Equal(new Sample(Decoding.Received, "s", 1, 9007199254740993, true), Decoding.Run(SenMl.Decode<Sample>(), pack).Single());
    }

    [Theory]
    [InlineData("""[{"n":"a","v":1,"x_":2}]""", DeadLetterReason.UnknownTopic, "x_")]
    [InlineData("""[{"n":"a","v":1,"bver":11}]""", DeadLetterReason.UnknownTopic, "bver")]
    [InlineData("""[{"n":"a b","v":1}]""", DeadLetterReason.Malformed, "n:")]
    [InlineData("""[{"n":":a","v":1}]""", DeadLetterReason.Malformed, "n:")]
    [InlineData("""[{"bn":"ü","n":"a","v":1}]""", DeadLetterReason.Malformed, "bn")]
    [InlineData("""[{"v":1}]""", DeadLetterReason.MissingField, "n:")]
    [InlineData("""[{"n":"a"}]""", DeadLetterReason.MissingField, "value")]
    [InlineData("""[{"n":"a","v":1,"vs":"x"}]""", DeadLetterReason.DuplicateField, "more than one value")]
    [InlineData("""[{"n":"a","v":1,"v":2}]""", DeadLetterReason.DuplicateField, "v:")]
    [InlineData("""[{"n":"a","v":"1"}]""", DeadLetterReason.WrongType, "v:")]
    [InlineData("""[{"n":"a","vs":1}]""", DeadLetterReason.WrongType, "vs")]
    [InlineData("""[{"n":"a","vb":1}]""", DeadLetterReason.WrongType, "vb")]
    [InlineData("""[{"n":"a","vd":"?"}]""", DeadLetterReason.Malformed, "vd")]
    [InlineData("""[{"n":"a","v":1e999}]""", DeadLetterReason.OutOfRange, "v:")]
    [InlineData("""[{"bv":1.7e308,"n":"a","v":1.7e308}]""", DeadLetterReason.OutOfRange, "v:")]
    [InlineData("""[{"n":"a","v":1,"t":1e18}]""", DeadLetterReason.OutOfRange, "t:")]
    [InlineData("""[{"bt":253402300000,"n":"a","v":1,"t":900000}]""", DeadLetterReason.OutOfRange, "t:")]
    [InlineData("""{"e":[]}""", DeadLetterReason.WrongType, "array")]
    [InlineData("""[1]""", DeadLetterReason.WrongType, "object")]
    [InlineData("""[{"n":"a","v":1}""", DeadLetterReason.Malformed, null)]
    [InlineData("""[{"n":"a","v":1,"x":[{"y":{}}]},]""", DeadLetterReason.Malformed, null)]
    [InlineData("", DeadLetterReason.Malformed, null)]
    public void A_broken_pack_says_what_is_wrong(string pack, DeadLetterReason reason, string? mentions) =>
        Decoding.Run(_records, pack).IsRejected(reason, mentions);

    [Theory]
    [InlineData("""[{"bn":"s","n":"temperature","v":1}]""", DeadLetterReason.MissingField, "humidity")]
    [InlineData("""[{"n":"temperature","v":1},{"n":"humidity","v":1}]""", DeadLetterReason.MissingField, "sensor")]
    [InlineData("""[{"bn":"s","n":"battery","v":1}]""", DeadLetterReason.MissingField, "Reading")]
    [InlineData("""[{"bn":"s","n":"temperature","v":1},{"n":"temperature","v":1}]""", DeadLetterReason.DuplicateField, "temperature")]
    [InlineData("""[{"bn":"s","n":"temperature","vs":"x"},{"n":"humidity","v":1}]""", DeadLetterReason.WrongType, "temperature")]
    public void A_pack_that_does_not_fit_the_event_type_says_why(string pack, DeadLetterReason reason, string mentions) =>
        Decoding.Run(SenMl.Decode<Reading>(), pack).IsRejected(reason, mentions);

    [Fact]
    public void A_base_name_that_stands_in_each_record_again_is_one_event() => Assert.Equal(
        new Sample(Decoding.At("2026-01-01T00:00:00Z"), "s", 1, 2, true),
        Decoding.Run(SenMl.Decode<Sample>(), """[{"bn":"s:","bt":1767225600,"n":"temperature","v":1},{"bn":"s:","n":"count","v":2},{"bn":"s:","n":"ok","vb":true}]""").Single());

    [Fact]
    public void An_empty_pack_is_no_event() => Assert.Empty(Records("[]"));

    [Theory]
    [InlineData("""{"e":[{"n":"temperature","v":"21.5"},{"n":"humidity","v":40},{"n":"source","sv":"s1"}],"bt":1767225600000}""")]
    [InlineData("""{"bt":"1767225600000","ver":1,"e":[{"v":"21.5","u":"far","n":"temperature"},{"n":"humidity","v":"4e1"}],"bn":"s1/"}""")]
    [InlineData("""[{"bn":"s1","bt":1767225600,"n":"temperature","v":"21.5"},{"n":"humidity","v":40}]""")]
    public void The_lenient_mode_takes_what_devices_sent_before_the_rfc(string pack) => Assert.Equal(
        new Reading(Decoding.Received, "s1", 21.5, 40), Decoding.Run(SenMl.Decode<Reading>(SenMl.Lenient), pack).Single());

    [Theory]
    [InlineData("""{"e":[{"n":"temperature","v":"x"}]}""", DeadLetterReason.WrongType, "v:")]
    [InlineData("""{"e":[{"n":"temperature","v":""}]}""", DeadLetterReason.WrongType, "v:")]
    [InlineData("""{"e":7}""", DeadLetterReason.WrongType, "e:")]
    [InlineData("""{"e":[],"e":[]}""", DeadLetterReason.DuplicateField, "e:")]
    [InlineData("""{"e":[{"n":"temperature","v":1}],"bt":1e99}""", DeadLetterReason.OutOfRange, "bt")]
    [InlineData("""{"e":[{"n":"temperature","v":1}]""", DeadLetterReason.Malformed, null)]
    public void A_broken_wrapper_says_what_is_wrong(string pack, DeadLetterReason reason, string? mentions) =>
        Decoding.Run(SenMl.Decode<Reading>(SenMl.Lenient), pack).IsRejected(reason, mentions);

    private static string[] Records(string pack) => Decoding.Run(_records, pack).Events;
}
