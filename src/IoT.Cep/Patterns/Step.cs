namespace IoT.Cep;

/// <summary>A step's handle: what <c>out var warm</c> declares. Its name comes from the source text.</summary>
public abstract class Step
{
    internal Step(string text, int index)
    {
        Name = text[(text.LastIndexOf(' ') + 1)..];
        Index = index;
    }

    /// <summary>The name of the variable that holds the handle.</summary>
    public string Name { get; }

    internal int Index { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A step that takes exactly one event: <c>m[warm]</c> is a <typeparamref name="T"/>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Step<T> : Step
{
    internal Step(string text, int index)
        : base(text, index)
    {
    }
}
