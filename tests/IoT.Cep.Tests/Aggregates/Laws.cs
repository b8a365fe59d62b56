using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>What every accumulator promises, over values that come at different times.</summary>
internal static class Laws
{
    internal static void HoldFor<TValue, TAccumulator>(
        TAccumulator seed, IReadOnlyList<TValue> values, Func<TAccumulator, object> result, int random, Action<object, object>? same = null)
        where TAccumulator : struct, IAccumulator<TValue, TAccumulator> =>
        Hold<TValue, TAccumulator, Untimed<TValue, TAccumulator>>(seed, values, result, random, same);

    internal static void HoldForTimed<TValue, TAccumulator>(
        TAccumulator seed, IReadOnlyList<TValue> values, Func<TAccumulator, object> result, int random, Action<object, object>? same = null)
        where TAccumulator : struct, ITimedAccumulator<TValue, TAccumulator> =>
        Hold<TValue, TAccumulator, Timed<TValue, TAccumulator>>(seed, values, result, random, same);

    /// <summary>For results in floating point, whose last digits depend on the order.</summary>
    internal static void Near(object expected, object actual) => Near(expected, actual, 1e-9);

    internal static void Near(object expected, object actual, double tolerance)
    {
        var (a, b) = ((double)expected, (double)actual);
        Assert.True(a.Equals(b) || Math.Abs(a - b) <= tolerance * Math.Max(1, Math.Abs(a)), $"{b:R} instead of {a:R}");
    }

    private static void Hold<TValue, TAccumulator, TFeed>(
        TAccumulator seed, IReadOnlyList<TValue> values, Func<TAccumulator, object> result, int random, Action<object, object>? same)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator>
    {
        same ??= Assert.Equal;
        var chance = new Random(random);
        var events = values.Select((value, i) => (Value: value, Ticks: ((i * 7L) - values.Count) * TimeSpan.TicksPerSecond)).ToArray();
        object expected = result(Add(seed, events));

        // Any order of arrival.
        var shuffled = events.ToArray();
        chance.Shuffle(shuffled);
        same(expected, result(Add(seed, shuffled)));
        same(expected, result(Merged(shuffled)));

        // Of events at one time, those that arrived earlier are in the parts on the left.
        var tied = Array.ConvertAll(shuffled, e => e with { Ticks = e.Ticks / (10 * TimeSpan.TicksPerSecond) });
        same(result(Add(seed, [.. tied.OrderBy(e => e.Ticks)])), result(Add(seed, tied)));
        same(result(Add(seed, tied)), result(Merged(tied)));

        // Saved and restored in the middle.
        var half = Restore(Add(seed, shuffled.AsSpan(0, shuffled.Length / 2)));
        same(expected, result(Restore(Add(half, shuffled.AsSpan(shuffled.Length / 2)))));

        // Emptied and used again, it is a new one with the same parameters.
        var used = Add(seed, shuffled);
        if (TFeed.TryClear(ref used))
        {
            same(result(seed), result(used));
            same(expected, result(Add(used, shuffled)));
        }

        // Any parts, merged in any tree, with empty ones among them; what was merged is emptied and used again.
        TAccumulator Merged((TValue Value, long Ticks)[] arrived)
        {
            var parts = Split(arrived, chance).Append([]).Select(part => Add(seed, part)).ToList();
            while (parts.Count > 1)
            {
                int at = chance.Next(parts.Count - 1);
                var (merged, other) = (parts[at], parts[at + 1]);
                string before = events.Length > 0 ? Render(result, other) : "";
                TFeed.Merge(ref merged, in other);
                Assert.Equal(before, events.Length > 0 ? Render(result, other) : "");
                if (TFeed.TryClear(ref other))
                {
                    Add(other, arrived.AsSpan(0, Math.Min(5, arrived.Length)));
                }

                parts[at] = merged;
                parts.RemoveAt(at + 1);
            }

            return parts[0];
        }

        TAccumulator Add(TAccumulator to, ReadOnlySpan<(TValue Value, long Ticks)> some)
        {
            foreach (var (value, ticks) in some)
            {
                TFeed.Add(ref to, in value, ticks);
            }

            return to;
        }
    }

    private static TAccumulator Restore<TAccumulator>(TAccumulator accumulator)
    {
        var writer = new StateWriter();
        var codec = StateCodec.Require<TAccumulator>();
        codec.Write(writer, accumulator);
        var reader = new StateReader(writer.Written);
        var restored = codec.Read(reader);
        Assert.True(reader.AtEnd);
        return restored;
    }

    private static string Render<TAccumulator>(Func<TAccumulator, object> result, TAccumulator accumulator)
    {
        try
        {
            return $"{result(accumulator)}";
        }
        catch (AggregateLimitException)
        {
            return "limit";
        }
    }

    private static List<T[]> Split<T>(T[] events, Random chance)
    {
        var parts = new List<T[]>();
        for (int i = 0; i < events.Length;)
        {
            int length = Math.Min(events.Length - i, chance.Next(0, 1 + (events.Length / 3)));
            parts.Add(events[i..(i + length)]);
            i += Math.Max(length, 0);
            if (length == 0 && chance.Next(3) > 0 && i < events.Length)
            {
                parts.Add(events[i..++i]);
            }
        }

        return parts;
    }
}
