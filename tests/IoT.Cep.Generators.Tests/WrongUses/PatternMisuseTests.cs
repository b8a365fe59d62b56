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

    [Fact]
    public async Task A_pattern_that_ends_in_a_negation_names_within() => Assert.Equal(
        ["(1,1): error CS0619: 'MatchExtensions.Match<TKey, T>(IKeyedStream<TKey, T>, NegatedPattern<T>)' is obsolete: "
            + "'A pattern that ends in NotFollowedBy or NotNext waits for an absence: say how long with .Within(...).'"],
        await CompileErrors.Of("k.Match(Pattern.Begin<Reading>(out var a, r => r.Celsius > 5).NotFollowedBy(r => r.Celsius < 1));"));

    [Fact]
    public async Task Until_goes_with_repeated_steps_only() => Assert.Equal(
        ["(1,63): error CS1061: 'Pattern<Reading>' does not contain a definition for 'Until' and no accessible extension method 'Until' accepting a first argument of "
            + "type 'Pattern<Reading>' could be found (are you missing a using directive or an assembly reference?)"],
        await CompileErrors.Of("var p = Pattern.Begin<Reading>(out var a, r => r.Celsius > 5).Until(r => r.Celsius < 1);"));

    [Fact]
    public async Task A_list_of_events_is_no_event() => Assert.Equal(
        ["(1,98): error CS1061: 'StepEvents<Reading>' does not contain a definition for 'Celsius' and no accessible extension method 'Celsius' accepting a first argument "
            + "of type 'StepEvents<Reading>' could be found (are you missing a using directive or an assembly reference?)"],
        await CompileErrors.Of(
            "var x = k.Match(Pattern.Begin<Reading>(out var a, Times.Exactly(1), r => true)).Select(m => m[a].Celsius);"));

    [Fact]
    public async Task A_step_of_another_type_of_events_is_no_handle()
    {
        string message = Assert.Single(await CompileErrors.Of(
            "Pattern.Begin<string>(out var other, t => true); var x = k.Match(Pattern.Begin<Reading>(out var a, r => true)).Select(m => m[other]);"));
        Assert.Contains("error CS1503: Argument 1: cannot convert from 'IoT.Cep.Step<string>' to 'IoT.Cep.Step<Reading>'", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pattern_of_another_type_of_events_does_not_match_the_stream() => Assert.Contains(
        "error CS", Assert.Single(await CompileErrors.Of("k.Match(Pattern.Begin<string>(out var other, t => true));")), StringComparison.Ordinal);
}
