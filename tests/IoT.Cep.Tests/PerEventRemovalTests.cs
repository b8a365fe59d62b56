using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>What leaves a window per event leaves nothing behind, however long the stream and however odd the values.</summary>
public class PerEventRemovalTests
{
    private const int Size = 50;

    [Fact]
    public void Infinities_of_both_signs_leave_one_after_the_other() =>
        Timeline.Of<double>().At(1, double.PositiveInfinity).At(2, 1).At(3, double.NegativeInfinity).At(4, 2).At(6.5, 4).At(8, 8).At(11, double.NaN).At(12, 16).At(15, 32).End()
            .Through(s => s.Window(Window.Sliding(Seconds(4))).Select(w => w.Sum(x => x)))
            .Expect((1, double.PositiveInfinity), (2, double.PositiveInfinity), (3, double.NaN), (4, double.NaN), (6.5, double.NegativeInfinity), (8, 12),
                (11, double.NaN), (12, double.NaN), (15, 48));

    [Fact]
    public void Sum_that_overflows_comes_back() =>
        Timeline.Of<double>().At(1, 1e308).At(2, 1e308).At(3, -1e308).At(4, 1e290).At(5.5, 3).At(7.5, 5).At(9, 7).End()
            .Through(s => s.Window(Window.Sliding(Seconds(4))).Select(w => w.Sum(x => x)))
            .Expect((1, 1e308), (2, double.PositiveInfinity), (3, 1e308), (4, 1e308 + 1e290), (5.5, 1e290), (7.5, 1e290), (9, 15));

    [Fact]
    public void Large_values_that_leave_by_steps_take_no_digits_along() =>
        Timeline.Of<double>().At(1, 1e200).At(2, 1e100).At(3, 1e50).At(4, 0.1).At(5, 0.2).At(6, 0.3).At(7, 0.4).At(8, 0.5).At(9, 0.6).End()
            .Through(s => s.Window(Window.Sliding(Seconds(5))).Select(w => w.Sum(x => x)))
            .Expect((1, 1e200), (2, 1e200), (3, 1e200), (4, 1e200), (5, 1e200), (6, 1e100), (7, 1e50), (8, 1.5), (9, 2.0));

