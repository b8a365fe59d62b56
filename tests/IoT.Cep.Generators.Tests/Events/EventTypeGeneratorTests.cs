using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators.Tests;

public sealed class EventTypeGeneratorTests
{
    [Theory]
    [InlineData("public readonly partial record struct Reading(double Celsius);")]
    [InlineData("public partial record struct Reading(double Celsius);")]
    [InlineData("public sealed partial record Reading(double Celsius);")]
    [InlineData("public partial record class Reading(double Celsius);")]
    [InlineData("public readonly partial struct Reading(double celsius) { public double Celsius => celsius; }")]
    [InlineData("public sealed partial class Reading(double celsius) { public double Celsius { get; } = celsius; }")]
    [InlineData("public partial struct Reading { public Reading(double celsius) => Celsius = celsius; public double Celsius; }")]
    [InlineData("internal partial record struct Reading<T>(double Celsius) where T : struct;")]
    [InlineData("public partial record struct Reading(double @class, string @event, int @in);")]
    [InlineData("public partial record struct Reading(double Celsius) { public static class Fields; }")]
    [InlineData("public partial record struct Reading(double Celsius) { public int Schema => 1; public void TryRead() { } }")]
    [InlineData("public partial record struct Reading(in double Celsius);")]
    [InlineData("public partial record Reading(double Celsius) : Base(1); public record Base(int Other);")]
    [InlineData("[System.Obsolete] public partial record Reading([property: System.Obsolete] double Celsius);")]
    [InlineData("public partial record Reading { [System.Diagnostics.CodeAnalysis.SetsRequiredMembers] public Reading(int a) => A = a; public required int A { get; init; } }")]
    public async Task A_type_of_this_shape_compiles_without_a_warning(string declaration) =>
        Assert.Empty((await Snippet.Diagnose("namespace Demo; [IoT.Cep.Event] " + declaration)).Select(Snippet.Print));

    [Fact]
    public async Task A_type_may_stand_in_the_global_namespace() =>
        Assert.Empty((await Snippet.Diagnose("[IoT.Cep.Event] public partial record struct Reading(double Celsius);")).Select(Snippet.Print));

    [Theory]
    [InlineData("public static partial class")]
    [InlineData("public partial struct")]
    [InlineData("public partial record")]
    [InlineData("internal partial record struct")]
    [InlineData("partial interface")]
    public async Task A_type_may_stand_inside_a(string container) =>
        Assert.Empty((await Snippet.Diagnose(
            $"namespace Demo.@namespace; {container} Outer {{ [IoT.Cep.Event] public partial record struct Reading(double Celsius); }}")).Select(Snippet.Print));

    [Fact]
    public async Task A_namespace_of_the_users_can_hide_nothing_that_is_generated() =>
        Assert.Empty((await Snippet.Diagnose(
            "namespace Demo.IoT.Cep.System { public class EventSchema; public class Decimal; [global::IoT.Cep.Event] "
            + "public partial record struct Reading(global::System.DateTimeOffset Time, string Text, decimal Number); }")).Select(Snippet.Print));

    [Fact]
    public async Task Two_types_of_one_name_get_a_file_each() =>
        Assert.Empty((await Snippet.Diagnose(
            "namespace A { [IoT.Cep.Event] partial record struct R(int X); partial class N { [IoT.Cep.Event] partial record struct R(int X); } }",
            "namespace B { [IoT.Cep.Event] partial record struct R(int X); [IoT.Cep.Event] partial record struct R<T>(int X); }")).Select(Snippet.Print));

    [Fact]
    public async Task Arithmetic_that_is_checked_still_reports_instead_of_throwing()
    {
        string text = Snippet.GeneratedText("[IoT.Cep.Event] partial record struct R(byte X);");
        Assert.Contains("unchecked((byte)w0)", text, StringComparison.Ordinal);
        Assert.Empty(await Snippet.Diagnose(text.Replace("file static class", "static class", StringComparison.Ordinal), "partial record struct R(byte X);"));
    }

    [Fact]
    public void A_type_that_nobody_else_can_name_is_not_registered()
    {
        const string Source = "partial class Outer {{ [IoT.Cep.Event] {0} partial record struct Inner(int X); }}";
        string Text(string accessibility) => Snippet.GeneratedText(string.Format(System.Globalization.CultureInfo.InvariantCulture, Source, accessibility));
        Assert.Contains("RegisterEvent<global::Outer.Inner>", Text("internal"), StringComparison.Ordinal);
        Assert.DoesNotContain("RegisterEvent", Text("private"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Celsius", "celsius")]
    [InlineData("ID", "id")]
    [InlineData("URLPath", "urlPath")]
    [InlineData("DeviceId", "deviceId")]
    [InlineData("x", "x")]
    [InlineData("Ärger", "ärger")]
    public void A_payload_name_is_the_members_in_camel_case(string member, string expected) =>
        Assert.Contains(
            $"EventField(\"{member}\", \"{expected}\",",
            Snippet.GeneratedText($"[IoT.Cep.Event] partial record struct R(int {member});"),
            StringComparison.Ordinal);

    [Fact]
    public void Generated_code_is_marked_as_such()
    {
        string text = Snippet.GeneratedText("[IoT.Cep.Event] partial record struct R(int X);");
        Assert.StartsWith("// <auto-generated/>", text, StringComparison.Ordinal);
        Assert.Equal(8, text.Split("GeneratedCode(\"IoT.Cep.Generators\"").Length - 1);
    }

    [Fact]
    public void Nothing_is_generated_for_a_type_with_a_problem() =>
        Assert.Single(Snippet.Generate("[IoT.Cep.Event] record struct R(int X);").SyntaxTrees);

    [Fact]
    public void An_edit_elsewhere_takes_the_models_from_the_cache()
    {
        const string Event = "[IoT.Cep.Event] partial record struct R(int X);";
        var before = Snippet.Compile(Event, "class Other;");
        var after = before.ReplaceSyntaxTree(before.SyntaxTrees[1], Snippet.Compile("", "class Other { int _edited; }").SyntaxTrees[1]);
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Cached], Reasons(before, after));
    }

    [Fact]
    public void An_edit_of_the_type_that_changes_no_member_leaves_the_output()
    {
        var before = Snippet.Compile("[IoT.Cep.Event] partial record struct R(int X);");
        var after = Snippet.Compile("/* moved */ [IoT.Cep.Event] partial record struct R(int X) { public int Twice => 2 * X; }");
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Cached], Reasons(before, after));
    }

    [Fact]
    public void A_new_member_is_a_new_output()
    {
        var before = Snippet.Compile("[IoT.Cep.Event] partial record struct R(int X);");
        var after = Snippet.Compile("[IoT.Cep.Event] partial record struct R(int X, int Y);");
        Assert.Equal([IncrementalStepRunReason.Modified, IncrementalStepRunReason.Modified], Reasons(before, after));
    }

    // Why the second run gave the models and the files that it gave.
    private static IEnumerable<IncrementalStepRunReason> Reasons(Compilation before, Compilation after)
    {
        var run = Snippet.Driver().RunGenerators(before).RunGenerators(after).GetRunResult().Results.Single();
        return run.TrackedSteps[EventTypeGenerator.ModelStep].Concat(run.TrackedOutputSteps.SelectMany(static s => s.Value))
            .SelectMany(static s => s.Outputs).Select(static o => o.Reason);
    }
}
