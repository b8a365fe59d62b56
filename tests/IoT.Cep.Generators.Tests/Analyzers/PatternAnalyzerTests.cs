using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators.Tests;

public sealed class PatternAnalyzerTests
{
    private const string A = "Pattern.Begin<double>(out var a, x => x > 1)";
    private const string Bc = "Pattern.Begin<double>(out var b, x => x > 2).Next(out var c, x => x > 3)";
    private const string Loose = "Pattern.Begin<double>(out var b, x => x > 2).FollowedBy(out var c, x => x > 3)";
    private const string Gap = ".MaxGap(TimeSpan.FromSeconds(1))";

    /// <summary>Chains, and what the analyzer says is waited for; null where they are bounded.</summary>
    public static TheoryData<string, string?> Chains => new()
    {
        { A, null },
        { A + ".FollowedBy(out var hot, x => x > 2)", "hot" },
        { A + ".FollowedBy(out var hot, (x, m) => x > m[a])", "hot" },
        { A + ".FollowedByAny(out _, x => x > 2)", "_" },
        { A + ".FollowedBy<double>(out var hot, x => x > 2)", "hot" },
        { A + ".FollowedBy(out var hot, x => x > 2).Within(TimeSpan.FromSeconds(1))", null },
        { A + ".Within(TimeSpan.FromSeconds(1)).FollowedBy(out var hot, x => x > 2)", null },
        { A + ".FollowedBy(out var hot, x => x > 2).AfterMatch(After.PastLastEvent)", "hot" },
        { A + ".FollowedBy(out var hot, x => x > 2)" + Gap, null },
        { A + ".FollowedBy(out var hot, x => x > 2).Or(out var cold, x => x < 0)", "hot" },
        { A + ".Next(out var hot, x => x > 2).Next(out _, x => x > 3)", null },
        { A + ".Next(out var many, Times.OneOrMore, x => x > 2)", "many" },
        { A + ".Next(out var many, Times.OneOrMore, x => x > 2).Consecutive()", "many" },
        { A + ".Next(out var many, Times.OneOrMore, x => x > 2)" + Gap, "many" },
        { A + ".Next(out var many, Times.AtLeast(2).OrNone, x => x > 2).Consecutive().Greedy()", "many" },
        { A + ".Next(out var many, Times.ZeroOrMore, x => x > 2).Until(x => x > 5)", "many" },
        { A + ".Next(out var many, Times.Exactly(3), x => x > 2)", "many" },
        { A + ".Next(out var many, Times.Exactly(3), x => x > 2).Consecutive()", null },
        { A + ".Next(out var many, Times.Between(1, 3), x => x > 2).AllCombinations()", "many" },
        { A + ".Next(out var many, Times.Between(1, 3), x => x > 2).AllCombinations()" + Gap, null },
        { A + ".Next(out var many, Times.AtMost(1), x => x > 2).Next(out _, x => x > 3)", null },
        { A + ".Next(out var maybe, Times.Optional, x => x > 2).Next(out _, x => x > 3)", null },
        { A + ".FollowedBy(out var maybe, Times.Optional.OrNone, x => x > 2)", "maybe" },
        { "Pattern.Begin<double>(out var many, Times.Exactly(2), x => x > 2)", "many" },
        { "Pattern.Begin<double>(out var many, Times.Exactly(1), x => x > 2)", null },
        { "Pattern.Begin<double>(out var many, Times.Exactly(2), (x, m) => x > 2).Consecutive()", null },
        { A + ".NotNext(x => x > 2).Next(out _, x => x > 3)", null },
        { A + ".NotFollowedBy(x => x > 2).FollowedBy(out var hot, x => x > 3)", "hot" },
        { A + ".NotFollowedBy(x => x > 2).Within(TimeSpan.FromSeconds(1))", null },
        { A + ".NotFollowedBy(x => x > 2)" + Gap, null },
        { A + $".Next({Bc})", null },
        { A + $".Next({Loose})", "c" },
        { A + $".FollowedBy({Bc})", "FollowedBy" },
        { A + $".FollowedBy({Bc})" + Gap, null },
        { A + $".Next(out var pairs, Times.Exactly(2), {Bc})", "pairs" },
        { A + $".Next(out var pairs, Times.Exactly(2), {Bc}).Consecutive()", null },
        { A + $".Next(out var pairs, Times.Exactly(2), {Loose}).Consecutive()", "c" },
        { $"Pattern.Begin(out var pairs, Times.Exactly(2), {Bc})", "pairs" },
        { A + ".And(out var b, x => x > 2)", "a" },
        { A + ".And(out var b, x => x > 2)" + Gap, null },
        { A + ".Next(out var b, x => x > 2).And(out var c, x => x > 3).And(out var d, x => x > 4)", null },
        { A + ".FollowedBy(out var b, x => x > 2).And(out var c, x => x > 3)", "b" },
        { $"Pattern.AnyOf({A}, {Bc})", null },
        { $"Pattern.AnyOf({A}, {Loose})", "c" },
        { $"Pattern.AllOf({A}, {Bc})", "AllOf" },
        { $"Pattern.Begin(Pattern.AllOf({A}, {Bc}))", "AllOf" },
        { $"Pattern.Begin<double>(out var z, x => x > 9).Next(Pattern.AllOf({A}, {Bc}))", null },
        { $"Pattern.Begin<double>(out var z, x => x > 9).FollowedBy(Pattern.AnyOf({A}, {Bc}))", "AnyOf" },
        { "Pattern.Over(s).Begin(out var a, x => x > 1).FollowedBy(out var hot, x => x > 2)", "hot" },
        { "Pattern.Over(s).Begin(out var a, x => x > 1).Next(out var hot, x => x > 2)", null },
    };

