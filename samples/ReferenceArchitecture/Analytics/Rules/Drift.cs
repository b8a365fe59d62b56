using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>A value creeps away: the straight line through its last ten minutes is steeper than the thing it measures can be. No single reading is unusual, so <see cref="Anomaly"/> does not see it.</summary>
internal static class Drift
{
    public const string Name = "drift";

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "perMinute", 0.4, 0.001, 1_000);
        var needed = context.Thresholds.Declare(Name, "readings", 20, 3, 10_000);

        context.Run(Name, context.Bus.Readings.Where(r => Measures.IsTemperature(r.Name)).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse)
            .Window(Window.Hopping(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(1)))
            .Select(w => (Device: w.Key, w.End, Count: w.Count(), PerMinute: w.Trend(r => r.Value).Slope * 60, Arrived: w.MaxBy(r => r.Sequence)))
            .Where(line => line.Count >= needed.Value)
            .Select(line => new Signal(
                Name, line.Device, Math.Abs(line.PerMinute) > limit.Value, Severity.Warning, FormattableString.Invariant($"{line.PerMinute:+0.##;-0.##} a minute for ten minutes"), line.PerMinute,
                line.End, line.Arrived.Arrived, line.Arrived.Trace)));
    }
}
