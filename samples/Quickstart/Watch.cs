using IoT.Cep;

namespace Quickstart;

/// <summary>How a run goes, at one moment.</summary>
/// <param name="Totals">The counters so far.</param>
/// <param name="PublishedRate">Readings published a second since the last look.</param>
/// <param name="StoredRate">Readings stored a second since the last look.</param>
/// <param name="Lag">How long a reading took from the publisher into the database, measured last.</param>
/// <param name="EventTime">The latest reading's time.</param>
/// <param name="Trouble">What keeps a sink from writing; null where all is well.</param>
public sealed record Look(Totals Totals, double PublishedRate, double StoredRate, TimeSpan? Lag, DateTimeOffset? EventTime, string? Trouble);

/// <summary>Looks at the counters from outside; the pipeline itself is not slowed down by being watched.</summary>
public sealed class Watch(CepEngine engine, Publisher publisher, TimeProvider clock)
{
    private static readonly TimeSpan _probeEvery = TimeSpan.FromMilliseconds(10);

    private long _lastLook = clock.GetTimestamp();
    private long _lastPublished;
    private long _lastStored;
    private long _lagTicks = -1;

    public Look Take()
    {
        var totals = Totals.Of(engine, publisher);
        double seconds = Math.Max(0.001, clock.GetElapsedTime(_lastLook).TotalSeconds);
        _lastLook = clock.GetTimestamp();
        var look = new Look(
            totals, (totals.Published - _lastPublished) / seconds, (totals.Stored - _lastStored) / seconds,
            Volatile.Read(ref _lagTicks) is >= 0 and var ticks ? TimeSpan.FromTicks(ticks) : null,
            engine.Sources[0].LatestEventTime, engine.Queries.Select(q => q.Sink?.LastError).FirstOrDefault(e => e is not null));
        (_lastPublished, _lastStored) = (totals.Published, totals.Stored);
        return look;
    }

    /// <summary>Measures the lag: remembers how many were sent, and waits until so many are stored.</summary>
    public async Task ProbeAsync(CancellationToken stop)
    {
        long mark = 0, since = 0;
        using var timer = new PeriodicTimer(_probeEvery, clock);
        while (await NextAsync(timer, stop))
        {
            var totals = Totals.Of(engine, publisher);
            long done = totals.Stored + totals.DeadLetters + totals.Dropped;
            if (mark > 0 && done >= mark)
            {
                Volatile.Write(ref _lagTicks, clock.GetElapsedTime(since).Ticks);
                mark = 0;
            }

            if (mark == 0 && publisher.Sent > done)
            {
                (mark, since) = (publisher.Sent, clock.GetTimestamp());
            }
        }
    }

    /// <summary>Waits for a timer; false when it is stopped.</summary>
    public static async ValueTask<bool> NextAsync(PeriodicTimer timer, CancellationToken stop)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stop);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
