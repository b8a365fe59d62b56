namespace IoT.Cep.Conformance;

/// <summary>A kind of cases, and how they are put into the library's own words.</summary>
internal interface IDialect
{
    string Name { get; }

    /// <summary>Runs a case; null where the dialect is read but not mapped to the library yet.</summary>
    /// <param name="one">The case.</param>
    /// <param name="way">In which way.</param>
    CaseResult? Run(Case one, Way way);
}

/// <summary>The dialects by their names.</summary>
internal static class Dialects
{
    private const string Refused = "refused: ";

    private static readonly IDialect[] _all = [new RunsDialect(), new RowsDialect()];

    /// <summary>Whether the library, or its mapping, does not let one say this.</summary>
    internal static bool IsRefused(CaseResult result) => result.Error?.StartsWith(Refused, StringComparison.Ordinal) == true;

    internal static CaseResult? Run(Case one, Way way)
    {
        var dialect = Array.Find(_all, dialect => dialect.Name == one.Dialect);
        try
        {
            return dialect?.Run(one, way);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException or FormatException)
        {
            // What the library refuses is a result as well: a case that expects something else fails with the reason.
            return new CaseResult([], null, 0, $"{Refused}{error.Message}");
        }
    }
}

/// <summary>In which way a case is run: all of them must give the same.</summary>
internal sealed record Way(string Name)
{
    /// <summary>All events at once, and then the time of the last one.</summary>
    internal static Way Straight { get; } = new("all events in one batch");

    /// <summary>Each event alone, and each time behind it.</summary>
    internal bool IsOneByOne { get; init; }

    /// <summary>Before which event the state is saved and restored.</summary>
    internal int? RestoreAt { get; init; }

    /// <summary>Before each event the state is saved and restored.</summary>
    internal bool RestoresAlways { get; init; }

    /// <summary>Events arrive in another order, by this seed.</summary>
    internal int? ShuffleSeed { get; init; }

    /// <summary>The events come under so many keys, interleaved; each of them gives the same matches.</summary>
    internal int Keys { get; init; } = 1;

    internal int Shards { get; init; } = 1;

    internal bool WantsTimeouts { get; init; }

    public override string ToString() => Name;
}
