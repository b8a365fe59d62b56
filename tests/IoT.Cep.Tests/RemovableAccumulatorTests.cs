using FsCheck.Xunit;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Windows per event over accumulators that can remove give what those that only merge give.</summary>
public class RemovableAccumulatorTests
{
    [Property(MaxTest = 40)]
    public void Taking_out_gives_what_merging_gives(int seed)
    {
        var random = new Random(seed);
        var rows = Timeline.Keyed();
        double time = 0;
        for (int i = 0; i < 60; i++)
        {
            time += random.Next(4) / 2.0;
            rows.At(time, $"k{random.Next(3)}", random.Next(100));
        }

        rows.Watermark(time + 10);
        bool isAround = random.Next(2) == 0;
        WindowSpec windows = isAround ? Window.Around(Seconds(2), Seconds(1)) : Window.Sliding(Seconds(3));
        var removed = rows.Through(s => s.KeyBy(r => r.Key).Window(windows).Aggregate(new Removing(), (w, a) => (w.Key, a.Count, a.Sum))).Run();
        var merged = rows.Through(s => s.KeyBy(r => r.Key).Window(windows).Aggregate(new Merging(), (w, a) => (w.Key, a.Count, a.Sum))).Run();
        Assert.Equal(merged.Results, removed.Results);
        Assert.NotEmpty(removed.Results);
    }

    [Fact]
    public void Removing_is_what_happens()
    {
        Removing.Removed = 0;
        Timeline.Keyed().At(1, "a", 1).At(2, "a", 2).At(3, "a", 3).At(6, "a", 4).Watermark(9)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(2))).Aggregate(new Removing(), (w, a) => (a.Count, a.Sum)))
            .Expect((1, (1, 1)), (2, (2, 3)), (3, (2, 5)), (6, (1, 4)));
        Assert.True(Removing.Removed > 0);
    }

    private record struct Merging : IAccumulator<Reading, Merging>
    {
        public long Count { get; private set; }

        public double Sum { get; private set; }

        public void Add(in Reading value) => (Count, Sum) = (Count + 1, Sum + value.Value);

        public void Merge(in Merging other) => (Count, Sum) = (Count + other.Count, Sum + other.Sum);
    }

    private record struct Removing : IRemovableAccumulator<Reading, Removing>
    {
        [ThreadStatic]
        internal static int Removed;

        public long Count { get; private set; }

        public double Sum { get; private set; }

        public void Add(in Reading value) => (Count, Sum) = (Count + 1, Sum + value.Value);

        public void Merge(in Removing other) => (Count, Sum) = (Count + other.Count, Sum + other.Sum);

        public void Remove(in Reading value)
        {
            Removed++;
            (Count, Sum) = (Count - 1, Sum - value.Value);
        }
    }
}
