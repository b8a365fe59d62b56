using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Sessions that are cut where they last too long.</summary>
internal sealed record LongestSessionWindows(long Gap, long Longest) : SortedWindows
{
    private protected override string Describe() => $"session {TimeSpan.FromTicks(Gap)}, at most {TimeSpan.FromTicks(Longest)}";
}

/// <summary>The deadline has passed before an event that does not belong to the session is asked about.</summary>
internal readonly struct LongestSessionRule<T>(long gap, long longest) : IWindowRule<T, Unit>
{
    public WindowTurn Take(ref Unit mark, in WindowProgress progress, in T value) => WindowTurn.Add;

    public long DeadlineOf(in Unit mark, in WindowProgress progress) =>
        Math.Min(Ticks.Plus(progress.Time, gap), Ticks.Plus(progress.Start, longest));

    public WindowTurn OnDeadline(ref Unit mark, in WindowProgress progress) => WindowTurn.Close;
}
