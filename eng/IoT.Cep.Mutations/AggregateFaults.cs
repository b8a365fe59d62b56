namespace IoT.Cep.Mutations;

/// <summary>Faults of accumulators, and of what makes series regular.</summary>
internal static class AggregateFaults
{
    private const string Aggregates = "src/IoT.Cep/Aggregates/";

    internal static IReadOnlyList<Fault> All { get; } =
    [
        new("sample put before those at its time", Aggregates + "TimedSamples.cs",
            "if (_samples![middle].Ticks <= ticks)", "if (_samples![middle].Ticks < ticks)"),
        new("merged samples put before ours at their time", Aggregates + "TimedSamples.cs",
            "_samples[ours].Ticks > other._samples![theirs].Ticks", "_samples[ours].Ticks >= other._samples![theirs].Ticks"),
        new("last of ties is the first", Aggregates + "EdgeValues.cs",
            "ticks >= _edge.Ticks", "ticks > _edge.Ticks"),
        new("exceeded limit remembered by the next window", Aggregates + "ExactValues.cs",
            "        _isExceeded = false;\n", ""),
        new("merged spread without the distance of the means", Aggregates + "Deviation.cs",
            "_squares += other._squares + (difference", "_squares += other._squares + (0 * difference"),
        new("trend merged without its origin", Aggregates + "CoMoments.cs",
            "_moments.Merge(in other._moments, SecondsBetween(_origin, other._origin));", "_moments.Merge(in other._moments, 0);"),
        new("quantile one rank too high", Aggregates + "QuantileSketch.cs",
            "long rank = (long)(part * (Count - 1));", "long rank = (long)(part * Count);"),
        new("register's rank one too low", Aggregates + "DistinctSketch.cs",
            "(1UL << (Precision - 1))) + 1;", "(1UL << (Precision - 1)));"),
        new("merged count without what the other did not count", Aggregates + "HeavyHitters.cs",
            "ours.Count + theirLeast, ours.Error + theirLeast", "ours.Count, ours.Error"),
        new("reset of a counter not seen", Aggregates + "Counters.cs",
            "value < before ? value : value - before", "value - before"),
        new("last value does not hold to the window's end", Aggregates + "Signals.cs",
            "Math.Max(end, samples[index].Ticks)", "samples[index].Ticks"),
        new("all samples of one time count", Aggregates + "Signals.cs",
            "samples[index + 1].Ticks == samples[index].Ticks;", "samples[index + 1].Ticks < samples[index].Ticks;"),
        new("line drawn before the last event at its end may have come", "src/IoT.Cep/Streams/FillGaps.cs",
            "_series.StateAt(i).Last < ticks)", "_series.StateAt(i).Last <= ticks)"),
        new("late sample weighs as a new one", Aggregates + "DecayingAverage.cs",
            "(_weight + (weight * share), _sum + Scale(sum, share))", "(_weight + weight, _sum + sum)"),
        new("dead band around the last event, not the last kept", "src/IoT.Cep/Streams/DeadBand.cs",
            "            if (isKept)\n", "            if (isKept || !isFirst)\n"),
        new("gap of the greatest length not filled", "src/IoT.Cep/Streams/FillGaps.cs",
            "if (width <= node.MaxGap.Ticks)", "if (width < node.MaxGap.Ticks)"),
        new("time behind a line not held back", "src/IoT.Cep/Streams/FillGaps.cs",
            "next.OnWatermark(Ticks.Minus(watermark, lag))", "next.OnWatermark(Math.Max(watermark, lag))"),
    ];
}
