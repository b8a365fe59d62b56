using IoT.Reference.ApiGateway.Subscriptions;

namespace IoT.Reference.ApiGateway.Limits;

/// <summary>Calls of subscriptions in the UTC day that is. What was counted before a restart is found in the store, but for the last second's.</summary>
internal sealed class Quotas(SubscriptionStore store, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _calls = new(StringComparer.Ordinal);
    private DateTimeOffset _day;

    /// <summary>Counts a call.</summary>
    /// <returns>Zero: it is within the quota. Otherwise how long until the next day.</returns>
    internal TimeSpan Take(string app, long perDay)
    {
        var now = time.GetUtcNow();
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        lock (_gate)
        {
            if (day != _day)
            {
                _calls.Clear();
                _day = day;
            }

            // As many as there are subscriptions, which are bounded.
            if (!_calls.TryGetValue(app, out long calls))
            {
                calls = store.CallsSince(app, day);
            }

            _calls[app] = Math.Min(calls + 1, perDay + 1);
            return calls < perDay ? TimeSpan.Zero : day.AddDays(1) - now;
        }
    }
}
