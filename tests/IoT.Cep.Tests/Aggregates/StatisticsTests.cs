using FsCheck.Xunit;

namespace IoT.Cep.Tests;

public class StatisticsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1e6)]
    [InlineData(1e9)]
    [InlineData(-1e10)]
    public void Variance_survives_a_large_mean(double offset)
    {
        // The textbook formula, sum of squares less square of sum, has no digit left at 1e9.
        var random = new Random(1);
        double[] noise = [.. Enumerable.Range(0, 10_000).Select(_ => random.NextDouble() - 0.5)];
        double mean = noise.Average(v => v + offset - offset);
        double expected = noise.Sum(v => (v + offset - offset - mean) * (v + offset - offset - mean)) / (noise.Length - 1);
        var deviation = default(Deviation);
        foreach (double value in noise)
        {
            deviation.Add(value + offset);
        }

        Laws.Near(expected, deviation.Sample, 1e-5);
    }

    [Fact]
    public void Variance_beyond_all_numbers_is_infinite_and_of_infinity_none()
    {
        double[] great = [1e308, 1e308, -1e308, 1, -1e308, 5];
        var (all, left, right, infinite) = (default(Deviation), default(Deviation), default(Deviation), default(Deviation));
        for (int i = 0; i < great.Length; i++)
        {
            all.Add(great[i]);
            (i < 2 ? ref left : ref right).Add(great[i]);
            if (i > 0)
            {
                Assert.Equal((i < 2 ? 0 : double.PositiveInfinity, i < 2 ? 0 : double.PositiveInfinity), (all.Sample, Math.Sqrt(all.Population)));
            }
        }

        left.Merge(in right);
        left.Add(3);
        Assert.Equal(double.PositiveInfinity, left.Sample);
        infinite.Add(double.PositiveInfinity);
        infinite.Add(1);
        infinite.Merge(in all);
        Assert.Equal(double.NaN, infinite.Sample);
    }

    [Fact]
    public void Spread_of_none_one_and_two_values()
    {
        var deviation = default(Deviation);
        Assert.Equal((double.NaN, double.NaN), (deviation.Sample, deviation.Population));
        deviation.Add(5);
        Assert.Equal((double.NaN, 0), (deviation.Sample, deviation.Population));
        deviation.Add(7);
        Assert.Equal((2, 1), (deviation.Sample, deviation.Population));
        deviation.Add(double.PositiveInfinity);
        Assert.Equal(double.NaN, deviation.Sample);
    }

    [Property(MaxTest = 100)]
    public void What_is_removed_leaves_what_was_not(int seed)
    {
        var random = new Random(seed);
        (double X, double Y)[] values = [.. Enumerable.Range(0, random.Next(1, 50)).Select(_ => (random.NextDouble() * 100, random.NextDouble() * 100))];
        int kept = random.Next(values.Length);
        var (deviation, moments, histogram) = (default(Deviation), default(CoMoments), new HistogramCounts(HistogramBounds.Of(20, 40)));
        var (keptDeviation, keptMoments, keptHistogram) = (deviation, moments, histogram);
        for (int i = 0; i < values.Length; i++)
        {
            Add(ref deviation, ref moments, ref histogram, values[i]);
            if (i < kept)
            {
                Add(ref keptDeviation, ref keptMoments, ref keptHistogram, values[i]);
            }
        }

        foreach (var value in values.Skip(kept))
        {
            deviation.Remove(value.X);
            moments.Remove(value);
            histogram.Remove(value.X);
        }

        Laws.Near(keptDeviation.Population, deviation.Population, 1e-8);
        Laws.Near(keptMoments.Population, moments.Population, 1e-8);
        Assert.Equal(kept == 0 ? [0, 0, 0] : keptHistogram.Result.Counts, histogram.Result.Counts);

        static void Add(ref Deviation deviation, ref CoMoments moments, ref HistogramCounts histogram, (double X, double Y) value)
        {
            deviation.Add(value.X);
            moments.Add(value);
            histogram.Add(value.X);
        }
    }

    [Fact]
    public void A_line_is_found_again()
    {
        var moments = default(CoMoments);
        foreach (double x in new[] { 5.0, 1, 9, 3, 7 })
        {
            moments.Add((x, (2 * x) - 3));
        }

        var fit = moments.Fit();
        Laws.Near(2.0, fit.Slope);
        Laws.Near(-3.0, fit.Intercept);
        Laws.Near(1.0, fit.RSquared);
        Laws.Near(1.0, moments.Correlation);
        Laws.Near(10.0, moments.Sample / 2);
    }

    [Fact]
    public void Values_that_do_not_vary_have_no_line_or_a_flat_one()
    {
        var (upright, flat) = (default(CoMoments), default(CoMoments));
        for (int i = 0; i < 5; i++)
        {
            upright.Add((7, i));
            flat.Add((i, 7));
        }

        Assert.Equal(new LinearFit(double.NaN, double.NaN, double.NaN), upright.Fit());
        Assert.Equal(new LinearFit(0, 7, 1), flat.Fit());
        Assert.Equal(double.NaN, flat.Correlation);
    }

    [Fact]
    public void A_trend_has_its_digits_far_from_1970()
    {
        // Ten samples 100 µs apart, 55 years after the epoch, rise by 3 a second.
        var trend = default(TrendMoments);
        long start = TimeSpan.TicksPerDay * 365 * 55;
        foreach (int i in new[] { 4, 0, 9, 1, 7, 2, 8, 3, 6, 5 })
        {
            trend.Add(10 + (3 * i * 1e-4), start + (i * 1000));
        }

        Laws.Near(3.0, trend.Fit(start).Slope, 1e-6);
        Laws.Near(10.0, trend.Fit(start).Intercept, 1e-9);
    }

    [Property(MaxTest = 100)]
    public void Exact_quantile_lies_between_its_neighbours_in_proportion(int seed)
    {
        var random = new Random(seed);
        double[] values = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => Math.Round(random.NextDouble() * 20))];
        var exact = new ExactValues(100);
        foreach (double value in values)
        {
            exact.Add(in value);
        }

        Array.Sort(values);
        double part = random.NextDouble(), place = part * (values.Length - 1);
        double expected = values[(int)place] + ((place - (int)place) * (values[Math.Min((int)place + 1, values.Length - 1)] - values[(int)place]));
        Laws.Near(expected, exact.Quantile(part));
        Assert.Equal(values[0], exact.Quantile(0));
        Assert.Equal(values[^1], exact.Quantile(1));
    }

    [Fact]
    public void A_decaying_average_weighs_half_after_each_half_life()
    {
        var average = new DecayingAverage(10);
        average.Add(8, 20);
        average.Add(2, 0);
        average.Add(4, 10);
        Assert.Equal(((8 * 1.0) + (4 * 0.5) + (2 * 0.25)) / 1.75, average.Value);
    }

    [Fact]
    public void An_old_infinity_weighs_nothing_any_more()
    {
        var average = new DecayingAverage(1);
        average.Add(double.PositiveInfinity, 0);
        average.Add(5, 2000);
        Assert.Equal(5, average.Value);
    }

    [Fact]
    public void Bounds_that_do_not_ascend_are_refused()
    {
        Assert.Throws<ArgumentException>(() => HistogramBounds.Of());
        Assert.Throws<ArgumentException>(() => HistogramBounds.Of(1, 1));
        Assert.Throws<ArgumentException>(() => HistogramBounds.Of(0, double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => HistogramBounds.Exponential(0, 2, 4));
        Assert.Equal(HistogramBounds.Of(0, 10, 20), HistogramBounds.Linear(0, 10, 2));
        Assert.Equal([1, 2, 4, 8, 16], HistogramBounds.Exponential(1, 2, 4).Bounds);
    }

    [Fact]
    public void A_border_belongs_to_the_bucket_above_it()
    {
        var counts = new HistogramCounts(HistogramBounds.Of(0, 10));
        foreach (double value in new[] { -1, 0, 9.99, 10, double.PositiveInfinity, double.NegativeInfinity, double.NaN })
        {
            counts.Add(in value);
        }

        Assert.Equal([2, 2, 2], counts.Result.Counts);
        Assert.Equal((6, 1), (counts.Result.Total, counts.Result.NotNumbers));
    }
}
