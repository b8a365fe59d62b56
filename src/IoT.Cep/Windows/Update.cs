using System.Text;

namespace IoT.Cep;

/// <summary>A window's result together with the one that it takes the place of.</summary>
/// <typeparam name="TResult">The result's type.</typeparam>
/// <param name="Current">The result that holds from now on; the default where none does.</param>
/// <param name="Previous">The result that held until now; the default where none did.</param>
/// <param name="Firing">Why the window gives it.</param>
/// <param name="Revision">How many updates of this window and key came before.</param>
public readonly record struct Update<TResult>(TResult? Current, TResult? Previous, Firing Firing, int Revision)
{
    /// <summary>Whether a result holds from now on; not where <c>Having</c> no longer lets it pass.</summary>
    public bool HasCurrent { get; init; }

    /// <summary>Whether a result held until now.</summary>
    public bool HasPrevious { get; init; }

    /// <summary>A default is no result: of a number it would read as one.</summary>
    private bool PrintMembers(StringBuilder builder)
    {
        Print("Current = ", HasCurrent, Current);
        Print(", Previous = ", HasPrevious, Previous);
        builder.Append(", Firing = ").Append(Firing).Append(", Revision = ").Append(Revision);
        return true;

        void Print(string name, bool isThere, TResult? value) => builder.Append(name).Append(isThere ? value?.ToString() : "none");
    }
}
