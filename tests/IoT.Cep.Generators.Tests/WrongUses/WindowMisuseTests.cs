namespace IoT.Cep.Generators.Tests;

/// <summary>What a window's projection can't do, in the compiler's words.</summary>
public sealed class WindowMisuseTests
{
    [Fact]
    public async Task A_typo_in_an_aggregate_is_one_message_at_its_place() => Assert.Equal(
        ["(1,71): error CS1061: 'Reading' does not contain a definition for 'Celsus' and no accessible extension method 'Celsus' accepting a first "
            + "argument of type 'Reading' could be found (are you missing a using directive or an assembly reference?)"],
        await CompileErrors.Of("w.Select(g => new Summary(g.Key, g.Start, g.Count(), g.Average(r => r.Celsus), g.Max(r => r.Celsius)));"));

    [Fact]
    public async Task A_window_cannot_be_used_in_a_nested_lambda() => Assert.Equal(
        ["(1,42): error CS9108: Cannot use parameter 'g' that has ref-like type inside an anonymous method, lambda expression, query expression, "
            + "or local function"],
        await CompileErrors.Of("w.Select(g => new[] { 1, 2 }.Select(i => g.Count() * i).ToArray());"));

    [Fact]
    public async Task A_window_cannot_leave_its_projection() => Assert.Equal(
        ["(1,3): error CS9244: The type 'WindowGroup<string, Reading>' may not be a ref struct or a type parameter allowing ref structs in order to use "
            + "it as parameter 'TResult' in the generic type or method 'WindowedStreamExtensions.Select<TKey, T, TResult>(IWindowedStream<TKey, T>, "
            + "Func<WindowGroup<TKey, T>, TResult>, string)'"],
        await CompileErrors.Of("w.Select(g => g);"));

    [Fact]
    public async Task An_aggregate_under_a_condition_is_refused() => Assert.Equal(
        ["(1,31): error CEP001: 'g.Max(r => r.Celsius)' is asked for only under a condition, so the window may never have computed it. "
            + "Ask for every aggregate unconditionally and decide in the next Select."],
        await CompileErrors.Of("w.Select(g => g.Count() > 3 ? g.Max(r => r.Celsius) : 0);"));
}
