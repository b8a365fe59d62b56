using FsCheck.Xunit;

namespace IoT.Cep.Tests;

/// <summary>Signals whose areas and averages are known, sampled at irregular times and shuffled.</summary>
public class SignalTests
{
    private const double Duration = 100;
    private const double MeanGap = 0.1;

    [Property(MaxTest = 40)]
    public void Linear_area_of_a_sine_is_off_by_the_trapezoid_rules_bound(int seed)
    {
        // The rule's error on a piece of width h is at most h³/12 times the greatest curvature, here 1.
        var samples = Sampled(Math.Sin, seed);
        double bound = 0, from = Seconds(samples[0].Ticks), to = Seconds(samples[^1].Ticks);
        for (int i = 1; i < samples.Length; i++)
        {
            bound += Math.Pow(Seconds(samples[i].Ticks) - Seconds(samples[i - 1].Ticks), 3) / 12;
        }

        double area = Math.Cos(from) - Math.Cos(to);
        Assert.InRange(Signals.Integral(samples, 0, Interpolation.Linear), area - bound - 1e-6, area + bound + 1e-6);
        Assert.InRange(Signals.Average(samples, 0, Interpolation.Linear), (area - bound - 1e-6) / (to - from), (area + bound + 1e-6) / (to - from));
    }

    [Property(MaxTest = 40)]
    public void Step_area_of_a_sine_is_off_by_the_rectangle_rules_bound(int seed)
    {
        var samples = Sampled(Math.Sin, seed);
        double bound = 0, from = Seconds(samples[0].Ticks);
        for (int i = 0; i < samples.Length; i++)
        {
            double next = i + 1 < samples.Length ? Seconds(samples[i + 1].Ticks) : Duration;
            bound += Math.Pow(next - Seconds(samples[i].Ticks), 2) / 2;
        }

        double area = Math.Cos(from) - Math.Cos(Duration);
        double sum = Signals.Integral(samples, Span.TicksAt(Duration), Interpolation.Step);
        Assert.InRange(sum, area - bound - 1e-6, area + bound + 1e-6);
        Laws.Near(sum / (Duration - from), Signals.Average(samples, Span.TicksAt(Duration), Interpolation.Step));
    }

    [Property(MaxTest = 40)]
    public void Linear_area_of_a_ramp_is_exact(int seed)
    {
        var samples = Sampled(t => (3 * t) - 50, seed);
        double from = Seconds(samples[0].Ticks), to = Seconds(samples[^1].Ticks);
        Laws.Near((1.5 * ((to * to) - (from * from))) - (50 * (to - from)), Signals.Integral(samples, 0, Interpolation.Linear), 1e-9);
        Laws.Near((1.5 * (to + from)) - 50, Signals.Average(samples, 0, Interpolation.Linear), 1e-9);
    }

