using IoT.Cep;

namespace MachineAnomaly;

/// <summary>A reading of the machine.</summary>
public readonly record struct Reading(DateTimeOffset Time, double Celsius);

/// <summary>The mean temperature of six hours.</summary>
public readonly record struct Level(double Celsius);

/// <summary>How many standard deviations the last six hours are away from what two weeks have been.</summary>
public readonly record struct Score(double Celsius, double Deviations, long Levels);

/// <summary>A time in which scores were past the threshold, with no day without one.</summary>
public readonly record struct Anomaly(DateTimeOffset Start, DateTimeOffset End, Score Worst);

public static class Queries
{
    /// <summary>A score says nothing before two days of hourly levels are there to compare with.</summary>
    private const int EnoughLevels = 48;

    /// <summary>
    /// Nothing here knows the labels. The sizes are what they are for: six hours of a shift, two weeks of the machine's habits, a day between two
    /// anomalies; the one threshold is the three standard deviations of every textbook.
    /// </summary>
    public static IEventStream<Anomaly> Anomalies(IEventStream<Reading> readings, double threshold) => readings
        .Window(Window.Hopping(TimeSpan.FromHours(6), TimeSpan.FromHours(1)))
        .Select(w => new Level(w.Average(r => r.Celsius)))
        .Window(Window.Sliding(TimeSpan.FromDays(14)))
        .Select(w => Compare(w.Last(l => l.Celsius), w.Average(l => l.Celsius), w.StandardDeviation(l => l.Celsius), w.Count()))
        .Where(s => s.Levels >= EnoughLevels && Math.Abs(s.Deviations) > threshold)
        .Window(Window.Session(TimeSpan.FromDays(1)))
        .Select(w => new Anomaly(Hour(w.Start), Hour(w.End - TimeSpan.FromDays(1)), w.MaxBy(s => Math.Abs(s.Deviations))));

    /// <summary>A window's result stands at its last instant, 100 ns before the full hour.</summary>
    private static DateTimeOffset Hour(DateTimeOffset last) => last.AddTicks(1);

    private static Score Compare(double celsius, double usual, double spread, long levels) =>
        new(celsius, spread > 0 ? (celsius - usual) / spread : 0, levels);
}
