namespace IoT.Cep.Generators.Tests;

public sealed class FieldHandleTests
{
    private static readonly Reading _reading = new(default, "s1", 70.5);

    [Fact]
    public void A_comparison_prints_as_it_was_written() =>
        Assert.Equal(
            "((Celsius > 70 && Sensor == \"s1\") || !(Humidity <= 50))",
            ((Reading.Fields.Celsius > 70 & Reading.Fields.Sensor.Is("s1")) | !(Reading.Fields.Humidity <= 50)).ToString());

    [Fact]
    public void A_comparison_decides()
    {
        Assert.True((Reading.Fields.Celsius > 70).Test(in _reading));
        Assert.False((Reading.Fields.Celsius > 70.5).Test(in _reading));
        Assert.True((Reading.Fields.Sensor < "s2").Test(in _reading));
        Assert.True(Reading.Fields.Time.Is(default).Test(in _reading));
    }

    [Fact]
    public void A_float_compares_as_a_double_so_that_nan_is_never_less()
    {
        var event1 = EverythingSample.Event with { Float = float.NaN };
        Assert.False((Everything.Fields.Float < 5.5).Test(in event1));
        Assert.False((Everything.Fields.Float > 5.5).Test(in event1));
    }

    [Fact]
    public void A_null_number_compares_as_null_does()
    {
        var nothing = new Optional(null, null, null, null, null, null, null, null, null, null);
        Assert.False((Optional.Fields.Double < 5).Test(in nothing));
        Assert.False((Optional.Fields.Double >= 5).Test(in nothing));
        Assert.True(Optional.Fields.Float.IsNot(5).Test(in nothing));
    }

    [Fact]
    public void A_null_text_is_before_every_text()
    {
        var nothing = new Optional(null, null, null, null, null, null, null, null, null, null);
        Assert.True((Optional.Fields.Text < "a").Test(in nothing));
        Assert.False(Optional.Fields.Text.Is("a").Test(in nothing));
    }

    [Fact]
    public void Handles_read_members_of_every_comparable_type()
    {
        var sample = EverythingSample.Event;
        Assert.Equal(3.5m, Everything.Fields.Decimal.Get(in sample));
        Assert.Equal(11UL, Everything.Fields.ULong.Get(in sample));
        Assert.True(Everything.Fields.Bool.Get(in sample));
        Assert.Equal("Int", Everything.Fields.Int.ToString());
    }
}
