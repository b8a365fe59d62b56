namespace IoT.Cep;

/// <summary>Pauses between attempts: doubling from the first to the longest, half of each random, so that clients of a broker that returns do not come all at once.</summary>
/// <param name="first">The first pause.</param>
/// <param name="longest">The longest pause.</param>
internal struct Backoff(TimeSpan first, TimeSpan longest)
{
    /// <summary>2^30 times any pause is past every sensible longest one.</summary>
    private const int MaxDoublings = 30;

    private int _failures;

    internal TimeSpan Next()
    {
        double whole = Math.Min(first.Ticks * Math.Pow(2, _failures), longest.Ticks);
        _failures = Math.Min(_failures + 1, MaxDoublings);
#pragma warning disable CA5394 // a pause is no secret
        return TimeSpan.FromTicks((long)(whole * (0.5 + (0.5 * Random.Shared.NextDouble()))));
#pragma warning restore CA5394
    }

    internal void Reset() => _failures = 0;
}
