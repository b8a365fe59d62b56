using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Accumulators in saved state: damaged ones, and those of users.</summary>
public class SavedAccumulatorTests
{
    [Property(MaxTest = 200)]
    public void Damaged_state_is_a_clear_error_or_a_value(int seed)
    {
        var random = new Random(seed);
        Damage<double, TimedSamples<double>, Timed<double, TimedSamples<double>>>(new TimedSamples<double>(20, WhenFull.KeepLast), i => i, random);
        Damage<string, TimedSamples<string>, Timed<string, TimedSamples<string>>>(new TimedSamples<string>(20, WhenFull.Fail), i => $"{i}", random);
        Damage<double, ExactValues, Untimed<double, ExactValues>>(new ExactValues(20), i => i, random);
        Damage<double, QuantileSketch, Untimed<double, QuantileSketch>>(new QuantileSketch(0.01), i => i - 3, random);
        Damage<string, DistinctValues<string>, Untimed<string, DistinctValues<string>>>(new DistinctValues<string>(20), i => $"{i}", random);
        Damage<int, DistinctSketch<int>, Untimed<int, DistinctSketch<int>>>(new DistinctSketch<int>(5), i => i, random);
        Damage<string, HeavyHitters<string>, Untimed<string, HeavyHitters<string>>>(new HeavyHitters<string>(5), i => $"{i}", random);
        Damage<double, HistogramCounts, Untimed<double, HistogramCounts>>(new HistogramCounts(HistogramBounds.Of(1, 2, 3)), i => i, random);
        Damage<string, LastValue<string>, Timed<string, LastValue<string>>>(default, i => $"{i}", random);
    }

    [Fact]
    public void Users_accumulator_with_an_array_is_saved_and_used_again() =>
        Timeline.Keyed().At(1, "a", 1).At(2, "b", 5).At(3, "a", 2).Watermark(10).At(11, "a", 3).Watermark(12).At(9, "b", 7).Watermark(20)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(9)))
                .Select(w => $"{w.Key} {w.Aggregate(new Backwards("<"), r => r.Value).Text} {w.Aggregate(new Backwards("|"), r => r.Value).Text}"))
            .ExpectSet((10, "a 2<1 2|1"), (10, "b 5 5"), (10, "b 7<5 7|5"), (20, "a 3 3"));

    private static void Damage<TValue, TAccumulator, TFeed>(TAccumulator seed, Func<int, TValue> value, Random random)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator>
    {
        var accumulator = seed;
        for (int i = 0; i < 12; i++)
        {
            TFeed.Add(ref accumulator, value(i), i);
        }

        var codec = StateCodec.Require<TAccumulator>();
        var writer = new StateWriter();
        codec.Write(writer, accumulator);
        byte[] bytes = writer.Written.ToArray();
        for (int hits = random.Next(1, 4); hits > 0; hits--)
        {
            bytes[random.Next(bytes.Length)] = (byte)(random.Next(3) == 0 ? 255 : random.Next(256));
        }

        try
        {
            codec.Read(new StateReader(bytes.AsMemory(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length)));
        }
        catch (InvalidDataException)
        {
            // The clear error.
        }
    }

    /// <summary>A user's: the values in reverse order of arrival.</summary>
    private record struct Backwards(string Separator) : IAccumulator<double, Backwards>, ISaveable
    {
        private double[]? _values;
        private int _count;

        public readonly string Text => string.Join(Separator, _values.AsSpan(0, _count).ToArray().Reverse());

        public void Add(in double value)
        {
            if (_values is null || _count == _values.Length)
            {
                Array.Resize(ref _values, 4 + (_count * 2));
            }

            _values[_count++] = value;
        }

        public void Merge(in Backwards other)
        {
            for (int i = 0; i < other._count; i++)
            {
                Add(in other._values![i]);
            }
        }

        public bool TryClear()
        {
            _count = 0;
            return true;
        }

        public readonly void Save(StateWriter writer)
        {
            writer.Text(Separator);
            writer.Int32(_count);
            foreach (double value in _values.AsSpan(0, _count))
            {
                writer.Double(value);
            }
        }

        public void Load(StateReader reader)
        {
            this = new Backwards(reader.Text()!);
            for (int count = reader.Int32(); count > 0; count--)
            {
                Add(reader.Double());
            }
        }
    }
}
