namespace IoT.Cep.Mutations;

/// <summary>The faults. Each is one that somebody could make, and that no compiler finds.</summary>
internal static class Faults
{
    internal static IReadOnlyList<Fault> All { get; } =
    [
        new("watermark one tick ahead", "src/IoT.Cep/Time/EventTimeOperator.cs",
            "RaiseWatermark(Ticks.Minus(_latest, disorder));\n    }", "RaiseWatermark(Ticks.Minus(_latest, disorder) + 1);\n    }"),
        new("late event does not raise the watermark before it", "src/IoT.Cep/Time/EventTimeOperator.cs",
            "if (i > pushed && watermark > _watermark)", "if (i < pushed && watermark > _watermark)"),
        new("window end inclusive", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "long last = EndOf(pane) - 1;", "long last = EndOf(pane);"),
        new("window fires one tick late", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "if (!pane.HasFired && EndOf(pane) <= time)", "if (!pane.HasFired && EndOf(pane) < time)"),
        new("late event counted twice", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "Interlocked.Increment(ref Query.LateEvents);", "Interlocked.Add(ref Query.LateEvents, 2);"),
        new("correction forgotten", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "        state = corrected;\n", ""),
        new("window time before 1970 rounded to zero", "src/IoT.Cep/Events/Ticks.cs",
            "within < 0 ? within + size : within", "within"),
        new("lost timer of silence", "src/IoT.Cep/Absence/Silent.cs",
            "if (due > time)", "if (due >= time)"),
        new("late watermark inclusive", "src/IoT.Cep/Windows/TumblingWindows.cs",
            "GoneAt(StartOf(ticks)) <= watermark", "GoneAt(StartOf(ticks)) < watermark"),
        new("event on the watermark taken for late", "src/IoT.Cep/Time/OrderedOperator.cs",
            "if (batch.Ticks[i] < _watermark)", "if (batch.Ticks[i] <= _watermark)"),
        new("sorting does not keep the order of ties", "src/IoT.Cep/Time/OrderedOperator.cs",
            "a.Ticks.CompareTo(b.Ticks) : a.Index.CompareTo(b.Index)", "a.Ticks.CompareTo(b.Ticks) : b.Index.CompareTo(a.Index)"),
    ];
}
