namespace IoT.Cep;

/// <summary>What a signal did between two samples.</summary>
public enum Interpolation
{
    /// <summary>A value holds until the next one, the last one until the window's end: states, set points, values sent on change.</summary>
    Step,

    /// <summary>The signal went straight from one value to the next; nothing is said of the time before the first or behind the last: temperatures, levels.</summary>
    Linear,
}

/// <summary>Time-weighted mathematics of samples in order of time. Samples at one time have no width: the last of them counts.</summary>
internal static class Signals
{
    /// <summary>The area under a signal, in value-seconds.</summary>
    internal static double Integral(ReadOnlySpan<Sample<double>> samples, long end, Interpolation interpolation) =>
        Area(samples, end, interpolation, TimeSpan.TicksPerSecond);

    /// <summary>The area divided by its width; of no width, the last value.</summary>
    internal static double Average(ReadOnlySpan<Sample<double>> samples, long end, Interpolation interpolation)
    {
        if (samples.IsEmpty)
        {
            return double.NaN;
        }

        long width = (interpolation == Interpolation.Step ? Math.Max(end, samples[^1].Ticks) : samples[^1].Ticks) - samples[0].Ticks;
        return width == 0 ? samples[^1].Value : Area(samples, end, interpolation, width);
    }

    /// <summary>Whether another sample of the same time came later.</summary>
    internal static bool IsSuperseded<T>(ReadOnlySpan<Sample<T>> samples, int index) =>
        index + 1 < samples.Length && samples[index + 1].Ticks == samples[index].Ticks;

    /// <summary>How long a signal with a state per sample was in each; a state holds until the next sample, the last until the end.</summary>
    internal static Dictionary<T, TimeSpan> Durations<T>(ReadOnlySpan<Sample<T>> samples, long end)
        where T : notnull
    {
        var durations = new Dictionary<T, TimeSpan>();
        for (int i = 0; i < samples.Length; i++)
        {
            long width = WidthOf(samples, i, end);
            durations[samples[i].Value] = durations.GetValueOrDefault(samples[i].Value) + TimeSpan.FromTicks(width);
        }

        return durations;
    }

    internal static TimeSpan DurationOfTrue(ReadOnlySpan<Sample<bool>> samples, long end)
    {
        long ticks = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            ticks += samples[i].Value ? WidthOf(samples, i, end) : 0;
        }

        return TimeSpan.FromTicks(ticks);
    }

    /// <summary>The area in values times a unit of time.</summary>
    private static double Area(ReadOnlySpan<Sample<double>> samples, long end, Interpolation interpolation, double unit)
    {
        // Ticks are whole numbers, so their sums are exact where the values are few digits; great values go beyond all numbers, and only then are weighed.
        double area = Sum(samples, end, interpolation, 1) / unit;
        return double.IsFinite(area) ? area : Sum(samples, end, interpolation, unit);
    }

    private static double Sum(ReadOnlySpan<Sample<double>> samples, long end, Interpolation interpolation, double unit)
    {
        double area = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            long width = WidthOf(samples, i, interpolation == Interpolation.Step ? end : long.MinValue);

            // An infinite value that held for no time must not make a NaN.
            if (width > 0)
            {
                area += width / unit * (interpolation == Interpolation.Step ? samples[i].Value : Middle(samples[i].Value, NextOf(samples, i)));
            }
        }

        return area;
    }

    /// <summary>The value at the next time: of several samples then the last.</summary>
    private static double NextOf(ReadOnlySpan<Sample<double>> samples, int index)
    {
        do
        {
            index++;
        }
        while (IsSuperseded(samples, index));
        return samples[index].Value;
    }

    private static double Middle(double a, double b) => (a / 2) + (b / 2);

    private static long WidthOf<T>(ReadOnlySpan<Sample<T>> samples, int index, long end)
    {
        long next = index + 1 < samples.Length ? samples[index + 1].Ticks : Math.Max(end, samples[index].Ticks);
        return next - samples[index].Ticks;
    }
}
