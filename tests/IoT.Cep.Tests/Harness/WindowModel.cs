using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A result of a window with all that is known of it.</summary>
internal readonly record struct WindowRow(char Key, long Start, long End, long Count, double Sum, double Max, Firing Firing, int Revision);

/// <summary>What windows are, as one would say it: the bounds of all windows over an instant, and the rest of their description.</summary>
internal sealed record WindowRules(Func<long, IEnumerable<(long Start, long End)>> Over)
{
    internal long Lateness { get; init; }

    internal int EveryEvents { get; init; }

    internal long EveryTicks { get; init; }

    internal bool Moves { get; init; }

    /// <summary>Whether a window with so many events has a result.</summary>
    internal Func<int, bool> Having { get; init; } = _ => true;
}

/// <summary>The slow and obvious reference of windows that follow from time alone: every window keeps its events in a list.</summary>
internal sealed class WindowModel(WindowRules rules)
{
    private readonly Dictionary<(string Key, long Start, long End), Entry> _entries = [];
    private long _watermark = long.MinValue;

    internal List<(WindowRow Row, EventKind Kind, WindowRow? Previous)> Results { get; } = [];

    internal int Late { get; private set; }

    internal int Moved { get; private set; }

    internal int Corrections { get; private set; }

    internal void Add(long ticks, Reading reading)
    {
        if (!Taking(ticks).Any())
        {
            if (!rules.Moves)
            {
                Late++;
                return;
            }

            Moved++;
            ticks = _watermark - rules.Lateness;
        }

        foreach (var (start, end) in Taking(ticks))
        {
            if (!_entries.TryGetValue((reading.Key, start, end), out var entry))
            {
                _entries.Add((reading.Key, start, end), entry = new Entry { Key = reading.Key[0], Start = start, End = end });
            }

            entry.Values.Add(reading.Value);
            entry.Pending++;
            if (end <= _watermark)
            {
                Corrections++;
                Give(entry, Firing.Late);
            }
            else if (rules.EveryEvents > 0 && entry.Pending >= rules.EveryEvents)
            {
                Give(entry, Firing.Early);
            }
        }
    }

    internal void Advance(long watermark)
    {
        foreach (var entry in _entries.Values)
        {
            if (entry.End > _watermark && entry.End <= watermark)
            {
                Give(entry, Firing.OnTime);
            }
            else if (entry.End > watermark && entry.Pending > 0 && rules.EveryTicks > 0 && IsEarlyDue(entry.Start, watermark))
            {
                Give(entry, Firing.Early);
            }
        }

        _watermark = watermark;
    }

    private bool IsEarlyDue(long start, long watermark)
    {
        for (long due = start + rules.EveryTicks; due <= watermark; due += rules.EveryTicks)
        {
            if (due > _watermark)
            {
                return true;
            }
        }

        return false;
    }

    private IEnumerable<(long Start, long End)> Taking(long ticks) => rules.Over(ticks).Where(w => w.End > _watermark || w.End + rules.Lateness > _watermark);

    private void Give(Entry entry, Firing firing)
    {
        entry.Pending = 0;
        var row = new WindowRow(entry.Key, entry.Start, entry.End, entry.Values.Count, entry.Values.Sum(), entry.Values.Max(), firing, entry.Revision);
        if (rules.Having(entry.Values.Count))
        {
            Results.Add((row, entry.Stands is null ? EventKind.Insert : EventKind.Update, entry.Stands));
            (entry.Stands, entry.Revision) = (row, entry.Revision + 1);
        }
        else if (entry.Stands is { } standing)
        {
            Results.Add((standing, EventKind.Retract, standing));
            (entry.Stands, entry.Revision) = (null, entry.Revision + 1);
        }
    }

    private sealed class Entry
    {
        internal char Key;
        internal long Start;
        internal long End;
        internal List<double> Values { get; } = [];
        internal int Pending;
        internal int Revision;
        internal WindowRow? Stands;
    }
}
