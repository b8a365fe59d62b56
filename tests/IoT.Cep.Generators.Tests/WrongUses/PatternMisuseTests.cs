namespace IoT.Cep.Generators.Tests;

/// <summary>What a pattern can't say, in the compiler's words.</summary>
public sealed class PatternMisuseTests
{
    private const string NoCelsus = "error CS1061: 'Reading' does not contain a definition for 'Celsus' and no accessible extension method 'Celsus' accepting "
        + "a first argument of type 'Reading' could be found (are you missing a using directive or an assembly reference?)";

    [Fact]
    public async Task The_first_step_names_its_event_type()
    {
        string message = Assert.Single(await CompileErrors.Of("var p = Pattern.Begin(out var a, r => r.Celsius > 5);"));
        Assert.StartsWith("(1,17): error CS0411: The type arguments for method 'Pattern.Begin<T>(", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_condition_cannot_see_its_own_step() => Assert.Equal(
        ["(1,109): error CS8196: Reference to an implicitly-typed out variable 'b' is not permitted in the same argument list."],
        await CompileErrors.Of(
            "var p = Pattern.Begin<Reading>(out var a, r => r.Celsius > 5).FollowedBy(out var b, (r, m) => r.Celsius > m[b].Celsius);"));

    [Fact]
    public async Task A_typo_in_a_step_is_one_message_at_its_place() => Assert.Equal(
        ["(1,97): " + NoCelsus],
        await CompileErrors.Of(
            "var p = Pattern.Begin<Reading>(out var a, r => r.Celsius > 5).FollowedBy(out var b, (r, m) => r.Celsus > m[a].Celsius);"));
}
