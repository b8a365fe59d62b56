using System.Diagnostics.Metrics;

using IoT.Reference.Observability;

namespace IoT.Reference.Analytics.Alerts;

/// <summary>From the arrival of a message to what it led to: the alert is stored and the command on its way.</summary>
/// <param name="Count">How many were measured.</param>
public sealed record ActionLatency(long Count, double MedianMilliseconds, double P99Milliseconds);

/// <summary>Measures <see cref="ActionLatency"/> over the latest actions, and as a histogram for Prometheus.</summary>
internal sealed class LatencyOfActions
{
    private const int Kept = 8_192;

    private static readonly Histogram<double> _histogram = ReferenceTelemetry.Meter.CreateHistogram(
        "iot_reference_analytics_action", "ms", "From the arrival of a message to the alert or command it led to.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000] });

    private readonly Lock _gate = new();
    private readonly double[] _latest = new double[Kept];
    private long _count;

    public ActionLatency Now
    {
        get
        {
            double[] sorted;
            long count;
            lock (_gate)
            {
                count = _count;
                sorted = _latest[..(int)Math.Min(count, Kept)];
            }

            Array.Sort(sorted);
            return sorted.Length == 0 ? new ActionLatency(0, 0, 0) : new ActionLatency(count, sorted[sorted.Length / 2], sorted[(int)Math.Min(sorted.Length - 1, sorted.Length * 0.99)]);
        }
    }

    public void Record(TimeSpan latency)
    {
        double milliseconds = Math.Max(0, latency.TotalMilliseconds);
        _histogram.Record(milliseconds);
        lock (_gate)
        {
            _latest[_count++ % Kept] = milliseconds;
        }
    }
}
