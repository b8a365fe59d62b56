using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>
/// A score of how unusual a reading is among the last ones of its device: by how many robust deviations it is off their median (Iglewicz and Hoaglin's modified z-score). Robust: the outliers
/// before it do not hide it. It needs no limit that somebody knows for each measure.
/// </summary>
internal static class Anomaly
{
    public const string Name = "anomaly";

    /// <summary>How many readings a score looks back at, and how many it needs.</summary>
    internal const int Window = 48, Needed = 24;

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "score", 12, 3, 1_000);

        context.Run(Name, context.Bus.Readings.KeyBy(r => (r.Device, r.Name), whenFull: WhenKeysFull.Refuse)
            .WithPrevious(Window, (previous, current) => (Reading: current, Score: Score(previous, current.Value)), forgetAfter: TimeSpan.FromHours(6))
            .Where(scored => Math.Abs(scored.Score) > limit.Value)
            .Select(scored => new Signal(
                Name, scored.Reading.Device, true, Severity.Warning, FormattableString.Invariant($"{scored.Reading.Name} {scored.Reading.Value:0.##} is unusual, score {scored.Score:0.#}"),
                scored.Score, scored.Reading.Time, scored.Reading.Arrived, scored.Reading.Trace, TimeSpan.FromMinutes(5))));
    }

    /// <summary>The score: 0.6745 · (x − median) / median deviation; 0 where there are too few readings.</summary>
    internal static double Score(ReadOnlySpan<Ingest.Reading> previous, double value)
    {
        if (previous.Length < Needed)
        {
            return 0;
        }

        Span<double> sorted = stackalloc double[Window];
        sorted = sorted[..previous.Length];
        for (int i = 0; i < previous.Length; i++)
        {
            sorted[i] = previous[i].Value;
        }

        double median = Median(sorted);
        for (int i = 0; i < sorted.Length; i++)
        {
            sorted[i] = Math.Abs(sorted[i] - median);
        }

        // A value that never moved has no deviation: a thousandth of it then counts as one, or everything would be infinitely unusual.
        double deviation = Math.Max(Median(sorted), Math.Max(Math.Abs(median) * 0.001, 1e-9));
        return 0.6745 * (value - median) / deviation;
    }

    private static double Median(Span<double> values)
    {
        values.Sort();
        int middle = values.Length / 2;
        return values.Length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }
}
