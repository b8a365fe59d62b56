using System.Globalization;

namespace IoT.Cep.Tests;

public sealed class MappingTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task Every_type_has_a_column_in_the_order_of_declaration()
    {
        var all = new Everything(
            true, -8, 200, -1600, 60_000, -32, 4_000_000_000, long.MinValue, long.MaxValue, (Half)1.5, 2.5f, 1e300, 1.10m, 'ä',
            "text", new DateTimeOffset(2024, 2, 29, 13, 4, 5, TimeSpan.FromHours(1)).AddTicks(1234567), new DateTime(2024, 1, 2),
            new DateOnly(2024, 1, 2), new TimeOnly(3, 4, 5), TimeSpan.FromMilliseconds(1500), new Guid("00112233-4455-6677-8899-aabbccddeeff"),
            DayOfWeek.Friday, Wide.Big, [1, 2], null, 7, null, DayOfWeek.Monday);
        await _file.WriteAsync(Sqlite.Table<Everything>("all"), SqliteFile.Batch(all));

        Assert.Equal(
            [1L, -8L, 200L, -1600L, 60_000L, -32L, 4_000_000_000L, long.MinValue, long.MaxValue, 1.5, 2.5, 1e300, "1.10", "ä",
            "text", "2024-02-29T12:04:05.1234567Z", "2024-01-02T00:00:00.0000000Z",
            "2024-01-02", "03:04:05.0000000", 1.5, "00112233-4455-6677-8899-aabbccddeeff",
            "Friday", "Big", new byte[] { 1, 2 }, null, 7L, null, "Monday"],
            _file.Query("SELECT * FROM [all]")[0]);
        Assert.Equal(
            string.Join(',', typeof(Everything).GetProperties().Select(p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..])),
            _file.Scalar("SELECT group_concat(name) FROM pragma_table_info('all')"));
    }

    [Fact]
    public async Task Sqlite_reads_the_times()
    {
        await _file.WriteAsync(Sqlite.Table<Timed>("t"), SqliteFile.Batch(new Timed(DateTimeOffset.UnixEpoch.AddSeconds(1.25))));
        Assert.Equal("1 01.250", _file.Scalar("SELECT strftime('%s %f', at) FROM t"));
    }

    [Theory]
    [InlineData(double.NaN, null)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity, double.NegativeInfinity)]
    [InlineData(double.Epsilon, double.Epsilon)]
    public async Task Numbers_that_are_none(double value, double? stored)
    {
        await _file.WriteAsync(Sqlite.Table<double>("t", c => c.Add("x", x => x)), SqliteFile.Batch(value));
        Assert.Equal(stored, (double?)_file.Scalar("SELECT x FROM t"));
    }

    [Fact]
    public async Task Classes_structs_inheritance_and_reserved_words()
    {
        await _file.WriteAsync(Sqlite.Table<Derived>("select"), SqliteFile.Batch(new Derived { Order = 1, Group = "g" }));
        await _file.WriteAsync(Sqlite.Table<Small>("a \"b\" [c]"), SqliteFile.Batch(new Small(5, (DayOfWeek)99)));
        Assert.Equal([1L, "g"], _file.Query("SELECT \"order\", \"group\" FROM \"select\"")[0]);
        Assert.Equal([5L, "99"], _file.Query("SELECT \"index\", day FROM \"a \"\"b\"\" [c]\"")[0]);
    }

    [Fact]
    public async Task Columns_listed_one_by_one()
    {
        var sink = Sqlite.Table<(string Name, Place Place)>("places", columns => columns
            .Add("name", r => r.Name).Add("building", r => r.Place.Building).Add("day", r => r.Place.Day).Add("none", r => (DayOfWeek?)null));
        await _file.WriteAsync(sink, SqliteFile.Batch(("s1", new Place("serc", DayOfWeek.Sunday))));
        Assert.Equal(["s1", "serc", "Sunday", null], _file.Query("SELECT * FROM places")[0]);
    }

    [Fact]
    public void A_member_that_no_column_can_hold_is_named_with_the_remedy()
    {
        var error = Assert.Throws<ArgumentException>(() => Sqlite.Table<Nested>("t"));
        Assert.StartsWith("Nested.Places is a List<Place>, which a column can't hold. Make it a number,", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("Sqlite.Table<Nested>(table, columns => columns.Add(\"places\", r => ...)).", error.Message, StringComparison.Ordinal);
        Assert.Contains("'p' is a Place", Assert.Throws<ArgumentException>(() => Sqlite.Table<Place>("t", c => c.Add("p", p => p))).Message, StringComparison.Ordinal);
        Assert.Contains("has no public property", Assert.Throws<ArgumentException>(() => Sqlite.Table<(int A, int B)>("t")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_sqlite_takes_for_the_same_are_refused()
    {
        Assert.Contains("'VALUE' twice", Assert.Throws<ArgumentException>(() => Sqlite.Table<int>("t", c => c.Add("value", x => x).Add("VALUE", x => x))).Message, StringComparison.Ordinal);
        Assert.Contains("identity", Assert.Throws<ArgumentException>(() => Sqlite.Table<int>("t", c => c.Add("_key", x => x))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Sqlite.Table<Small>("sqlite_x"));
        Assert.Throws<ArgumentException>(() => Sqlite.Table<Small>("a\0b"));
        Assert.Throws<ArgumentException>(() => Sqlite.Table<Small>(" "));
        Assert.Throws<ArgumentException>(() => Sqlite.Table<Small>("t", _ => { }));
    }

    [Fact]
    public async Task Text_does_not_depend_on_the_culture()
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = ",", NegativeSign = "~" } };
            await _file.WriteAsync(Sqlite.Table<decimal>("t", c => c.Add("x", x => x)), SqliteFile.Batch(-1.5m));
            Assert.Equal("(-1.5)", "(" + _file.Scalar("SELECT x FROM t") + ")");
            Assert.Equal("[\"-1.5\"]", SqliteKey.Of(ValueTuple.Create(-1.5)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}

public enum Wide : long
{
    Big = long.MaxValue,
}

public sealed record Everything(
    bool Bool, sbyte SByte, byte Byte, short Short, ushort UShort, int Int, uint UInt, long Long, ulong ULong, Half Half, float Float,
    double Double, decimal Decimal, char Char, string Text, DateTimeOffset Instant, DateTime Naive, DateOnly Date, TimeOnly Time,
    TimeSpan Span, Guid Guid, DayOfWeek Day, Wide Wide, byte[] Bytes, string? NoText, int? SomeInt, double? NoDouble, DayOfWeek? SomeDay);

public readonly record struct Timed(DateTimeOffset At);

public readonly record struct Small(int Index, DayOfWeek Day)
{
    public static int Count => 0;

    public int this[int index] => index;
}

public sealed record Place(string Building, DayOfWeek Day);

public sealed record Nested(string Name, List<Place> Places);

public class Ordered
{
    public int Order { get; init; }

    public int Hidden { internal get; set; }
}

public sealed class Derived : Ordered
{
    public string Group { get; init; } = "";
}
