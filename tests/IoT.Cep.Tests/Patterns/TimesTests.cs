namespace IoT.Cep.Tests;

public class TimesTests
{
    public static TheoryData<Times, string, int, int?, bool> All => new()
    {
        { Times.Optional, "?", 1, 1, true },
        { Times.OneOrMore, "+", 1, null, false },
        { Times.ZeroOrMore, "*", 1, null, true },
        { Times.OneOrMore.OrNone, "*", 1, null, true },
        { Times.Exactly(1), "", 1, 1, false },
        { Times.Exactly(3), "{3}", 3, 3, false },
        { Times.Exactly(3).OrNone, "{3}?", 3, 3, true },
        { Times.AtLeast(0), "*", 1, null, true },
        { Times.AtLeast(1), "+", 1, null, false },
        { Times.AtLeast(2), "{2,}", 2, null, false },
        { Times.AtLeast(2).OrNone, "{2,}?", 2, null, true },
        { Times.AtMost(1), "?", 1, 1, true },
        { Times.AtMost(4), "{0,4}", 1, 4, true },
        { Times.Between(0, 4), "{0,4}", 1, 4, true },
        { Times.Between(1, 4), "{1,4}", 1, 4, false },
        { Times.Between(2, 4), "{2,4}", 2, 4, false },
        { Times.Between(2, 4).OrNone, "{2,4}?", 2, 4, true },
        { Times.Exactly(Times.MaxBound), "{10000}", 10_000, 10_000, false },
    };

    [Theory]
    [MemberData(nameof(All))]
    public void Number_of_times_reads_as_in_a_regular_expression(Times times, string text, int min, int? max, bool isOptional) =>
        Assert.Equal((text, min, max, isOptional), (times.ToString(), times.Min, times.Max, times.IsOptional));

    [Fact]
    public void Number_out_of_range_names_the_argument()
    {
        Assert.Equal("count", Assert.Throws<ArgumentOutOfRangeException>(() => Times.AtLeast(-1)).ParamName);
        Assert.Equal("count", Assert.Throws<ArgumentOutOfRangeException>(() => Times.AtLeast(10_001)).ParamName);
        foreach (var wrong in new Func<Times>[] { () => Times.Exactly(0), () => Times.AtMost(0), () => Times.Between(0, 0), () => Times.Between(3, 2), () => Times.Exactly(10_001) })
        {
            Assert.Equal("max", Assert.Throws<ArgumentOutOfRangeException>(() => wrong()).ParamName);
        }

        Assert.Equal("min", Assert.Throws<ArgumentOutOfRangeException>(() => Times.Between(-1, 2)).ParamName);
        Assert.Equal("times", Assert.Throws<ArgumentOutOfRangeException>(() => Pattern.Begin<double>(out _, default, x => x > 0)).ParamName);
    }
}