    [Fact]
    public void Large_value_that_leaves_together_with_another_keys_takes_no_digits_along() =>
        Timeline.Keyed().At(1, "b", 1).At(2, "a", 1e200).At(2.5, "a", 1e100).At(3, "a", 0.1).At(4, "a", 0.2).At(7, "a", 0.3).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(4))).Select(w => w.Sum(r => r.Value)))
            .Expect((1, 1), (2, 1e200), (2.5, 1e200), (3, 1e200), (4, 1e200), (7, 0.5));

    [Fact]
    public void Extremes_of_falling_and_rising_values_slide() =>
        Timeline.Of<double>().At(1, 9).At(2, 8).At(3, 7).At(4, 7).At(5, 6).At(6, 5).At(7, 4).At(8, 8).At(9, double.NaN).At(10, 1).At(12.5, 2).End()
            .Through(s => s.Window(Window.Sliding(Seconds(3))).Select(w => (w.Max(x => x), w.Min(x => x))))
            .Expect((1, (9, 9)), (2, (9, 8)), (3, (9, 7)), (4, (8, 7)), (5, (7, 6)), (6, (7, 5)), (7, (6, 4)), (8, (8, 4)),
                (9, (double.NaN, double.NaN)), (10, (double.NaN, double.NaN)), (12.5, (2, 1)));

    [Fact]
    public void Aggregate_that_is_asked_for_later_is_made_of_the_events_that_are_there() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 20).At(3, "a", 3).At(4, "a", 50).At(5, "b", 10).At(6, "a", 40).At(7, "a", 2).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(4)))
                .Select(w => w.Average(r => r.Value) > 15 ? w.Max(r => r.Value) - w.Min(r => r.Value) : -1))
            .ExpectSet((1, -1), (2, 0), (3, -1), (4, 49), (5, -1), (6, 47), (7, 48));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Sums_of_a_long_stream_do_not_drift(int seed)
    {
        var random = new Random(seed);
        double[] values = new double[60_000];
        foreach (ref double value in values.AsSpan())
        {
            int kind = random.Next(400);
            value = kind switch
            {
                0 => double.NaN,
                1 => double.PositiveInfinity,
                2 => (random.NextDouble() - 0.5) * 1e306,
                3 or 4 => (random.NextDouble() - 0.5) * 1e40,
                5 => (random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-300, 300)),
                _ => (random.NextDouble() - 0.3) * 100,
            };
        }

        var results = Slide(values);
        for (int i = 0; i < values.Length; i++)
        {
            var inside = values.AsSpan(Math.Max(0, i + 1 - Size), Math.Min(i + 1, Size));
            var (sum, scale) = Exact(inside);
            Assert.True(
                sum.Equals(results[i]) || Math.Abs(sum - results[i]) <= scale * 1e-15, $"seed {seed}, event {i}: {results[i]:R} where {sum:R} is right");
        }
    }

    [Fact]
    public void Tenths_add_up_to_the_same_after_a_million_events()
    {
        double[] values = new double[1_000_000];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i % 7 * 0.1;
        }

        var results = Slide(values);
        for (int i = 700; i < values.Length; i += 997)
        {
            Assert.Equal(Exact(values.AsSpan(i + 1 - Size, Size)).Sum, results[i]);
        }
    }

    [Fact]
    public void Many_keys_are_taken_ahead_and_a_selector_that_throws_loses_its_event_alone()
    {
        const int Keys = 12_000, Rounds = 4;
        var input = new Input<(int Key, double Value)>(IsInOrder: true);
        using var run = new PlanRun<(int Key, double Value), (int Key, double Sum, long Count)>(
            input, input.ToStream().KeyBy(e => e.Key == 77 ? throw new FormatException("no key") : e.Key).Window(Window.Sliding(Seconds(2.5)))
                .Select(w => (w.Key, w.Sum(e => e.Value == 5_000 ? throw new FormatException("no") : e.Value), w.Count())).Node, shards: 1, ErrorPolicy.Skip);
        for (int round = 0; round < Rounds; round++)
        {
            var events = Enumerable.Range(0, Keys).Select(i => (Key: i * 5_003 % Keys, Value: (double)i)).ToArray();
            run.Push(events, [.. events.Select(_ => TicksAt(round))]);
        }

        run.Advance(TicksAt(100));
        var expected = Enumerable.Range(0, Rounds).SelectMany(round => Enumerable.Range(0, Keys)
            .Where(i => i != 5_000 && i * 5_003 % Keys != 77)
            .Select(i => (Key: i * 5_003 % Keys, Sum: (double)i * Math.Min(round + 1, 3), Count: (long)Math.Min(round + 1, 3))));
        Assert.Equal(expected.Order(), run.Sink.Results.Select(r => r.Value).Order());
    }

    private static List<double> Slide(double[] values)
    {
        var input = new Input<double>(IsInOrder: true);
        using var run = new PlanRun<double, double>(input, input.ToStream().Window(Window.Sliding(Seconds(Size))).Select(w => w.Sum(x => x)).Node, shards: 1);
        const int Batch = 500;
        for (int i = 0; i < values.Length; i += Batch)
        {
            run.Push(values.AsSpan(i, Batch), [.. Enumerable.Range(i, Batch).Select(at => TicksAt(at))]);
        }

        run.Advance(TicksAt(values.Length + 1.0));
        return [.. run.Sink.Results.Select(r => r.Value)];
    }

    /// <summary>The sum to the last bit by parts that do not overlap (Shewchuk, 1997), over values scaled down where they might overflow.</summary>
    private static (double Sum, double Scale) Exact(ReadOnlySpan<double> values)
    {
        var parts = new List<double>();
        double odd = 0, scale = 0;
        foreach (double value in values)
        {
            if (!double.IsFinite(value))
            {
                odd += value;
                continue;
            }

            double x = value / 1024;
            scale += Math.Abs(value);
            int kept = 0;
            foreach (double part in parts.ToArray())
            {
                var (large, small) = Math.Abs(x) >= Math.Abs(part) ? (x, part) : (part, x);
                double high = large + small, low = small - (high - large);
                if (low != 0)
                {
                    parts[kept++] = low;
                }

                x = high;
            }

            parts.RemoveRange(kept, parts.Count - kept);
            parts.Add(x);
        }

        double sum = 0;
        foreach (double part in parts)
        {
            sum += part;
        }

        return odd == 0 ? (sum * 1024, scale) : (odd, scale);
    }
}
