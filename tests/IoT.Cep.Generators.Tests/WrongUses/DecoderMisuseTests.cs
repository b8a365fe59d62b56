namespace IoT.Cep.Generators.Tests;

/// <summary>Decoders of types that are no event types.</summary>
public sealed class DecoderMisuseTests
{
    [ApiFact("Json")]
    public Task Json_of_a_type_without_event_says_what_to_add() => SaysWhatToAdd("Json");

    [ApiFact("SenMl")]
    public Task SenMl_of_a_type_without_event_says_what_to_add() => SaysWhatToAdd("SenMl");

    private static async Task SaysWhatToAdd(string format)
    {
        var messages = await CompileErrors.Of($"{format}.Decode<Reading>();");
        Assert.Equal(2, messages.Count);
        Assert.Contains("error CS0315: The type 'Reading' cannot be used as type parameter 'T'", messages[0], StringComparison.Ordinal);
        Assert.EndsWith(
            "error CEP005: 'Reading' is no event type: add [Event] and partial to its declaration, or decode it with a lambda", messages[1], StringComparison.Ordinal);
    }
}
