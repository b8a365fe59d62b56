using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>So many keys that their states leave the cache: look-ups run ahead then, and nothing of that may be seen.</summary>
public class ManyKeysTests
{
    private const int Keys = 70_000;

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(1_000_003)]
    public void Hopping_windows_of_many_keys_are_those_of_a_dictionary(int spread)
    {
        var input = new Input<Row>();
        var query = input.ToStream().KeyBy(r => r.Key).Window(Window.Hopping(Seconds(4), Seconds(2)))
            .Select(w => (w.Key, Start: w.Start.ToUnixTimeSeconds(), Count: w.Count(), Sum: w.Sum(r => r.Checked)));
        using var run = new PlanRun<Row, (int Key, long Start, long Count, double Sum)>(input, query.Node, shards: 1, ErrorPolicy.Skip);
        var expected = new Dictionary<(int Key, long Start), (long Count, double Sum)>();
        int failed = 0;
        for (int second = 0; second < 8; second++)
        {
            var rows = Rows(second, spread);
            run.Push(rows, [.. rows.Select(_ => second * TimeSpan.TicksPerSecond)]);
            run.Advance(second * TimeSpan.TicksPerSecond);
            foreach (var row in rows)
            {
                if (row.Value < 0)
                {
                    failed++;
                    continue;
                }

                for (long start = (second / 2 * 2) - 2; start <= second; start += 2)
                {
                    var (count, sum) = expected.GetValueOrDefault((row.Key, start));
                    expected[(row.Key, start)] = (count + 1, sum + row.Value);
                }
            }
        }

        run.Complete();
        Assert.Null(run.Sink.Error);
        Assert.Equal(failed, run.DeadLetters.Count);
        var results = run.Sink.Results.ToDictionary(r => (r.Value.Key, r.Value.Start), r => (r.Value.Count, r.Value.Sum));
        Assert.Equal(expected.Count, results.Count);
        Assert.All(expected, pair => Assert.Equal(pair.Value, results[pair.Key]));
    }

    [Fact]
    public void Refused_keys_leave_those_that_are_there_alone()
    {
        var input = new Input<Row>();
        var query = input.ToStream().KeyBy(r => r.Key, maxKeys: Keys / 2, WhenKeysFull.Refuse).Window(Window.Hopping(Seconds(4), Seconds(2)))
            .Select(w => w.Count());
        using var run = new PlanRun<Row, long>(input, query.Node, shards: 1);
        Row[] rows = [.. Enumerable.Range(0, 3 * Keys).Select(i => new Row(i % Keys, 1))];
        run.Push(rows, new long[rows.Length]);
        run.Complete();
        Assert.Equal(2 * (Keys / 2), run.Sink.Results.Count);
        Assert.All(run.Sink.Results, result => Assert.Equal(3, result.Value));
    }

    [Fact]
    public void Projection_that_fails_for_some_keys_leaves_all_others()
    {
        var input = new Input<Row>();
        var query = input.ToStream().KeyBy(r => r.Key).Window(Window.Hopping(Seconds(4), Seconds(2)))
            .Select(w => (w.Key, Value: w.Key % 7 == 3 ? throw new FormatException() : w.Average(r => r.Value)));
        using var run = new PlanRun<Row, (int Key, double Value)>(input, query.Node, shards: 1, ErrorPolicy.Skip);
        Row[] rows = [.. Enumerable.Range(0, 2_000).Select(i => new Row(i, i))];
        run.Push(rows, new long[rows.Length]);
        run.Complete();
        int[] keys = [.. Enumerable.Range(0, 2_000).Where(key => key % 7 != 3)];
        Assert.Equal(keys.Concat(keys).Order(), run.Sink.Results.Select(result => result.Value.Key).Order());
        Assert.All(run.Sink.Results, result => Assert.Equal(result.Value.Key, result.Value.Value));
    }

    /// <summary>Keys in no order, of which each second some are missing; now and then a value that no selector takes.</summary>
    private static Row[] Rows(int second, int spread) =>
        [.. Enumerable.Range(0, Keys).Where(i => (i + second) % 3 != 0)
            .Select(i => new Row((int)(i * 7_919L % Keys) * spread, i % 9_973 == second ? -1 : i % 17))];

    private readonly record struct Row(int Key, double Value)
    {
        internal double Checked => Value >= 0 ? Value : throw new FormatException();
    }
}
