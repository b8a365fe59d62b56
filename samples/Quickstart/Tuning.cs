namespace Quickstart;

/// <summary>What the queries are set to, in one place: a second of simulated sensors is not an hour of a recorded machine.</summary>
/// <param name="Window">The size of the windows that summarize a sensor.</param>
/// <param name="Disorder">How much out of order readings may come.</param>
/// <param name="Warm">The first threshold of the pattern.</param>
/// <param name="Hot">The second one.</param>
/// <param name="HotWithin">How soon after the first the second must be passed.</param>
/// <param name="Silence">How long a sensor says nothing until it counts as silent.</param>
public sealed record Tuning(TimeSpan Window, TimeSpan Disorder, double Warm, double Hot, TimeSpan HotWithin, TimeSpan Silence)
{
    /// <summary>One minute of a city, about one reading a sensor.</summary>
    public static Tuning City { get; } = new(
        TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(5), Warm: 30, Hot: 35, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5));

    /// <summary>Months of one machine at five minutes a reading; the recording steps back by 55 minutes once.</summary>
    public static Tuning Machine { get; } = new(
        TimeSpan.FromHours(1), TimeSpan.FromHours(1), Warm: 95, Hot: 100, TimeSpan.FromHours(1), TimeSpan.FromHours(3));

    /// <summary>Simulated sensors. Where they are many and the rate is low, a sensor's next reading takes long, and waiting for it too.</summary>
    public static Tuning Simulation(int sensors, double rate)
    {
        var fiveReadings = TimeSpan.FromSeconds(Math.Max(5, 5 * sensors / rate));
        return new Tuning(
            TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1), Simulated.WarmAbove, Simulated.HotAbove, fiveReadings, fiveReadings);
    }
}
