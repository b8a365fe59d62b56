namespace IoT.Cep.Mutations;

/// <summary>A deliberate fault: one place in one file is changed, and some test has to fail.</summary>
/// <param name="Name">What is wrong then.</param>
/// <param name="File">The file, from the repository's root.</param>
/// <param name="Find">The code that stands there exactly once.</param>
/// <param name="Replace">What takes its place.</param>
internal sealed record Fault(string Name, string File, string Find, string Replace)
{
    /// <summary>Whether the code is there exactly once: the list of faults must follow the code.</summary>
    internal bool Fits(string source)
    {
        int at = source.IndexOf(Find, StringComparison.Ordinal);
        return at >= 0 && source.IndexOf(Find, at + 1, StringComparison.Ordinal) < 0;
    }

    /// <summary>The source with the fault in it.</summary>
    internal string ApplyTo(string source) => source.Replace(Find, Replace, StringComparison.Ordinal);
}
