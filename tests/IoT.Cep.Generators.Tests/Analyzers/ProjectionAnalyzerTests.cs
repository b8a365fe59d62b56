namespace IoT.Cep.Generators.Tests;

public sealed class ProjectionAnalyzerTests
{
    [Theory]
    [InlineData("w => w.Count() > 3 ? w.Max(r => r.Celsius) : 0", "w.Max(r => r.Celsius)")]
    [InlineData("w => w.Average(r => r.Celsius) > 3 ? w.Max(r => r.Celsius) : 0", "w.Max(r => r.Celsius)")]
    [InlineData("w => w.Count() > 3 ? 0 : w.Max(r => r.Celsius)", "w.Max(r => r.Celsius)")]
    [InlineData("w => w.Count() > 3 && w.Max(r => r.Celsius) > 1", "w.Max(r => r.Celsius)")]
    [InlineData("w => w.Count() > 3 || w.Max(r => r.Celsius) > 1", "w.Max(r => r.Celsius)")]
    [InlineData("w => (w.Key == \"\" ? null : w.Key) ?? w.MaxOf(r => r.Sensor)", "w.MaxOf(r => r.Sensor)")]
    [InlineData("w => w.Key switch { \"a\" => w.Max(r => r.Celsius), _ => 0 }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { if (w.Count() > 3) { return w.Max(r => r.Celsius); } return 0; }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { if (w.Count() < 3) { return 0; } return w.Max(r => r.Celsius); }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { var max = 0.0; switch (w.Count()) { case 1: max = w.Max(r => r.Celsius); break; } return max; }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { var max = 0.0; for (var i = 0; i < 2; i++) { max = w.Max(r => r.Celsius); } return max; }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { var max = 0.0; foreach (var c in w.Key) { max = w.Max(r => r.Celsius); } return max; }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { var max = 0.0; while (max < 1) { max = w.Max(r => r.Celsius); } return max; }", "w.Max(r => r.Celsius)")]
    [InlineData("w => { string? s = null; s ??= w.MaxOf(r => r.Sensor); return s; }", "w.MaxOf(r => r.Sensor)")]
    [InlineData("w => w.Count() > 3 ? w.Max(Queries.Celsius) : 0", "w.Max(Queries.Celsius)")]
    [InlineData("w => w.Count() > 3 ? w.DistinctCount(r => r.Sensor) : 0", "w.DistinctCount(r => r.Sensor)")]
    [InlineData("w => w.Count() > 3 ? w.RootMeanSquare(r => r.Celsius) : 0", "w.RootMeanSquare(r => r.Celsius)")]
    [InlineData("w => (w.Average(r => r.Celsius), w.Count() > 3 ? w.Max(r => r.Humidity) : 0)", "w.Max(r => r.Humidity)")]
    [InlineData("w => (w.Average(r => r.Celsius), w.Count() > 3 ? w.DistinctCount(r => r.Celsius) : 0)", "w.DistinctCount(r => r.Celsius)")]
    [InlineData("w => { var copy = w; return w.Count() > 3 ? copy.Max(r => r.Celsius) : 0; }", "copy.Max(r => r.Celsius)")]
    [InlineData("w => w.Count() > 3 ? w.Variance(r => r.Celsius) : 0", "w.Variance(r => r.Celsius)")]
    [InlineData("w => w.Max(r => r.Celsius) > 3 ? w.Variance(r => r.Celsius) : 0", "w.Variance(r => r.Celsius)")]
    [InlineData("w => w.Variance(r => r.Humidity) > 3 ? w.StandardDeviation(r => r.Celsius) : 0", "w.StandardDeviation(r => r.Celsius)")]
    [InlineData("w => w.Median(r => r.Celsius) > 3 ? w.Quantile(r => r.Celsius, 0.9, maxValues: 5) : 0", "w.Quantile(r => r.Celsius, 0.9, maxValues: 5)")]
    public async Task An_aggregate_under_a_condition_is_refused(string projection, string call)
    {
        string statement = $"w.Select({projection});";
        Assert.Equal(
            [$"(1,{statement.IndexOf(call, StringComparison.Ordinal) + 1}): error CEP001: '{call}' is asked for only under a condition, so the window may never "
                + "have computed it. Ask for every aggregate unconditionally and decide in the next Select."],
            await Messages(statement));
    }

