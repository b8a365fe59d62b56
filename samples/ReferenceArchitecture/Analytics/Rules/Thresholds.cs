using System.Text.Json;

namespace IoT.Reference.Analytics.Rules;

/// <summary>A number that a rule compares with. It may change at any moment: the rule reads it at each event, and keeps its state.</summary>
internal sealed class Threshold(string rule, string name, double value, double min, double max)
{
    private double _value = value;

    public string Rule => rule;

    public string Name => name;

    public double Min => min;

    public double Max => max;

    public double Value
    {
        get => Volatile.Read(ref _value);
        set => Volatile.Write(ref _value, value);
    }
}

/// <summary>The thresholds of all rules, changed while they run and kept over restarts.</summary>
internal sealed class Thresholds(Action<Threshold>? changed = null, IReadOnlyDictionary<(string Rule, string Name), double>? kept = null)
{
    private readonly Lock _gate = new();
    private readonly List<Threshold> _all = [];

    /// <summary>Makes a threshold known; what it was set to before the restart holds.</summary>
    public Threshold Declare(string rule, string name, double value, double min, double max)
    {
        double known = kept is not null && kept.TryGetValue((rule, name), out double set) && set >= min && set <= max ? set : value;
        var threshold = new Threshold(rule, name, known, min, max);
        lock (_gate)
        {
            _all.Add(threshold);
        }

        return threshold;
    }

    public IReadOnlyList<Threshold> Of(string rule)
    {
        lock (_gate)
        {
            return [.. _all.Where(t => t.Rule == rule)];
        }
    }

    /// <summary>Sets some of a rule's thresholds, or none of them.</summary>
    /// <returns>What is wrong; null: they are set.</returns>
    public string? Set(string rule, JsonElement values)
    {
        var known = Of(rule);
        if (known.Count == 0 || values.ValueKind != JsonValueKind.Object)
        {
            return known.Count == 0 ? "This query has no settings." : "Send an object: {\"limit\": 75}.";
        }

        var wanted = new List<(Threshold Threshold, double Value)>();
        foreach (var member in values.EnumerateObject())
        {
            if (known.FirstOrDefault(t => t.Name == member.Name) is not { } threshold)
            {
                return $"There is no such setting; there are: {string.Join(", ", known.Select(t => t.Name))}.";
            }

            if (member.Value.ValueKind != JsonValueKind.Number || !member.Value.TryGetDouble(out double value) || !(value >= threshold.Min && value <= threshold.Max))
            {
                return FormattableString.Invariant($"{threshold.Name} must be a number from {threshold.Min} to {threshold.Max}.");
            }

            wanted.Add((threshold, value));
        }

        foreach (var (threshold, value) in wanted)
        {
            threshold.Value = value;
            changed?.Invoke(threshold);
        }

        return null;
    }
}
