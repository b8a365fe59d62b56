using IoT.Cep.Extensibility;

namespace IoT.Cep.Generators.Tests;

public sealed class EventReadingTests
{
    private static readonly DateTimeOffset _noon = new(2026, 7, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Fields_are_read_in_any_order_by_their_payload_names() =>
        Assert.Equal(
            new Reading(_noon, "s1", 71.5, 40),
            Decoding.Event<Reading>(("humidity", 40), ("temperature", 71.5), ("unknown", "x"), ("sensor", "s1"), ("time", _noon)));

    [Fact]
    public void A_missing_field_is_refused_by_name() =>
        Assert.Equal(
            (DeadLetterReason.MissingField, "Sensor"), Decoding.Refusal<Reading>(("time", _noon), ("humidity", 40)));

    [Fact]
    public void A_missing_field_with_a_default_takes_it() =>
        Assert.Equal(50, Decoding.Event<Reading>(("time", _noon), ("sensor", "s1"), ("temperature", 1.0)).Humidity);

    [Fact]
    public void A_field_that_stands_twice_is_refused() =>
        Assert.Equal(
            (DeadLetterReason.DuplicateField, "Celsius"), Decoding.Refusal<Reading>(("temperature", 1.0), ("temperature", 1.0), ("time", _noon)));

    [Fact]
    public void Null_is_refused_where_the_type_has_no_null() =>
        Assert.Equal((DeadLetterReason.WrongType, "Sensor"), Decoding.Refusal<Reading>(("sensor", null)));

    [Fact]
    public void Null_is_refused_where_there_is_only_a_default() =>
        Assert.Equal((DeadLetterReason.WrongType, "Humidity"), Decoding.Refusal<Reading>(("humidity", null)));

    [Fact]
    public void A_null_that_stands_twice_is_refused_too() =>
        Assert.Equal((DeadLetterReason.DuplicateField, "Int"), Decoding.Refusal<Optional>(("int", null), ("int", null)));

    [Fact]
    public void The_first_failure_is_the_one_that_is_told() =>
        Assert.Equal((DeadLetterReason.WrongType, "Celsius"), Decoding.Refusal<Reading>(("temperature", "hot"), ("sensor", 1)));

    [Fact]
    public void Every_supported_type_is_read() =>
        Assert.Equal(EverythingSample.Event, Decoding.Event<Everything>(EverythingSample.Fields));

    [Theory]
    [InlineData("sByte", 128L, "SByte")]
    [InlineData("sByte", -129L, "SByte")]
    [InlineData("byte", 256L, "Byte")]
    [InlineData("byte", -1L, "Byte")]
    [InlineData("short", 32768L, "Short")]
    [InlineData("uShort", 65536L, "UShort")]
    [InlineData("int", 2147483648L, "Int")]
    [InlineData("int", -2147483649L, "Int")]
    [InlineData("uInt", 4294967296L, "UInt")]
    [InlineData("uInt", -1L, "UInt")]
    [InlineData("uLong", -1L, "ULong")]
    [InlineData("float", 1e39, "Float")]
    [InlineData("decimal", 1e29, "Decimal")]
    [InlineData("decimal", double.NaN, "Decimal")]
    [InlineData("decimal", 79228162514264337593543950336.0, "Decimal")]
    [InlineData("time", long.MaxValue, "Time")]
    [InlineData("clock", long.MinValue, "Clock")]
    [InlineData("door", "Broken", "Door")]
    [InlineData("door", "7", "Door")]
    public void A_value_outside_its_type_is_refused(string name, object value, string member) =>
        Assert.Equal((DeadLetterReason.OutOfRange, member), Decoding.Refusal<Everything>((name, value)));

    [Fact]
    public void The_largest_values_still_fit()
    {
        var fields = EverythingSample.With(
            ("sByte", -128L), ("uInt", 4294967295L), ("long", long.MinValue), ("float", double.PositiveInfinity),
            ("decimal", Math.BitDecrement(79228162514264337593543950336.0)), ("time", Ticks.Max));
        var read = Decoding.Event<Everything>(fields);
        Assert.Equal((sbyte.MinValue, uint.MaxValue, long.MinValue), (read.SByte, read.UInt, read.Long));
        Assert.Equal((float.PositiveInfinity, DateTimeOffset.MaxValue), (read.Float, read.Time));
    }

    [Fact]
    public void An_enum_is_read_by_name_in_any_case() =>
        Assert.Equal(DoorState.Ajar, Decoding.Event<Everything>(EverythingSample.With(("door", "ajar"))).Door);

    [Fact]
    public void Optional_members_may_be_missing_or_null()
    {
        var nothing = new Optional(null, null, null, null, null, null, null, null, null, null);
        Assert.Equal(nothing, Decoding.Event<Optional>());
        Assert.Equal(nothing, Decoding.Event<Optional>(("double", null), ("text", null), ("door", null)));
    }

    [Fact]
    public void Optional_members_are_read() =>
        Assert.Equal(
            new Optional(1.5, 2.5f, 3.5m, 4, 5, "6", true, _noon, _noon.UtcDateTime, DoorState.Open),
            Decoding.Event<Optional>(
                ("double", 1.5), ("float", 2.5), ("decimal", 3.5), ("int", 4), ("uLong", 5L), ("text", "6"), ("bool", true),
                ("time", _noon), ("clock", _noon), ("door", "Open")));

    [Fact]
    public void Defaults_are_the_constructors_own()
    {
        Assert.Equal(new Defaults(Double: -0.0), Decoding.Event<Defaults>());
        Assert.True(double.IsNegative(Decoding.Event<Defaults>().Double));
        Assert.All(((IEnumerable<EventField>)Schema<Defaults>().Fields), static f => Assert.False(f.IsRequired));
    }

    [Fact]
    public void Types_of_every_kind_and_place_are_event_types()
    {
        Assert.Equal(new GlobalReading(_noon, 1), Decoding.Event<GlobalReading>(("time", _noon), ("celsius", 1)));
        Assert.Equal(new Machines.Press("m1", 2), Decoding.Event<Machines.Press>(("id", "m1"), ("p", 2)));
        Assert.Equal(3, Decoding.Event<Outer<string>.IInner.Nested>(("value", 3)).Value);
        Assert.Equal(4, Decoding.Event<Plain>(("x", 4), ("y", 5)).X);
        Assert.Equal(
            new Awkward(1, 2, 3, 4, 5, 6),
            Decoding.Event<Awkward>(("schema", 1), ("read", 2), ("fields", 3), ("class", 4), ("value", 5), ("ticks", 6)));
    }

    [Fact]
    public void Attributes_count_on_the_parameter_and_on_the_property()
    {
        var measured = Decoding.Event<Measured>(("time", _noon), ("v", 7));
        Assert.Equal((_noon.UtcDateTime, 7), (measured.Time, measured.Value));
        Assert.Equal(0, Schema<Machines.Press>().KeyIndex);
    }

    [Fact]
    public void The_schema_tells_names_kinds_and_roles()
    {
        var schema = Schema<Reading>();
        Assert.Equal("Reading", schema.TypeName);
        Assert.Equal(["time Time", "sensor Text", "temperature Number", "humidity Number"], schema.Fields.Select(f => $"{f.Name} {f.Kind}"));
        Assert.Equal((0, 1, 0b111UL), (schema.TimeIndex, schema.KeyIndex, schema.RequiredMask));
    }

    [Fact]
    public void The_events_time_is_the_marked_member_in_utc_and_zero_without_one()
    {
        var local = new DateTimeOffset(2026, 7, 1, 14, 0, 0, TimeSpan.FromHours(2));
        Assert.Equal(Ticks.From(_noon), TicksOf(new Reading(local, "s1", 1)));
        Assert.Equal(Ticks.From(_noon), TicksOf(new Measured(new DateTime(2026, 7, 1, 12, 0, 0), 1)));
        Assert.Equal(0, TicksOf(new Plain(1, 2)));
    }

    private static EventSchema Schema<T>()
        where T : IEvent<T> => T.Schema;

    private static long TicksOf<T>(T value)
        where T : IEvent<T> => T.TicksOf(in value);
}

/// <summary>An event with a member of every type.</summary>
internal static class EverythingSample
{
    private static readonly DateTimeOffset _noon = new(2026, 7, 1, 12, 0, 0, TimeSpan.Zero);

    internal static Everything Event { get; } = new(
        1.5, 2.5f, 3.5m, -4, 5, -6, 7, -8, 9, -10, 11, "twelve", true, _noon, _noon.UtcDateTime, DoorState.Open);

    internal static (string Name, object? Value)[] Fields { get; } =
    [
        ("double", 1.5), ("float", 2.5), ("decimal", 3.5), ("sByte", -4), ("byte", 5), ("short", -6), ("uShort", 7), ("int", -8), ("uInt", 9),
        ("long", -10), ("uLong", 11), ("text", "twelve"), ("bool", true), ("time", _noon), ("clock", _noon), ("door", "Open"),
    ];

    internal static (string Name, object? Value)[] With(params (string Name, object? Value)[] changed) =>
        [.. Fields.Where(f => changed.All(c => c.Name != f.Name)), .. changed];
}
