using System.Globalization;
using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>The verbs of a window, through whole queries.</summary>
public class WindowAggregatesTests
{
    private static readonly HistogramBounds _bounds = HistogramBounds.Of(2, 5);

    [Fact]
    public void Order_is_that_of_event_time() =>
        Timeline.Keyed().At(5, "a", 50).At(1, "a", 10).At(9, "a", 90).At(3, "a", 30).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w =>
                $"{w.First(r => r.Value)} {w.Last(r => r.Value)} {string.Join(",", w.Collect(r => r.Value))} {string.Join(",", w.Collect(r => r.Value, 2, WhenFull.KeepLast))}"))
            .Expect((10, "10 90 10,30,50,90 50,90"));

    [Fact]
    public void Ties_are_in_order_of_arrival() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 2).At(1, "a", 3).At(2, "a", 4).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w =>
                $"{w.First(r => r.Value)} {w.Last(r => r.Value)} {string.Join(",", w.Collect(r => r.Value))}"))
            .Expect((10, "1 4 1,3,2,4"));

    [Fact]
    public void Extremes_give_any_type_and_the_event_itself() =>
        Timeline.Keyed().At(1, "b", 2).At(2, "c", 7).At(3, "a", 7).At(0, "d", 2).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w =>
                FormattableString.Invariant($"{w.Min(r => r.Key)} {w.Max(r => r.Key)} {w.Max(r => (int)r.Value)} {w.MinBy(r => r.Value)} {w.MaxBy(r => r.Value)} {w.Max(r => r.Value)}")))
            .Expect((10, "a d 7 d=2 c=7 7"));

    [Fact]
    public void A_number_keeps_its_type()
    {
        // The compiler decides: a double shares the state of sum and average, an int stays one.
        Timeline.Keyed().At(1, "a", 2.5).Watermark(10).Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w =>
        {
            double number = w.Max(r => r.Value);
            int length = w.Min(r => r.Key.Length);
            return (number, length);
        })).Expect((10, (2.5, 1)));
    }

    [Fact]
    public void Late_events_correct_every_aggregate()
    {
        var late = Timeline.Keyed().At(1, "a", 1).At(9, "a", 9).Watermark(10).At(5, "a", 3).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(5))).Select(All)).Run();
        var onTime = Timeline.Keyed().At(1, "a", 1).At(5, "a", 3).At(9, "a", 9).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(All)).Run();
        Assert.Null(late.Error);
        Assert.Equal(2, late.Rows.Count);
        Same([onTime.Rows.Single().Value], [late.Rows[1].Value]);
    }

    [Property(MaxTest = 25)]
    public void No_aggregate_depends_on_the_order_of_arrival(int seed)
    {
        var random = new Random(seed);
        var events = Enumerable.Range(0, 40).Select(i => (Time: i / 2.0, Key: $"k{random.Next(3)}", Value: (double)random.Next(10))).ToArray();
        string[] inOrder = Results(events);
        random.Shuffle(events);
        Same(inOrder, Results(events));

        static string[] Results((double Time, string Key, double Value)[] events)
        {
            var timeline = Timeline.Keyed();
            foreach (var (time, key, value) in events)
            {
                timeline.At(time, key, value);
            }

            var outcome = timeline.End().Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(5))).Select(All)).Run();
            Assert.Null(outcome.Error);
            return [.. outcome.Rows.Select(r => r.Value)];
        }
    }

    [Fact]
    public void Signals_end_with_their_window() =>
        Timeline.Keyed().At(2, "a", 10).At(6, "a", 20).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => FormattableString.Invariant(
                $"{w.TimeWeightedAverage(r => r.Value)} {w.TimeWeightedAverage(r => r.Value, Interpolation.Linear)} {w.Integral(r => r.Value)} {w.Integral(r => r.Value, Interpolation.Linear)} {w.DurationWhere(r => r.Value > 15).TotalSeconds} {string.Join(",", w.Durations(r => r.Value).OrderBy(d => d.Key))}")))
            .Expect((10, "15 15 120 60 4 [10, 00:00:04],[20, 00:00:04]"));

    [Fact]
    public void Counters_know_resets() =>
        Timeline.Keyed().At(1, "a", 90).At(3, "a", 100).At(5, "a", 4).At(9, "a", 12).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => FormattableString.Invariant(
                $"{w.Increase(r => r.Value)} {w.Rate(r => r.Value)} {w.Resets(r => r.Value)} {w.Increase(r => r.Value, extrapolate: true)} {w.Rate(r => r.Value, extrapolate: true)}")))
            .Expect((10, "22 2.75 1 27.5 2.75"));

    [Fact]
    public void Of_samples_at_one_time_a_counter_knows_the_last_to_arrive() =>
        Timeline.Keyed().At(0, "a", 100).At(1, "a", 105).At(1, "a", 103).At(2, "a", 110).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => (w.Increase(r => r.Value), w.Resets(r => r.Value), w.Rate(r => r.Value))))
            .Expect((10, (10, 0, 5)));

    [Fact]
    public void Of_samples_at_one_time_a_line_goes_to_and_from_the_last_to_arrive() =>
        Timeline.Keyed().At(4, "a", 100).At(0, "a", 0).At(2, "a", 10).At(2, "a", 100).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => (
                w.TimeWeightedAverage(r => r.Value, Interpolation.Linear), w.Integral(r => r.Value, Interpolation.Linear), w.TimeWeightedAverage(r => r.Value))))
            .Expect((10, (75, 300, 80)));

    [Fact]
    public void Order_of_arrival_outlasts_panes_sessions_and_corrections()
    {
        var timeline = Timeline.Keyed().At(0, "a", 0).At(4, "a", 7).At(2, "a", 10).At(2, "a", 100).At(4, "a", 100).Watermark(8).At(2, "a", 0).Watermark(40).End();
        Assert.Equal([75, 25], Averages(Window.Tumbling(Seconds(5)).AllowLate(Seconds(10))));
        Assert.Equal([75, 25, 25], Averages(Window.Hopping(Seconds(10), Seconds(5)).AllowLate(Seconds(10))));
        Assert.Equal([75, 25], Averages(Window.Session(Seconds(3)).AllowLate(Seconds(10))));

        List<double> Averages(WindowSpec windows) => [.. timeline.Through(s => s.KeyBy(r => r.Key).Window(windows)
            .Select(w => w.TimeWeightedAverage(r => r.Value, Interpolation.Linear))).Run().Results.Select(r => r.Value)];
    }

    [Fact]
    public void Trend_is_a_second_from_the_windows_start() =>
        Timeline.Keyed().At(14, "a", 9).At(10, "a", 1).At(12, "a", 5).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Trend(r => r.Value)))
            .Expect((20, new LinearFit(2, 1, 1)));

    [Fact]
    public void Exceeded_limit_fails_the_result_and_no_other()
    {
        var outcome = Timeline.Keyed().At(1, "a", 1).At(2, "a", 1).At(3, "a", 1).At(4, "b", 2).Watermark(10).At(11, "a", 5).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => (w.Key, w.Median(r => r.Value, maxValues: 2))))
            .Skipping().Expect((10, ("b", 2)), (20, ("a", 5)));
        Assert.Single(outcome.DeadLetters);
    }

    [Fact]
    public void Exceeded_limit_says_what_to_do() =>
        Assert.Contains("ApproximateQuantile", Timeline.Keyed().At(1, "a", 1).At(2, "a", 1).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Median(r => r.Value, maxValues: 1)))
            .ExpectError().InnerException!.Message, StringComparison.Ordinal);

    [Fact]
    public void Impossible_parameters_are_refused() =>
        Assert.Contains("0.95, not 95", Timeline.Keyed().At(1, "a", 1).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => w.Quantile(r => r.Value, 95)))
            .ExpectError().InnerException!.Message, StringComparison.Ordinal);

    [Fact]
    public void Aggregates_of_pairs_know_both_selectors() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "bb", 3).At(3, "ccc", 5).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => (
                w.LinearRegression(r => r.Key.Length, r => r.Value).Slope, w.LinearRegression(r => r.Value, r => r.Key.Length).Slope,
                w.Covariance(r => r.Key.Length, r => r.Value), w.PopulationVariance(r => r.Key.Length))))
            .Expect((10, (2, 0.5, 2, 2.0 / 3)));

    [Fact]
    public void A_selector_may_capture_what_stands_outside_the_projection()
    {
        double factor = 10;
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 3).Watermark(10).At(11, "a", 4).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => (w.Last(r => r.Value * factor), w.MaxBy(r => -r.Value * factor).Value)))
            .Expect((10, (30, 1)), (20, (40, 4)));
    }

    /// <summary>Numbers may differ in their last digits, which depend on the order in which they were added.</summary>
    private static void Same(string[] expected, string[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (var (a, b) in expected.Zip(actual).SelectMany(row => row.First.Split(' ').Zip(row.Second.Split(' '))))
        {
            if (double.TryParse(a, CultureInfo.InvariantCulture, out double x) && double.TryParse(b, CultureInfo.InvariantCulture, out double y))
            {
                Laws.Near(x, y);
            }
            else
            {
                Assert.Equal(a, b);
            }
        }
    }

    /// <summary>Every aggregate there is.</summary>
    private static string All(WindowGroup<string, Reading> w)
    {
        var fit = w.LinearRegression(r => r.Value, r => r.Key.Length + r.Value);
        double[] numbers =
        [
            w.Variance(r => r.Value), w.PopulationVariance(r => r.Value), w.StandardDeviation(r => r.Value), w.PopulationStandardDeviation(r => r.Value),
            w.Covariance(r => r.Value, r => r.Value * 2), w.PopulationCovariance(r => r.Value, r => r.Value * 2), w.Correlation(r => r.Value, r => 1 - r.Value),
            fit.Slope, fit.Intercept, fit.RSquared, w.Trend(r => r.Value).Slope, w.ExponentialAverage(r => r.Value, Seconds(2)),
            w.Median(r => r.Value), w.Quantile(r => r.Value, 0.9), w.ApproximateQuantile(r => r.Value, 0.9), .. w.Quantiles(r => r.Value, [0.1, 0.2]),
            w.TimeWeightedAverage(r => r.Value), w.Integral(r => r.Value, Interpolation.Linear), w.Increase(r => r.Value), w.Rate(r => r.Value, extrapolate: true),
        ];
        object[] others =
        [
            w.Key, w.Count(), w.First(r => r.Key), w.Last(r => r.Value), w.Min(r => r.Key), w.Max(r => (long)r.Value), w.MinBy(r => r.Value), w.MaxBy(r => r.Value),
            w.DistinctCount(r => r.Value), w.ApproximateDistinctCount(r => r.Key), string.Join(";", w.TopK(r => r.Value, 3)),
            string.Join(";", w.Histogram(r => r.Value, _bounds).Counts), string.Join(";", w.Collect(r => r.Key)), w.Resets(r => r.Value),
            w.DurationWhere(r => r.Value > 4), string.Join(";", w.Durations(r => r.Value > 4).OrderBy(d => d.Key)),
        ];
        return string.Join(" ", numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))) + " " + string.Join(" ", others);
    }
}
