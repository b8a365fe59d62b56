using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Count and sum alone: what they give can't be told from moments, and they say so where extremes are wanted all the same.</summary>
public class MeanTests
{
    [Property]
    public void Mean_is_that_of_moments_to_the_bit(double[] values, bool[] merges)
    {
        Mean mean = default, part = default;
        Moments moments = default, partOfMoments = default;
        double[] all = [-0.0, .. values, double.NegativeInfinity, -0.0, .. values, double.NaN];
        for (int i = 0; i < all.Length; i++)
        {
            part.Add(all[i]);
            partOfMoments.Add(all[i]);
            if (i < merges.Length && merges[i])
            {
                mean.Merge(in part);
                moments.Merge(in partOfMoments);
                Mean none = default;
                mean.Merge(in none);
                (part, partOfMoments) = (default, default);
            }

            Same(moments, mean);
            Same(partOfMoments, part);
        }
    }

    [Property]
    public void Means_merged_side_by_side_are_those_merged_one_by_one_to_the_bit(double[] values, bool[] empties)
    {
        var into = States([double.NaN, -0.0, .. values, double.PositiveInfinity]);
        var others = States([-0.0, -0.0, .. values.Reverse(), double.NegativeInfinity]);
        for (int i = 0; i < Math.Min(empties.Length, into.Length); i++)
        {
            (empties[i] ? into : others).AsSpan(i, 1).Clear();
        }

        var expected = into.ToArray();
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i].Merge(in others[i]);
        }

        int merged = Mean.MergePairs(into, others);
        Assert.Equal(expected.Take(merged).Select(Bits), into.Take(merged).Select(Bits));

        static Mean[] States(double[] values) => [.. values.Select(value =>
        {
            var state = default(Mean);
            state.Add(value);
            return state;
        })];

        static (long, long) Bits(Mean mean) => (mean.Count, BitConverter.DoubleToInt64Bits(mean.Sum));
    }

    [Fact]
    public void Average_of_minus_zero_is_minus_zero()
    {
        var outcome = Timeline.Of<double>().At(1, -0.0).At(12, -0.0).End()
            .Through(s => s.Window(Window.Hopping(Seconds(20), Seconds(10))).Select(w => w.Average(x => x))).Run();
        Assert.All(outcome.Results, result => Assert.True(double.IsNegative(result.Value)));
    }

    [Fact]
    public void Extremes_asked_for_in_some_windows_only_are_an_error_that_says_so() =>
        Assert.Contains(
            "did not ask for",
            Timeline.Of<double>().At(1, 1).At(2, 9).Watermark(10)
                .Through(s => s.Window(Window.Tumbling(Seconds(10))).Select(w => w.Count() > 1 ? w.Max(x => x) : w.Average(x => x))).ExpectError().ToString(),
            StringComparison.Ordinal);

    [Fact]
    public void Extremes_asked_for_beside_the_average_are_there() =>
        Timeline.Of<double>().At(1, 1).At(2, 9).At(3, 2).End()
            .Through(s => s.Window(Window.Hopping(Seconds(10), Seconds(10))).Select(w => (w.Average(x => x), w.Min(x => x), w.Max(x => x))))
            .Expect((10, (4, 1, 9)));

    [Fact]
    public void Saved_averages_do_not_become_extremes()
    {
        var input = new Input<double>();
        ReadOnlyMemory<byte> saved;
        using (var run = new PlanRun<double, double>(input, Windows(input).Select(w => w.Average(x => x)).Node, shards: 1))
        {
            run.Push([1], [TimeSpan.TicksPerSecond]);
            saved = run.Save();
        }

        using var restored = new PlanRun<double, double>(input, Windows(input).Select(w => w.Max(x => x)).Node, shards: 1);
        restored.Plan.Load(new Extensibility.StateReader(saved));
        restored.Push([2], [TimeSpan.TicksPerSecond]);
        Assert.Contains("another projection", $"{restored.Sink.Error}", StringComparison.Ordinal);
    }

    private static IWindowedStream<Unit, double> Windows(Input<double> input) => input.ToStream().Window(Window.Hopping(Seconds(10), Seconds(5)));

    private static void Same(Moments moments, Mean mean)
    {
        Assert.Equal(moments.Count, mean.Count);
        if (moments.Count > 0)
        {
            Assert.Equal(BitConverter.DoubleToInt64Bits(moments.Sum), BitConverter.DoubleToInt64Bits(mean.Sum));
        }
    }
}
