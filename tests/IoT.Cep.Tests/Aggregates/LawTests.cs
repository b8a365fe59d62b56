using System.Globalization;
using FsCheck.Xunit;

namespace IoT.Cep.Tests;

/// <summary>Every accumulator under every law: shuffled, split and merged in random trees, saved in the middle, emptied and used again.</summary>
public class LawTests
{
    private const int Runs = 100;

    [Property(MaxTest = Runs)]
    public void First_and_last(int seed)
    {
        Laws.HoldForTimed(default(FirstValue<double>), Doubles(seed), a => a.Value, seed);
        Laws.HoldForTimed(default(LastValue<double>), Doubles(seed), a => a.Value, seed);
        Laws.HoldForTimed(default(FirstValue<string>), Texts(seed), a => a.Value ?? "none", seed);
        Laws.HoldForTimed(default(LastValue<string>), Texts(seed), a => a.Value ?? "none", seed);
    }

    [Property(MaxTest = Runs)]
    public void Least_and_greatest(int seed)
    {
        Laws.HoldFor(default(Extreme<string, Least>), Texts(seed), a => a.Value ?? "none", seed);
        Laws.HoldFor(default(Extreme<string, Greatest>), Texts(seed), a => a.Value ?? "none", seed);
        Laws.HoldFor(default(Extreme<int, Greatest>), [.. Doubles(seed).Select(v => (int)v)], a => a.Value, seed);
        Laws.HoldFor(default(Extreme<float, Least>), [.. Special(seed).Select(v => (float)v)], a => a.Value, seed);
    }

    [Property(MaxTest = Runs)]
    public void Events_with_the_least_and_the_greatest_value(int seed)
    {
        (double By, string Value)[] pairs = [.. Special(seed).Select((v, i) => (Math.Round(v / 20), $"event {i}"))];
        Laws.HoldForTimed(default(ExtremeBy<string, double, Least>), pairs, a => a.Value ?? "none", seed);
        Laws.HoldForTimed(default(ExtremeBy<string, double, Greatest>), pairs, a => a.Value ?? "none", seed);
    }

    [Property(MaxTest = Runs)]
    public void Deviation_and_co_moments(int seed)
    {
        double[] values = Doubles(seed);
        Laws.HoldFor(default(Deviation), values, a => a.Sample, seed, Laws.Near);
        Laws.HoldFor(default(Deviation), values, a => a.Population, seed, Laws.Near);
        (double X, double Y)[] pairs = [.. values.Select((v, i) => (v, (3 * v) + (i % 5)))];
        Laws.HoldFor(default(CoMoments), pairs, a => a.Sample, seed, Laws.Near);
        Laws.HoldFor(default(CoMoments), pairs, a => a.Correlation, seed, Laws.Near);
        Laws.HoldFor(default(CoMoments), pairs, a => a.Fit().Intercept, seed, (a, b) => Laws.Near(a, b, 1e-7));
        Laws.HoldForTimed(default(TrendMoments), values, a => a.Fit(0).Slope, seed, Laws.Near);
    }

    [Property(MaxTest = Runs)]
    public void Decaying_average(int seed) =>
        Laws.HoldForTimed(new DecayingAverage(20 * TimeSpan.TicksPerSecond), Doubles(seed), a => a.Value, seed, Laws.Near);

    [Property(MaxTest = Runs)]
    public void Samples_in_order_of_time(int seed)
    {
        foreach (var whenFull in new[] { WhenFull.Fail, WhenFull.KeepFirst, WhenFull.KeepLast })
        {
            Laws.HoldForTimed(new TimedSamples<double>(whenFull == WhenFull.Fail ? 1000 : 7, whenFull), Special(seed), a => Text(a.Samples), seed);
            Laws.HoldForTimed(new TimedSamples<string>(whenFull == WhenFull.Fail ? 1000 : 7, whenFull), Texts(seed), a => Text(a.Samples), seed);
            Laws.HoldForTimed(new TimedSamples<bool>(1000, whenFull), [.. Doubles(seed).Select(v => v > 0)], a => Text(a.Samples), seed);
        }
    }

    [Property(MaxTest = Runs)]
    public void Exact_quantiles_and_exceeded_limits(int seed)
    {
        Laws.HoldFor(new ExactValues(1000), Special(seed), a => a.Quantile(0.3), seed);
        Laws.HoldFor(new ExactValues(10), Doubles(seed), a => Limited(() => a.Quantile(0.3)), seed);
        Laws.HoldForTimed(new TimedSamples<double>(10, WhenFull.Fail), Doubles(seed), a => Limited(() => a.Samples.Length), seed);
        Laws.HoldFor(new DistinctValues<int>(10), [.. Doubles(seed).Select(v => (int)v % 15)], a => Limited(() => a.Count), seed);
    }

    [Property(MaxTest = Runs)]
    public void Quantile_sketch(int seed)
    {
        foreach (double part in new[] { 0, 0.01, 0.5, 0.99, 1 })
        {
            Laws.HoldFor(new QuantileSketch(0.01), Special(seed), a => a.Quantile(part), seed);
            Laws.HoldFor(new QuantileSketch(0.01), [.. Doubles(seed).Select(v => Math.Exp(v * 7) * Math.Sign(v))], a => a.Quantile(part), seed);
        }
    }

    [Property(MaxTest = Runs)]
    public void Distinct_values(int seed)
    {
        Laws.HoldFor(new DistinctValues<string>(1000), Texts(seed), a => a.Count, seed);
        Laws.HoldFor(new DistinctSketch<string>(12), Texts(seed), a => a.Estimate(), seed);
        Laws.HoldFor(new DistinctSketch<int>(4), [.. Doubles(seed).Select(v => (int)v)], a => a.Estimate(), seed);
        Laws.HoldFor(new DistinctSketch<double>(8), Special(seed), a => a.Estimate(), seed);
    }

    [Property(MaxTest = Runs)]
    public void Frequent_values_up_to_as_many_as_counters(int seed) =>
        Laws.HoldFor(new HeavyHitters<string>(50), [.. Doubles(seed).Select(v => $"v{(int)v % 40}")], a => string.Join(" ", a.Top(10)), seed);

    [Property(MaxTest = Runs)]
    public void Histogram(int seed) => Laws.HoldFor(
        new HistogramCounts(HistogramBounds.Linear(-50, 20, 5)), Special(seed), a => $"{string.Join(" ", a.Result.Counts)} {a.Result.NotNumbers}", seed);

    private static double[] Doubles(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, random.Next(0, 60)).Select(_ => (random.NextDouble() * 200) - 100)];
    }

    /// <summary>With infinities, zeros of both signs, subnormal numbers, and sometimes a NaN.</summary>
    private static double[] Special(int seed)
    {
        double[] values = Doubles(seed);
        var random = new Random(seed);
        double[] special = [double.PositiveInfinity, double.NegativeInfinity, 0, -0.0, double.Epsilon, double.MaxValue, double.MinValue, 1e-300];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = random.Next(4) == 0 ? special[random.Next(special.Length)] : values[i];
        }

        if (values.Length > 0 && seed % 3 == 0)
        {
            values[random.Next(values.Length)] = double.NaN;
        }

        return values;
    }

    private static string[] Texts(int seed) => [.. Doubles(seed).Select(v => ((int)v).ToString(CultureInfo.InvariantCulture))];

    private static string Text<T>(ReadOnlySpan<Sample<T>> samples) => string.Join(" ", samples.ToArray());

    private static object Limited(Func<object> result)
    {
        try
        {
            return result();
        }
        catch (AggregateLimitException)
        {
            return "limit";
        }
    }
}
