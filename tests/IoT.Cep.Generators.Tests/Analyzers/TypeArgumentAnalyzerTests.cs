namespace IoT.Cep.Generators.Tests;

public sealed class TypeArgumentAnalyzerTests
{
    private const string Formats = "namespace IoT.Cep { public static class Wires { public static T? Decode<T>() where T : IEvent<T> => default; } }";

    [Fact]
    public async Task A_decoder_of_a_struct_without_event_names_the_remedy() =>
        Assert.Equal(
            [
                "(1,7): error CS0315: The type 'Demo.Reading' cannot be used as type parameter 'T' in the generic type or method 'Wires.Decode<T>()'. "
                    + "There is no boxing conversion from 'Demo.Reading' to 'IoT.Cep.IEvent<Demo.Reading>'.",
                "(1,14): error CEP005: 'Reading' is no event type: add [Event] and partial to its declaration, or decode it with a lambda",
            ],
            await Messages("Wires.Decode<Reading>();", "record struct Reading(double Celsius);"));

    [Fact]
    public async Task A_class_is_told_the_same() =>
        Assert.Equal(
            ["CS0311", "CEP005"], (await Messages("Wires.Decode<Reading>();", "record Reading(double Celsius);")).Select(Id));

    [Fact]
    public async Task A_type_of_another_library_cannot_be_changed() =>
        Assert.Contains(
            "(1,14): error CEP005: 'Guid' is no event type: it isn't declared in this project; decode it with a lambda, or declare a type of your own with [Event]",
            await Messages("Wires.Decode<Guid>();", ""));

    [Theory]
    [InlineData("[Event] partial record struct Reading(double Celsius);")]
    [InlineData("[Event] partial record Reading(double Celsius);")]
    public async Task An_event_type_is_fine(string declaration) =>
        Assert.Empty(await Messages("Wires.Decode<Reading>();", declaration));

    [Fact]
    public async Task An_event_type_with_a_problem_of_its_own_is_told_only_that() =>
        Assert.Equal(["CS0315", "CEP002"], (await Messages("Wires.Decode<Reading>();", "[Event] record struct Reading(double Celsius);")).Select(Id));

    [Fact]
    public async Task A_type_parameter_is_left_to_the_compiler() =>
        Assert.Empty(await Messages("void Read<T>() where T : IEvent<T> => Wires.Decode<T>(); Read<Reading>();", "[Event] partial record struct Reading(int X);"));

    private static string Id(string message) => message.Split(' ')[2].TrimEnd(':');

    private static async Task<IEnumerable<string>> Messages(string statement, string declaration) => (await Snippet.Diagnose(
        $"using System; using IoT.Cep; namespace Demo; static class Query {{ static void F() {{\n#line 1\n{statement}\n}} }}\n{declaration}",
        Formats)).Select(Snippet.Print);
}
