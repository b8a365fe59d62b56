namespace IoT.Cep;

/// <summary>
/// Mathematics of counters: values that only grow, and begin again at 0 when their device restarts. A value below the one before it is such a reset, and
/// what it shows was counted since. As Prometheus' increase, rate and resets have it (promql/functions.go, extrapolatedRate), but that samples may have one
/// time: the last of them counts.
/// </summary>
internal static class Counters
{
    /// <summary>How much was counted between the first and the last sample.</summary>
    internal static double Increase(ReadOnlySpan<Sample<double>> samples)
    {
        double increase = 0, before = double.NaN;
        int seen = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            if (!Signals.IsSuperseded(samples, i))
            {
                double value = samples[i].Value;
                increase += seen++ == 0 ? 0 : value < before ? value : value - before;
                before = value;
            }
        }

        return increase;
    }

    internal static int Resets(ReadOnlySpan<Sample<double>> samples)
    {
        // Nothing is below a NaN, so the first one is none.
        double before = double.NaN;
        int resets = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            if (!Signals.IsSuperseded(samples, i))
            {
                resets += samples[i].Value < before ? 1 : 0;
                before = samples[i].Value;
            }
        }

        return resets;
    }

    /// <summary>The increase a second between the first and the last sample; NaN where no time lies between them.</summary>
    internal static double Rate(ReadOnlySpan<Sample<double>> samples)
    {
        long width = samples.IsEmpty ? 0 : samples[^1].Ticks - samples[0].Ticks;
        return width == 0 ? double.NaN : Increase(samples) / ((double)width / TimeSpan.TicksPerSecond);
    }

    /// <summary>
    /// The increase with what lies between the window's borders and its samples estimated: the same rate as between the samples, up to the border where
    /// it is near (1.1 mean intervals), else for half an interval; and not back beyond the time at which the counter would have been 0.
    /// </summary>
    internal static double ExtrapolatedIncrease(ReadOnlySpan<Sample<double>> samples, long start, long end)
    {
        double increase = Increase(samples);
        double width = samples.IsEmpty ? 0 : samples[^1].Ticks - samples[0].Ticks;
        if (width == 0)
        {
            return increase;
        }

        int superseded = 0, first = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            superseded += Signals.IsSuperseded(samples, i) ? 1 : 0;
        }

        while (Signals.IsSuperseded(samples, first))
        {
            first++;
        }

        double interval = width / (samples.Length - superseded - 1);
        double before = Reach(samples[0].Ticks - start, interval);
        if (increase > 0 && samples[first].Value >= 0)
        {
            before = Math.Min(before, width * (samples[first].Value / increase));
        }

        return increase * ((width + before + Reach(end - samples[^1].Ticks, interval)) / width);
    }

    /// <summary>The extrapolated increase a second of the window; NaN where no time lies between the samples.</summary>
    internal static double ExtrapolatedRate(ReadOnlySpan<Sample<double>> samples, long start, long end) =>
        samples.Length < 2 || samples[^1].Ticks == samples[0].Ticks
            ? double.NaN
            : ExtrapolatedIncrease(samples, start, end) / ((double)(end - start) / TimeSpan.TicksPerSecond);

    private static double Reach(long toBorder, double interval) => toBorder < interval * 1.1 ? Math.Max(0, toBorder) : interval / 2;
}
