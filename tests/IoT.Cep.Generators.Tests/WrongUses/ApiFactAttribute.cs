namespace IoT.Cep.Generators.Tests;

/// <summary>A fact about a part of the library, skipped in a tree that doesn't have that part yet.</summary>
internal sealed class ApiFactAttribute : FactAttribute
{
    public ApiFactAttribute(string type) => Skip = Api.MissingReason(type);
}

/// <summary>A theory about a part of the library, skipped in a tree that doesn't have that part yet.</summary>
internal sealed class ApiTheoryAttribute : TheoryAttribute
{
    public ApiTheoryAttribute(string type) => Skip = Api.MissingReason(type);
}

internal static class Api
{
    internal static string? MissingReason(string type) =>
        typeof(EventAttribute).Assembly.GetType("IoT.Cep." + type) is null ? $"This tree has no {type} yet." : null;
}