    [Property(MaxTest = 40)]
    public void Step_area_and_durations_of_a_square_wave_that_is_sent_on_change_are_exact(int seed)
    {
        // Up for 3 s, down for 7 s; sent at each change and at random times between.
        var random = new Random(seed);
        var times = Enumerable.Range(0, 20).Select(i => (i / 2 * 10) + (i % 2 == 0 ? 0.0 : 3)).ToList();
        times.AddRange(Enumerable.Range(0, 100).Select(_ => Math.Round(random.NextDouble() * Duration, 3)).Where(t => !times.Contains(t)));
        var samples = Shuffled(times, t => t % 10 < 3 ? 5.0 : 1, random);
        Laws.Near((10 * 3 * 5.0) + (10 * 7 * 1), Signals.Integral(samples, Span.TicksAt(Duration), Interpolation.Step));
        Laws.Near(2.2, Signals.Average(samples, Span.TicksAt(Duration), Interpolation.Step));
        var durations = Signals.Durations(samples, Span.TicksAt(Duration));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(70)), (durations[5], durations[1]));
        var isUp = Array.ConvertAll(samples, s => new Sample<bool>(s.Ticks, s.Value > 3));
        Assert.Equal(TimeSpan.FromSeconds(30), Signals.DurationOfTrue(isUp, Span.TicksAt(Duration)));
    }

    [Fact]
    public void Irregular_sampling_does_not_pull_the_average()
    {
        // A burst of high samples in one of ten seconds: the plain mean is near 100, over time it is 19.
        var samples = new TimedSamples<double>(1000, WhenFull.Fail);
        for (int second = 0; second < 10; second++)
        {
            samples.Add(second == 5 ? 100 : 10, Span.TicksAt(second));
        }

        for (int i = 1; i < 900; i++)
        {
            samples.Add(100, Span.TicksAt(5 + (i / 1000.0)));
        }

        Laws.Near(19.0, Signals.Average(samples.Samples, Span.TicksAt(10), Interpolation.Step));
    }

    [Fact]
    public void Of_samples_at_one_time_the_last_to_arrive_counts()
    {
        var samples = new TimedSamples<double>(10, WhenFull.Fail);
        samples.Add(4, 20);
        samples.Add(double.PositiveInfinity, 10);
        samples.Add(2, 10);
        Assert.Equal((2 * 10) + (4 * 5.0), Signals.Integral(samples.Samples, 25, Interpolation.Step) * TimeSpan.TicksPerSecond);
    }

    [Property(MaxTest = 40)]
    public void Samples_at_the_time_of_a_later_one_change_nothing(int seed)
    {
        // Each time has noise that came before its sample; of several orders of arrival, those that keep the sample last at its time are the same.
        var random = new Random(seed);
        var samples = Sampled(t => Math.Floor(100 * t) % 977, seed);
        var arrival = samples.SelectMany(s => Enumerable.Range(0, random.Next(3)).Select(_ => s with { Value = random.Next(-5000, 5000) })).ToArray();
        random.Shuffle(arrival);
        Sample<double>[] last = [.. samples];
        random.Shuffle(last);
        var parts = new TimedSamples<double>[3];
        Array.Fill(parts, new TimedSamples<double>(10_000, WhenFull.Fail));
        foreach (var sample in arrival.Concat(last))
        {
            parts[(int)(sample.Ticks % 3)].Add(sample.Value, sample.Ticks);
        }

        parts[0].Merge(in parts[1]);
        parts[0].Merge(in parts[2]);
        var noisy = parts[0].Samples;
        long end = Span.TicksAt(Duration);
        Assert.Equal(Counters.Increase(samples), Counters.Increase(noisy));
        Assert.Equal(Counters.Resets(samples), Counters.Resets(noisy));
        Assert.Equal(Counters.Rate(samples), Counters.Rate(noisy));
        Assert.Equal(Counters.ExtrapolatedIncrease(samples, 0, end), Counters.ExtrapolatedIncrease(noisy, 0, end));
        Assert.Equal(Signals.Integral(samples, end, Interpolation.Linear), Signals.Integral(noisy, end, Interpolation.Linear));
        Assert.Equal(Signals.Average(samples, end, Interpolation.Linear), Signals.Average(noisy, end, Interpolation.Linear));
        Assert.Equal(Signals.Average(samples, end, Interpolation.Step), Signals.Average(noisy, end, Interpolation.Step));
    }

    [Theory]
    [InlineData(Interpolation.Step)]
    [InlineData(Interpolation.Linear)]
    public void Great_values_have_an_average_and_an_area(Interpolation interpolation)
    {
        Sample<double>[] samples = [new(0, 1e302), new(Span.TicksAt(1), 3e302), new(Span.TicksAt(4), 3e302)];
        double share = interpolation == Interpolation.Step ? 1 : 2;
        Laws.Near((share + 9) / 4, Signals.Average(samples, Span.TicksAt(4), interpolation) / 1e302);
        Laws.Near(share + 9, Signals.Integral(samples, Span.TicksAt(4), interpolation) / 1e302);
    }

    [Fact]
    public void None_and_one_sample()
    {
        Assert.Equal(double.NaN, Signals.Average([], 10, Interpolation.Step));
        Assert.Equal((0, 0.0), (Signals.Integral([], 10, Interpolation.Linear), Counters.Increase([])));
        Sample<double>[] one = [new(5, 7)];
        Assert.Equal((7, 7, 0.0), (Signals.Average(one, 10, Interpolation.Step), Signals.Average(one, 10, Interpolation.Linear), Counters.Increase(one)));
        Assert.Equal(35, Signals.Integral(one, 10, Interpolation.Step) * TimeSpan.TicksPerSecond);
        Assert.Equal((double.NaN, double.NaN), (Counters.Rate(one), Counters.ExtrapolatedRate(one, 0, 10)));
        Assert.Equal(double.NaN, Signals.Average([new(0, 1), new(5, double.NaN)], 10, Interpolation.Step));
    }

    [Property(MaxTest = 60)]
    public void A_counter_with_resets_counts_what_was_counted(int seed)
    {
        // What a device counts between its last value and a restart is lost to everybody; here it restarts right after it has sent one.
        var random = new Random(seed);
        double counted = 0, shown = random.Next(1000);
        int resets = 0;
        var samples = new List<Sample<double>> { new(0, shown) };
        for (int i = 1; i < 100; i++)
        {
            if (random.Next(10) == 0)
            {
                shown = 0;
            }

            double step = random.Next(0, 50);
            (counted, shown) = (counted + step, shown + step);
            resets += shown < samples[^1].Value ? 1 : 0;

            // A restart that shows no less than before can't be seen.
            counted -= shown >= samples[^1].Value && shown == step ? samples[^1].Value : 0;
            samples.Add(new Sample<double>(i * TimeSpan.TicksPerSecond, shown));
        }

        var ordered = Reordered(samples, random);
        Assert.Equal(counted, Counters.Increase(ordered));
        Assert.Equal(resets, Counters.Resets(ordered));
        Laws.Near(counted / 99, Counters.Rate(ordered));
    }

    [Fact]
    public void Extrapolation_reaches_near_borders_and_half_an_interval_towards_far_ones()
    {
        // Every 10 s by 10, as in Prometheus' own examples of increase.
        Assert.Equal(60, Counters.ExtrapolatedIncrease(Every10(5, 55), Span.TicksAt(0), Span.TicksAt(60)), 9);
        Assert.Equal(1, Counters.ExtrapolatedRate(Every10(5, 55), Span.TicksAt(0), Span.TicksAt(60)), 9);
        Assert.Equal(60, Counters.ExtrapolatedIncrease(Every10(35, 85), Span.TicksAt(0), Span.TicksAt(120)), 9);

        // It was 0 at 3 s, so it can't have counted before.
        Sample<double>[] young = [new(Span.TicksAt(5), 2), new(Span.TicksAt(15), 12), new(Span.TicksAt(25), 22)];
        Assert.Equal(22 + 5, Counters.ExtrapolatedIncrease(young, Span.TicksAt(0), Span.TicksAt(30)), 9);

        static Sample<double>[] Every10(int first, int last) =>
            [.. Enumerable.Range(0, ((last - first) / 10) + 1).Select(i => new Sample<double>(Span.TicksAt(first + (10 * i)), 1000 + (10 * i)))];
    }

    private static double Seconds(long ticks) => (double)ticks / TimeSpan.TicksPerSecond;

    private static Sample<double>[] Sampled(Func<double, double> signal, int seed)
    {
        var random = new Random(seed);
        var times = new List<double>();
        for (double time = random.NextDouble() * MeanGap; time < Duration; time += 0.001 - (MeanGap * Math.Log(1 - random.NextDouble())))
        {
            times.Add(time);
        }

        return Shuffled(times, signal, random);
    }

    private static Sample<double>[] Shuffled(List<double> times, Func<double, double> signal, Random random) =>
        Reordered(times.ConvertAll(t => new Sample<double>(Span.TicksAt(t), signal(Seconds(Span.TicksAt(t))))), random);

    /// <summary>What the accumulator makes of samples that arrive in any order.</summary>
    private static Sample<double>[] Reordered(List<Sample<double>> samples, Random random)
    {
        var arrival = samples.ToArray();
        random.Shuffle(arrival);
        var held = new TimedSamples<double>(10_000, WhenFull.Fail);
        foreach (var sample in arrival)
        {
            held.Add(sample.Value, sample.Ticks);
        }

        return held.Samples.ToArray();
    }
}
