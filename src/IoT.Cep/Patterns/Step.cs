namespace IoT.Cep;

/// <summary>A step's handle: what <c>out var warm</c> declares. Its name comes from the source text.</summary>
public abstract class Step
{
    private protected Step(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Name = text[(text.LastIndexOf(' ') + 1)..];
    }

    /// <summary>The name of the variable that holds the handle.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A step that takes exactly one event: <c>m[warm]</c> is a <typeparamref name="T"/>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Step<T> : Step
{
    internal Step(string text)
        : base(text)
    {
    }
}

/// <summary>A repeated or optional step: <c>m[rises]</c> is a list.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public class Steps<T> : Step
{
    internal Steps(string text)
        : base(text)
    {
    }
}

/// <summary>A repeated group: <c>m[flaps]</c> is a list of the inner pattern's matches.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Group<T> : Step
{
    internal Group(string text)
        : base(text)
    {
    }
}
