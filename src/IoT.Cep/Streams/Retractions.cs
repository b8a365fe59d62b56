using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What projections do with results that are taken back: nothing. A filter may have refused such an event, and a projection may throw at what a filter
/// before it refused.
/// </summary>
internal static class Retractions
{
    /// <summary>
    /// Finds the next events that are not taken back, and clears the results of those before them that are. False once there are no more.
    /// </summary>
    /// <param name="kinds">The kinds of all events.</param>
    /// <param name="next">Where to look from; set behind what was found.</param>
    /// <param name="run">What was found.</param>
    /// <param name="results">The results of all events.</param>
    internal static bool TryNextRun<TResult>(ReadOnlySpan<EventKind> kinds, ref int next, out Range run, Span<TResult> results)
    {
        for (; next < kinds.Length && kinds[next] == EventKind.Retract; next++)
        {
            results[next] = default!;
        }

        int start = next;
        while (next < kinds.Length && kinds[next] != EventKind.Retract)
        {
            next++;
        }

        run = start..next;
        return next > start;
    }
}
