using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>So many events, each time after so many more.</summary>
internal sealed record CountWindows(int Count, int Every) : SortedWindows
{
    /// <summary>The most states that a key may have.</summary>
    internal const int MaxPanes = 65_536;

    /// <summary>How many events have the size and the step in common.</summary>
    internal int PaneEvents { get; } = (int)System.Numerics.BigInteger.GreatestCommonDivisor(Count, Every);

    private protected override string Describe() => $"{Count} events{(Every == Count ? "" : $" every {Every}")}";
}

/// <summary>So many events or so long, whichever is first.</summary>
internal sealed record TimeOrCountWindows(long Span, int Count) : SortedWindows
{
    private protected override string Describe() => $"{TimeSpan.FromTicks(Span)} or {Count} events";
}

/// <summary>Counts; a span of <see cref="long.MaxValue"/> is none.</summary>
internal readonly struct CountRule<T>(int count, long span) : IWindowRule<T, Unit>
{
    public WindowTurn Take(ref Unit mark, in WindowProgress progress, in T value) =>
        progress.Count == count ? WindowTurn.Add | WindowTurn.Close : WindowTurn.Add;

    public long DeadlineOf(in Unit mark, in WindowProgress progress) =>
        span == long.MaxValue ? long.MaxValue : Ticks.Plus(progress.Start, span);

    public WindowTurn OnDeadline(ref Unit mark, in WindowProgress progress) => WindowTurn.Close;
}