    [Theory]
    [InlineData("w => w.Count() > 3 ? w.Count() : 0")]
    [InlineData("w => w.Max(r => r.Celsius) > 3 ? 1 : 0")]
    [InlineData("w => w.Max(r => r.Celsius) > 3 ? w.Average(r => r.Celsius) : w.Min(r => r.Celsius)")]
    [InlineData("w => w.Count() > 3 ? w.Sum(r => r.Celsius) : w.Average(r => r.Celsius) + 1")]
    [InlineData("w => { var max = w.Max(r => r.Celsius); if (max > 3) { return w.Min(r => r.Celsius); } return max; }")]
    [InlineData("w => { if (w.Max(r => r.Celsius) > 3) { return 1; } return 0; }")]
    [InlineData("w => w.Variance(r => r.Celsius) > 3 ? w.StandardDeviation(r => r.Celsius) : 0")]
    [InlineData("w => w.Quantile(r => r.Celsius, 0.5) > 3 ? w.Quantile(r => r.Celsius, 0.9) : w.Median(r => r.Celsius)")]
    [InlineData("w => w.Max(r => r.Celsius > 3 ? 1 : 0)")]
    [InlineData("w => w.Max(r => { if (r.Celsius > 3) { return 1; } return 0; }) + w.Min(r => r.Humidity)")]
    [InlineData("w => new { w.Key, Max = w.Max(r => r.Celsius), Distinct = w.DistinctCount(r => r.Sensor) }")]
    [InlineData("w => w.Max(r => r.Celsius) switch { > 3 => 1, _ => 0 }")]
    [InlineData("w => { if (w.Count() > 3) { return w.Max(r => r.Celsius); } else { return w.Min(r => r.Celsius); } }")]
    public async Task An_aggregate_that_every_run_asks_for_is_fine(string projection) =>
        Assert.Empty(await Messages($"w.Select({projection});"));

    [Fact]
    public async Task Updates_and_query_syntax_are_looked_at_as_well()
    {
        Assert.Single(await Messages("w.SelectUpdates(g => g.Count() > 3 ? g.Max(r => r.Celsius) : 0);"));
        Assert.Single(await Messages("var q = from g in w select g.Count() > 3 ? g.Max(r => r.Celsius) : 0;"));
        Assert.Empty(await Messages("var q = from g in w select g.Max(r => r.Celsius);"));
    }

    [Fact]
    public async Task A_selector_may_not_capture_a_variable_of_its_projection() =>
        Assert.Equal(
            ["(1,75): error CEP007: The selector captures 'limit', which is declared inside the projection, so it is another selector for every window. "
                + "Declare the variable outside of the projection, or put the decision into the selector."],
            await Messages("w.Select(w => { var limit = w.Count(); return w.Max(r => r.Celsius > 1 && limit > r.Celsius && limit > 3 ? 1 : 0); });"));

    [Theory]
    [InlineData("var limit = 3.0; w.Select(w => w.Max(r => r.Celsius > limit ? 1 : 0));")]
    [InlineData("w.Select(w => w.Max(r => { var twice = 2 * r.Celsius; return twice; }));")]
    [InlineData("w.Select(w => { var max = w.Max(r => r.Celsius); return max + 1; });")]
    public async Task A_selector_may_use_variables_of_elsewhere(string statement) =>
        Assert.Empty(await Messages(statement));

    [Fact]
    public async Task A_projection_of_something_else_is_left_alone() =>
        Assert.Empty(await Messages("Queries.Once(g => g.Count() > 3 ? g.Max(r => r.Celsius) : 0);"));

    private static async Task<IEnumerable<string>> Messages(string statement) => (await Snippet.Diagnose(
        $$"""
        using System; using IoT.Cep;
        #pragma warning disable CS0436
        public record struct Reading(string Sensor, double Celsius, double Humidity);
        static class Queries
        {
            internal static double Celsius(Reading r) => r.Celsius;
            internal static void Once(Func<WindowGroup<string, Reading>, double> read) { }
            internal static double RootMeanSquare<TKey, T>(this WindowGroup<TKey, T> w, Func<T, double> value) => 0;
            static void F(IWindowedStream<string, Reading> w)
            {
        #line 1
        {{statement}}
            }
        }
        """,
        StandInWindows.Source)).Select(Snippet.Print);
}
