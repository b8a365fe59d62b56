namespace IoT.Reference.Analytics.Storage;

/// <summary>How long things are kept, and how much at most.</summary>
public sealed record RetentionOptions
{
    /// <summary>Readings as they came. Default: 7 days.</summary>
    public TimeSpan Readings { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Roll-ups of a minute, sessions and usage. Default: 90 days.</summary>
    public TimeSpan Minutes { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Roll-ups of an hour, alerts that are over, and batch jobs. Default: 5 years.</summary>
    public TimeSpan Hours { get; init; } = TimeSpan.FromDays(5 * 365);

    /// <summary>The most bytes in use; beyond it the oldest readings go first, whatever their age. Default: 2 GiB.</summary>
    public long MaxBytes { get; init; } = 2L << 30;
}

/// <summary>Deletes what is too old, or too much.</summary>
internal sealed class Retention(Store store, RetentionOptions options, TimeProvider clock)
{
    // What a reading that is let go for its size takes with it: a twentieth of the time that is there.
    private const int Parts = 20;

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            Run();
            await Task.Delay(TimeSpan.FromMinutes(1), clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Run()
    {
        long now = clock.GetUtcNow().UtcTicks;
        store.Write(connection =>
        {
            connection.Run("DELETE FROM readings WHERE time < @before", ("@before", now - options.Readings.Ticks));
            connection.Run("DELETE FROM minutes WHERE time < @before", ("@before", now - options.Minutes.Ticks));
            connection.Run("DELETE FROM sessions WHERE start < @before", ("@before", now - options.Minutes.Ticks));
            connection.Run("DELETE FROM usage WHERE start < @before", ("@before", now - options.Minutes.Ticks));
            connection.Run("DELETE FROM hours WHERE time < @before", ("@before", now - options.Hours.Ticks));
            connection.Run("DELETE FROM alerts WHERE state = 3 AND changed < @before", ("@before", now - options.Hours.Ticks));
            connection.Run("DELETE FROM jobs WHERE ended < @before", ("@before", now - options.Hours.Ticks));
            connection.Run("DELETE FROM job_results WHERE job NOT IN (SELECT id FROM jobs)");
            connection.Run("DELETE FROM job_parts WHERE job NOT IN (SELECT id FROM jobs)");
        });
        for (int i = 0; i < Parts && store.UsedBytes() > options.MaxBytes; i++)
        {
            store.Write(connection =>
            {
                long first = connection.Number("SELECT MIN(time) FROM readings"), last = connection.Number("SELECT MAX(time) FROM readings");
                connection.Run("DELETE FROM readings WHERE time <= @before", ("@before", first + ((last - first) / Parts)));
            });
        }
    }
}
