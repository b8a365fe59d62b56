using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class CsvTests
{
    private static readonly Decoder<string> _cells = Csv.Decode((ref row) =>
    {
        var text = new StringBuilder();
        for (int i = 0; i < row.Count; i++)
        {
            text.Append(i > 0 ? "|" : "").Append(row.Text(i));
        }

        return text.ToString();
    });

    // RFC 4180, section 2, rules 1 to 7, and what spreadsheets add to them.
    [Theory]
    [InlineData("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "aaa|bbb|ccc", "zzz|yyy|xxx")]
    [InlineData("aaa,bbb,ccc\r\nzzz,yyy,xxx", "aaa|bbb|ccc", "zzz|yyy|xxx")]
    [InlineData("\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx", "aaa|bbb|ccc", "zzz|yyy|xxx")]
    [InlineData("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx", "aaa|b\r\nbb|ccc", "zzz|yyy|xxx")]
    [InlineData("\"aaa\",\"b\"\"bb\",\"ccc\"", "aaa|b\"bb|ccc")]
    [InlineData("\"\"\"\",\"\",,x", "\"|||x")]
    [InlineData("a,b\nc,d\n", "a|b", "c|d")]
    [InlineData("\uFEFFa,b\n\n\r\nc,d\n\n", "a|b", "c|d")]
    [InlineData(" a , b ", " a | b ")]
    [InlineData("", new string[0])]
    public void Rows_and_cells_are_those_of_rfc_4180(string payload, params string[] rows) =>
        Assert.Equal(rows, Decoding.Run(_cells, payload).Events);

    [Theory]
    [InlineData("a,\"b")]
    [InlineData("a,\"b\"c")]
    [InlineData("a,b\"c")]
    [InlineData("a\rb")]
    [InlineData("\"a\"\rb")]
    public void Wrong_quotes_and_line_ends_are_malformed(string payload) => Decoding.Run(_cells, payload).IsRejected(DeadLetterReason.Malformed);

    [Fact]
    public void A_header_names_the_columns_in_any_order()
    {
        var expected = new[] { new MachineReading(Decoding.Received, 1.5), new MachineReading(Decoding.Received + 10_000_000, 2) };
        var decoder = Csv.Decode<MachineReading>();
        Assert.Equal(expected, Decoding.Run(decoder, "timestamp,value\n2026-01-01 00:00:00,1.5\n2026-01-01 00:00:01,2\n").Events);
        Assert.Equal(expected, Decoding.Run(decoder, "x,value,timestamp\r\n?,1.5,1767225600\r\n!,2,1767225601000").Events);
        Assert.Equal(expected, Decoding.Run(decoder, "timestamp,value\n2026-01-01 00:00:00,1.5\n2026-01-01 00:00:01,2\n").Events);
        Assert.Equal(expected[..1], Decoding.Run(decoder, "timestamp,value,more\n2026-01-01T00:00:00Z, 1.5 ,x").Events);
    }

    [Fact]
    public void Columns_can_be_given_for_payloads_without_a_header()
    {
        var decoder = Csv.Decode<MachineReading>(columns: ["value", "unit", "timestamp"], separator: ';');
        Assert.Equal(new MachineReading(Decoding.Received, -3), Decoding.Run(decoder, "-3;C;2026-01-01").Single());
    }

    [Fact]
    public void A_column_that_the_type_requires_is_missed_in_the_first_row() =>
        Decoding.Run(Csv.Decode<MachineReading>(["timestamp"]), "2026-01-01").IsRejected(DeadLetterReason.MissingField, "value");

    [Fact]
    public void Columns_that_stand_twice_are_refused_at_once()
    {
        Assert.Throws<ArgumentException>(() => Csv.Decode<MachineReading>(["timestamp", "value", "value"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Csv.Decode<MachineReading>(separator: '"'));
        Assert.Throws<ArgumentOutOfRangeException>(() => Csv.Decode<MachineReading>(separator: 'ü'));
    }

    [Theory]
    [InlineData("", DeadLetterReason.Malformed, "header")]
    [InlineData("timestamp\n0", DeadLetterReason.MissingField, "value")]
    [InlineData("timestamp,value,value\n0,1,2", DeadLetterReason.DuplicateField, "value")]
    [InlineData("timestamp,value\n0", DeadLetterReason.Malformed, "fewer")]
    [InlineData("timestamp,value\n0,1,2", DeadLetterReason.Malformed, "more")]
    [InlineData("timestamp,value\nx,1", DeadLetterReason.WrongType, "timestamp")]
    [InlineData("timestamp,value\n0,x", DeadLetterReason.WrongType, "value")]
    [InlineData("timestamp,value\n0,", DeadLetterReason.WrongType, "value")]
    [InlineData("timestamp,value\n0,NaN", DeadLetterReason.WrongType, "value")]
    [InlineData("timestamp,value\n0,1e999", DeadLetterReason.OutOfRange, "value")]
    [InlineData("timestamp,value\n1e99,1", DeadLetterReason.OutOfRange, "timestamp")]
    public void A_broken_table_says_what_is_wrong(string payload, DeadLetterReason reason, string mentions) =>
        Decoding.Run(Csv.Decode<MachineReading>(), payload).IsRejected(reason, mentions);

    [Fact]
    public void A_lambda_reads_cells_by_column()
    {
        var decoder = Csv.Decode((ref row) => (Ticks.From(row.Time(0)), row.Text(1), row.Number(2), row.Integer(3), row.Boolean(4), row.IsEmpty(5)), hasHeader: true);
        Assert.Equal((Decoding.Received, "ü", 1.5, 7, true, true), Decoding.Run(decoder, "a,b,c,d,e\n2026-01-01 00:00:00.000,\"ü\",1.5,7,TRUE,").Single());
        Decoding.Run(decoder, "h\n2026-01-01,x,y,1,1").IsRejected(DeadLetterReason.WrongType, "column 2");
        Decoding.Run(decoder, "h\n2026-01-01,x").IsRejected(DeadLetterReason.MissingField, "column 2");
        Decoding.Run(decoder, "h\n2026-01-01,x,1,1,maybe").IsRejected(DeadLetterReason.WrongType, "column 4");
    }

    [Fact]
    public void Limits_are_kept()
    {
        var limits = new PayloadLimits(MaxEvents: 2, MaxTextBytes: 3);
        Decoding.Run(Csv.Decode((ref row) => row.Text(0), limits: limits), "a\nb\nc").IsRejected(DeadLetterReason.TooLarge);
        Decoding.Run(Csv.Decode((ref row) => row.Text(0), limits: limits), "abcd").IsRejected(DeadLetterReason.OutOfRange, "column 0");
        Decoding.Run(_cells, new string(',', 2000)).IsRejected(DeadLetterReason.TooLarge);
        Decoding.Run(_cells, [(byte)'a', 0xFF]).IsRejected(DeadLetterReason.Malformed);
    }
}
