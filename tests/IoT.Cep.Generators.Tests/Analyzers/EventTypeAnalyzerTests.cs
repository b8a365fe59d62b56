namespace IoT.Cep.Generators.Tests;

public sealed class EventTypeAnalyzerTests
{
    [Theory]
    [InlineData("record struct R(int X);", "(1,15): error CEP002: 'R' must be partial: the generator adds the other part of the [Event] type")]
    [InlineData(
        "partial record struct R(int X, System.Guid Id);",
        "(1,44): error CEP003: 'Id' has the type 'Guid', which no payload field gives. Use a number, string, bool, DateTimeOffset, DateTime or an "
        + "enum, and compute other types from it in a property.")]
    [InlineData(
        "partial record struct R(int[] Many);",
        "(1,31): error CEP003: 'Many' has the type 'int[]', which no payload field gives. Use a number, string, bool, DateTimeOffset, DateTime or an "
        + "enum, and compute other types from it in a property.")]
    [InlineData(
        "partial record struct R([EventTime] DateTimeOffset A, [EventTime] DateTimeOffset B);",
        "(1,82): error CEP004: 'R' has more than one [EventTime]; an event has one time")]
    [InlineData(
        "partial record struct R([EventKey] string A, [property: EventKey] string B);",
        "(1,74): error CEP004: 'R' has more than one [EventKey]; one member names the device")]
    [InlineData(
        "partial record struct R([EventTime] long A);",
        "(1,42): error CEP004: The [EventTime] 'A' must be a DateTimeOffset or a DateTime that is never null")]
    [InlineData(
        "partial record struct R([EventTime] DateTimeOffset? A);",
        "(1,53): error CEP004: The [EventTime] 'A' must be a DateTimeOffset or a DateTime that is never null")]
    [InlineData("partial record struct R([EventKey] int A);", "(1,40): error CEP004: The [EventKey] 'A' must be a string")]
    [InlineData("partial record struct R([Field(\"\")] int A);", "(1,41): error CEP004: The [Field] of 'A' needs a name")]
    [InlineData(
        "partial record struct R(int A, [Field(\"a\")] int B);",
        "(1,49): error CEP004: Two members of 'R' are called 'a' in a payload; rename one with [Field]")]
    [InlineData(
        "partial record struct R { public int X { get; } }",
        "(1,23): error CEP006: 'R' has no public constructor with parameters; its parameters are the event's members")]
    [InlineData("abstract partial record R(int X);", "(1,25): error CEP006: 'R' is abstract, so no event of it can be made and kept")]
    [InlineData("ref partial struct R(int x) { public int X => x; }", "(1,20): error CEP006: 'R' is a ref struct, so no event of it can be made and kept")]
    [InlineData(
        "partial class R(int x) { public int Y => x; }",
        "(1,21): error CEP006: 'R' has no property or field for the parameter 'x', so it couldn't be saved; add one of that name")]
    [InlineData(
        "partial class R(int x) { public long X => x; }",
        "(1,21): error CEP006: 'X' and the parameter 'x' differ in type, so it couldn't be saved")]
    [InlineData(
        "partial class R { public R(out int x) { x = 1; X = 1; } public int X; }",
        "(1,36): error CEP006: The parameter 'x' is passed by reference, so no field can be read into it")]
    [InlineData(
        "partial record R(int X) { public required int Y { get; init; } }",
        "(1,47): error CEP006: 'Y' is required but isn't a parameter of the constructor, which is all that is read")]
    [InlineData(
        "partial record R(int X) { [EventTime] public DateTimeOffset Y { get; init; } }",
        "(1,61): error CEP006: 'Y' isn't a parameter of the constructor, which is all that is read")]
    [InlineData(
        "file partial record R(int X);",
        "(1,21): error CEP006: 'R' is local to its file, where the generator can't add a part; make it internal")]
    public async Task A_problem_is_named_where_it_stands(string declaration, string expected) =>
        Assert.Equal([expected], await Messages("[Event]\n#line 1\n" + declaration));

    [Fact]
    public async Task A_type_around_an_event_type_must_be_partial_too() =>
        Assert.Equal(
            ["(1,7): error CEP002: 'Outer' must be partial, as 'R' inside it is: the generator adds the other part of the [Event] type"],
            await Messages("#line 1\nclass Outer { [Event] partial record struct R(int X); }"));

    [Fact]
    public async Task Every_problem_of_a_type_is_named_at_once() =>
        Assert.Equal(
            ["CEP002", "CEP004", "CEP003"],
            (await Messages("[Event] record struct R([EventKey] int A, object B);")).Select(static m => m.Split(' ')[2].TrimEnd(':')));

    [Fact]
    public async Task An_event_type_has_at_most_64_members()
    {
        static string Type(int members) => $"[Event]\n#line 1\npartial record struct R({string.Join(", ", Enumerable.Range(0, members).Select(i => $"int M{i}"))});";
        Assert.Empty(await Messages(Type(64)));
        Assert.Equal(["(1,23): error CEP004: 'R' has 65 members; an event type has at most 64"], await Messages(Type(65)));
    }

    [Fact]
    public async Task A_type_that_does_not_exist_is_left_to_the_compiler() =>
        Assert.Equal(["CS0246"], (await Messages("[Event] partial record struct R(Missing X);")).Select(static m => m.Split(' ')[2].TrimEnd(':')).Distinct());

    private static async Task<IEnumerable<string>> Messages(string source) =>
        (await Snippet.Diagnose("using System; using IoT.Cep; namespace Demo;\n" + source)).Select(Snippet.Print);
}