    [Theory]
    [MemberData(nameof(Chains))]
    public async Task Chain_that_could_wait_for_ever_is_an_error(string chain, string? waitsFor)
    {
        string statement = $"s.Match({chain});";
        string expected = $"(1,9): error CEP008: The pattern would remember a first event for ever where no '{waitsFor}' comes, or where it never ends. Say how long with .Within(...).";
        Assert.Equal(waitsFor is null ? [] : [expected], await Messages(statement));
    }

    [Fact]
    public async Task Library_refuses_the_same_chains_when_the_query_is_built()
    {
        var chains = Chains.Select(row => (Text: (string)((object?[])row)[0]!, WaitsFor: (string?)((object?[])row)[1])).ToList();
        var image = new MemoryStream();
        string source = Source(string.Join('\n', chains.Select((chain, i) => $"public static void F{i}(IEventStream<double> s) {{ s.Match({chain.Text}); }}")));
        var result = Snippet.Compile(source).Emit(image);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        image.Position = 0;
        var methods = new AssemblyLoadContext("chains", isCollectible: true).LoadFromStream(image).GetType("Queries")!;
        var stream = new System.Reactive.Subjects.Subject<double>().ToEventStream(x => DateTimeOffset.UnixEpoch);
        for (int i = 0; i < chains.Count; i++)
        {
            var error = Record.Exception(() => methods.GetMethod($"F{i}")!.Invoke(null, [stream])) as TargetInvocationException;
            bool isRefused = error?.InnerException is ArgumentException refused && refused.Message.Contains(".Within(...)", StringComparison.Ordinal);
            Assert.True(error is null || isRefused, $"{chains[i].Text}: {error?.InnerException}");
            Assert.True(isRefused == chains[i].WaitsFor is not null, $"{chains[i].Text}: the library {(isRefused ? "refuses" : "takes")} it.");
        }
    }

    [Theory]
    [InlineData("var p = " + A + ".FollowedBy(out var b, x => x > 2); s.Match(p);")]
    [InlineData("s.KeyBy(x => x).Match(" + A + ".FollowedBy(out var b, x => x > 2), m => m[b]);")]
    [InlineData("s.KeyBy(x => x).Match(" + A + ".FollowedBy(out var b, x => x > 2), out var timeouts);")]
    [InlineData("s.KeyBy(x => x).Match([" + A + ".Within(TimeSpan.FromSeconds(1)), " + A + ".FollowedBy(out var b, x => x > 2)]);")]
    [InlineData("s.Match(Field);")]
    [InlineData("s.Match(pattern: " + A + ".FollowedBy(out var b, x => x > 2), maxPartialMatches: 5);")]
    public async Task Local_field_and_list_are_looked_into(string statement)
    {
        string message = Assert.Single(await Messages(statement.Replace("out var a,", statement.Contains("Within", StringComparison.Ordinal) ? "out _," : "out var a,", StringComparison.Ordinal)));
        Assert.Contains("CEP008", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("var p = " + A + ".FollowedBy(out var b, x => x > 2); p = p.Within(TimeSpan.FromSeconds(1)); s.Match(p);")]
    [InlineData("var p = " + A + ".FollowedBy(out var b, x => x > 2); s.Match(p.Within(TimeSpan.FromSeconds(1)));")]
    [InlineData("s.Match(Changing);")]
    [InlineData("s.Match(Given());")]
    [InlineData("s.Match(Given().FollowedBy(out var b, x => x > 2));")]
    [InlineData("s.Match(" + A + ".Next(Given()));")]
    [InlineData("var n = 3; s.Match(" + A + ".Next(out var b, Times.Exactly(n), x => x > 2));")]
    public async Task What_cannot_be_seen_is_left_to_the_library(string statement) => Assert.Empty(await Messages(statement));

    private static async Task<IEnumerable<string>> Messages(string statement) =>
        (await Snippet.Diagnose(Source($"static void F(IEventStream<double> s) {{\n#line 1\n{statement}\n}}"))).Select(Snippet.Print);

    private static string Source(string members) => $$"""
        using System; using IoT.Cep;
        public static class Queries
        {
            static readonly Pattern<double> Field = Pattern.Begin<double>(out _, x => x > 1).FollowedBy(out _, x => x > 2);
            static Pattern<double> Changing = Field;
            static Pattern<double> Given() => Changing;
        {{members}}
        }
        """;
}
