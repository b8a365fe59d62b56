namespace IoT.Cep.Mutations;

/// <summary>Faults of windows, and of the time that closes them.</summary>
internal static class WindowFaults
{
    private const string Windows = "src/IoT.Cep/Windows/";

    internal static IReadOnlyList<Fault> All { get; } =
    [
        new("pane not merged into its window", Windows + "SharedPanes.cs",
            "        MergeAll(back.States, pane.States);\n", ""),
        new("window put together without its later panes", Windows + "TimeWindowFiring.cs",
            "            if (back is not null)\n", "            if (back is null)\n"),
        new("event late for one window lost to the next", Windows + "SharedPanes.cs",
            "if (_windows.FirstWindow(i, Math.Max(ticks, watermark)).Start > ticks)", "if (_windows.FirstWindow(i, Math.Max(ticks, watermark)).Start >= ticks)"),
        new("held window fires twice", Windows + "HeldWindows.cs",
            "            held.HasFired |= ends;\n", ""),
        new("held window fires one tick late", Windows + "HeldWindows.cs",
            "bool ends = !held.HasFired && held.End <= time;", "bool ends = !held.HasFired && held.End < time;"),
        new("session's gap inclusive", Windows + "SessionOperator.Adding.cs",
            "(ulong)((time - session.Last - 1) & goesOn) < gap", "(ulong)((time - session.Last - 2) & goesOn) < gap"),
        new("session's newest event does not move its end", Windows + "SessionOperator.Adding.cs",
            "session.Last = inOrder = time;\n                    session.Phase", "inOrder = time;\n                    session.Phase"),
        new("event that leaves stays in the sum", Windows + "SlidingMoments.cs",
            "else if (window.Sum.Remove(value, number))", "else if (false)"),
        new("sum that lost its digits not added up anew", Windows + "RunningSum.cs",
            "return number == _large;", "return false;"),
        new("peers of one time not in each other's windows", Windows + "PerEventWindows.cs",
            "EndOf(ticks) <= time", "EndOf(ticks) <= time + 1"),
        new("closed window given out before its time", Windows + "ClosedWindows.cs",
            "if (window.Time > time)", "if (window.Time > time + 1)"),
        new("closed windows lost in a restart", Windows + "ClosedWindows.cs",
            "                Add(in window);\n", ""),
        new("lost timer of a batch", Windows + "SortedWindowOperator.cs",
            "                _due.Set(deadline, index);\n", ""),
        new("key's older window not due", Windows + "KeyedTimelineOperator.cs",
            "            state.OlderDue = Math.Min(state.OlderDue, DueOf(in older));\n", ""),
        new("greatest watermark of partitions taken", "src/IoT.Cep/Time/SourceTime.cs",
            "                least = Math.Min(least, lane.Watermark);\n", "                least = least == long.MaxValue ? lane.Watermark : Math.Max(least, lane.Watermark);\n"),
        new("partition that is away holds the others back", "src/IoT.Cep/Time/SourceTime.cs",
            "if (!lane.IsAway && (lane.Watermark > long.MinValue || (lane.IsAwaited && !lane.IsSilent)))", "if (lane.Watermark > long.MinValue || (lane.IsAwaited && !lane.IsSilent))"),
    ];
}
