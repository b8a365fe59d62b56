namespace IoT.Cep.Generators.Tests;

/// <summary>A fact about a part of the library, skipped in a tree that doesn't have that part yet.</summary>
internal sealed class ApiFactAttribute : FactAttribute
{
    /// <summary>Skips where the library has no such type.</summary>
    /// <param name="type">The type's metadata name, without <c>IoT.Cep.</c>.</param>
    public ApiFactAttribute(string type) =>
        Skip = typeof(EventAttribute).Assembly.GetType("IoT.Cep." + type) is null ? $"This tree has no {type} yet." : null;
}
