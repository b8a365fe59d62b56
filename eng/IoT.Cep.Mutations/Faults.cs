namespace IoT.Cep.Mutations;

/// <summary>The faults. Each is one that somebody could make, and that no compiler finds.</summary>
internal static class Faults
{
    internal static IReadOnlyList<Fault> All { get; } =
    [
        new("watermark one tick ahead behind events in disorder", "src/IoT.Cep/Time/EventTimeOperator.cs",
            "_given = watermark;\n        if (pushed < batch.Length)\n        {\n            Next.OnEvents(pushed == 0",
            "_given = watermark + 1;\n        if (pushed < batch.Length)\n        {\n            Next.OnEvents(pushed == 0"),
        new("watermark one tick ahead", "src/IoT.Cep/Time/EventTimeOperator.cs",
            "_given = Ticks.Minus(_latest, disorder);", "_given = Ticks.Minus(_latest, disorder) + 1;"),
        new("late event does not raise the watermark before it", "src/IoT.Cep/Time/EventTimeOperator.cs",
            "if (i > pushed && watermark > _watermark)", "if (i < pushed && watermark > _watermark)"),
        new("window end inclusive", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "long last = EndOf(pane) - 1;", "long last = EndOf(pane);"),
        new("window fires one tick late", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "time == long.MaxValue || EndOf(_panes[0]) <= time", "time == long.MaxValue || EndOf(_panes[0]) < time"),
        new("late event counted twice", "src/IoT.Cep/Windows/TumblingOperator.cs",
            "Interlocked.Increment(ref Query.LateEvents);", "Interlocked.Add(ref Query.LateEvents, 2);"),
        new("window time before 1970 rounded to zero", "src/IoT.Cep/Events/Ticks.cs",
            "within < 0 ? within + size : within", "within"),
        new("lost timer of silence", "src/IoT.Cep/Absence/Silent.cs",
            "if (due > time)", "if (due >= time)"),
        new("late watermark inclusive", "src/IoT.Cep/Windows/TimeWindows.cs",
            "!MovesLate && ticks < EarliestStart", "!MovesLate && ticks <= EarliestStart"),
        new("event on the watermark taken for late", "src/IoT.Cep/Time/OrderedOperator.cs",
            "if (batch.Ticks[i] < _time)\n            {\n                Interlocked.Increment(ref Query.LateEvents);\n            }\n            else",
            "if (batch.Ticks[i] <= _time)\n            {\n                Interlocked.Increment(ref Query.LateEvents);\n            }\n            else"),
        new("sorting does not keep the order of ties", "src/IoT.Cep/Time/TimeHeap.cs",
            ": Arrival < other.Arrival", ": Arrival > other.Arrival"),
        new("straggler given out before the event of its time that came first", "src/IoT.Cep/Time/OrderBuffer.cs",
            "_run.Ticks[_start] <= _stragglers.FirstTicks", "_run.Ticks[_start] < _stragglers.FirstTicks"),
        new("event that comes when another is due replaces it", "src/IoT.Cep/Streams/HeldLatest.cs",
            "_latest.DueAt(index) <= ticks", "_latest.DueAt(index) < ticks"),
        new("held events lost in a restart", "src/IoT.Cep/Streams/HeldLatest.cs",
            "        _latest.Merge(loaded);\n", ""),
        new("key forgotten when the watermark says so", "src/IoT.Cep/Streams/KeyedStep.cs",
            "            Forget(ticks);\n", "            Forget(Watermark);\n"),
        new("duplicate remembered beyond its time", "src/IoT.Cep/Streams/Deduplicate.cs",
            "            Forget(ticks);\n", ""),
        new("reordered event on the watermark taken for late", "src/IoT.Cep/Streams/Reorder.cs",
            "if (ticks < _frontier)", "if (ticks <= _frontier)"),
        new("early release does not move time on", "src/IoT.Cep/Streams/Reorder.cs",
            "            base.Advance(_frontier);\n        }\n", "        }\n"),
        .. WindowFaults.All,
        .. AggregateFaults.All,
    ];
}
