using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class DeadBandTests
{
    [Fact]
    public void Keeps_the_first_and_what_leaves_the_band_around_the_last_one_kept() =>
        Timeline.Keyed().At(1, "a", 10).At(2, "a", 10.5).At(3, "a", 11).At(4, "a", 11.1).At(5, "a", 10.2).At(6, "a", 10).Watermark(6)
            .Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1))
            .Expect((1, new("a", 10)), (4, new("a", 11.1)), (6, new("a", 10)));

    [Fact]
    public void Slow_drift_is_kept_too() =>
        Timeline.Keyed().At(1, "a", 0).At(2, "a", 0.4).At(3, "a", 0.8).At(4, "a", 1.2).At(5, "a", 1.6).Watermark(5)
            .Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1))
            .Expect((1, new("a", 0)), (4, new("a", 1.2)));

    [Fact]
    public void Disorder_is_put_right_first_and_late_events_are_left_out() =>
        Timeline.Keyed().At(1, "a", 0).At(3, "a", 5).At(2, "a", 0.5).Watermark(3).At(2, "a", 100).At(4, "a", 5.5).Watermark(4)
            .Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1))
            .Expect((1, new("a", 0)), (3, new("a", 5)));

    [Fact]
    public void Sign_of_life_passes_though_nothing_changed() =>
        Timeline.Keyed().At(1, "a", 0).At(10, "a", 0).At(11, "a", 0).At(12, "a", 0).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1, atLeastEvery: Seconds(10)))
            .Expect((1, new("a", 0)), (11, new("a", 0)));

    [Fact]
    public void Keys_are_apart_and_forgotten() =>
        Timeline.Keyed().At(1, "a", 0).At(1, "b", 5).At(2, "b", 5).At(12, "a", 0).Watermark(12)
            .Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1, forgetAfter: Seconds(11)))
            .ExpectSet((1, new("a", 0)), (1, new("b", 5)), (12, new("a", 0)));

    [Fact]
    public void Infinities_and_what_is_no_number_are_values_of_their_own() =>
        Timeline.Of<double>().At(1, double.NaN).At(2, double.NaN).At(3, 1).At(4, double.PositiveInfinity).At(5, double.PositiveInfinity).At(6, double.NaN).Watermark(6)
            .Through(s => s.DeadBand(v => v, band: 0))
            .Expect((1, double.NaN), (3, 1), (4, double.PositiveInfinity), (6, double.NaN));

    [Property(MaxTest = 30)]
    public void Whatever_is_left_out_was_within_the_band(int seed)
    {
        var random = new Random(seed);
        var timeline = Timeline.Keyed();
        var events = new List<(double Time, string Key, double Value)>();
        for (int i = 0; i < 40; i++)
        {
            var e = (Time: i + (random.Next(5) / 10.0), Key: $"k{random.Next(3)}", Value: Math.Round(random.NextDouble() * 5, 1));
            events.Add(e);
            timeline.At(e.Time, e.Key, e.Value);
            if (random.Next(4) == 0)
            {
                timeline.Watermark(i - 1);
            }
        }

        var kept = timeline.End().Through(s => s.KeyBy(r => r.Key).DeadBand(r => r.Value, band: 1)).Run().Results
            .Select(r => (r.Seconds, r.Value.Key, r.Value.Value)).ToList();
        var last = new Dictionary<string, double>();
        var expected = events.OrderBy(e => e.Time).Where(e =>
        {
            bool isKept = !last.TryGetValue(e.Key, out double value) || Math.Abs(e.Value - value) > 1;
            last[e.Key] = isKept ? e.Value : value;
            return isKept;
        }).Select(e => (e.Time, e.Key, e.Value));
        Assert.Equal(expected, kept);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Impossible_bands_are_refused(double band) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Input<Reading>().ToStream().KeyBy(r => r.Key).DeadBand(r => r.Value, band));
}
