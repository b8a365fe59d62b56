using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>A value jumps by more in a minute than the thing it measures can.</summary>
internal static class RateOfChange
{
    public const string Name = "rate-of-change";

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "perMinute", 120, 0.001, 1_000_000);

        context.Run(Name, context.Bus.Readings.Where(r => Measures.IsTemperature(r.Name)).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse)
            .WithPrevious((previous, current) => (Reading: current, PerMinute: PerMinute(previous, current)), forgetAfter: TimeSpan.FromHours(1))
            .Where(change => Math.Abs(change.PerMinute) > limit.Value)
            .Select(change => new Signal(
                Name, change.Reading.Device, true, Severity.Warning, FormattableString.Invariant($"{change.PerMinute:+0.#;-0.#} a minute"), change.PerMinute,
                change.Reading.Time, change.Reading.Arrived, change.Reading.Trace, TimeSpan.FromMinutes(5))));
    }

    // By the device's clock, but over a second at least: two readings of one instant say nothing of a rate.
    private static double PerMinute(Ingest.Reading previous, Ingest.Reading current) =>
        (current.Value - previous.Value) / Math.Max(1, (current.Time - previous.Time).Duration().TotalSeconds) * 60;
}
