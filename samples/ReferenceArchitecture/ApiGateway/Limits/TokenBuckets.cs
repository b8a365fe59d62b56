namespace IoT.Reference.ApiGateway.Limits;

/// <summary>Token buckets by name, in a bounded table. One that is full again is the same as none, and is forgotten; where the table is full of others, all further names share one bucket.</summary>
internal sealed class TokenBuckets(int capacity, TimeProvider time)
{
    private const string Others = "*";

    private static readonly TimeSpan _sweepAtMostEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private long _swept;

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _buckets.Count;
            }
        }
    }

    /// <summary>Takes a token.</summary>
    /// <returns>Zero: taken. Otherwise how long until there is one.</returns>
    internal TimeSpan Take(string name, double perSecond, double burst)
    {
        lock (_gate)
        {
            long now = time.GetTimestamp();
            if (!_buckets.TryGetValue(name, out var bucket))
            {
                string known = MakeRoom(now) ? name : Others;
                bucket = _buckets.TryGetValue(known, out var shared) ? shared : new Bucket(burst, now, perSecond, burst);
                name = known;
            }

            // The plan may have changed since: what is there never is more than the burst.
            double tokens = Math.Min(burst, bucket.Tokens + (time.GetElapsedTime(bucket.At, now).TotalSeconds * perSecond));
            var wait = tokens >= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds((1 - tokens) / perSecond);
            _buckets[name] = new Bucket(tokens >= 1 ? tokens - 1 : tokens, now, perSecond, burst);
            return wait;
        }
    }

    private bool MakeRoom(long now)
    {
        if (_buckets.Count < capacity)
        {
            return true;
        }

        // A sweep looks at all of them: not at every request of a flood.
        if (_swept != 0 && time.GetElapsedTime(_swept, now) < _sweepAtMostEvery)
        {
            return false;
        }

        _swept = now;
        foreach (var (name, bucket) in _buckets)
        {
            if (bucket.Tokens + (time.GetElapsedTime(bucket.At, now).TotalSeconds * bucket.PerSecond) >= bucket.Burst)
            {
                _buckets.Remove(name);
            }
        }

        return _buckets.Count < capacity;
    }

    private readonly record struct Bucket(double Tokens, long At, double PerSecond, double Burst);
}
