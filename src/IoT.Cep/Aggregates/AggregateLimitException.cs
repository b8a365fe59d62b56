namespace IoT.Cep;

/// <summary>
/// An aggregate that keeps values met more of them in one window than its limit allows. It keeps no more than that, and instead of a wrong number its
/// result is this error, under the query's error policy: the query stops, or the window's result alone becomes a dead letter.
/// </summary>
/// <param name="limit">The limit.</param>
/// <param name="remedy">What to do about it.</param>
#pragma warning disable CA1032 // the limit is what it is for
public sealed class AggregateLimitException(int limit, string remedy) : InvalidOperationException(
    $"An aggregate met more than {limit:N0} values in one window of one key. {remedy}")
#pragma warning restore CA1032
{
    /// <summary>The limit.</summary>
    public int Limit => limit;
}
