using IoT.Reference.Analytics.Rules;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Commands;

/// <summary>What the interlock says.</summary>
internal enum Verdict
{
    Send,

    /// <summary>It would be sent, but simulation is on.</summary>
    Simulate,

    /// <summary>A second rule must want it too.</summary>
    Wait,
    Refuse,
}

/// <summary>What the interlock says of a wish, and why.</summary>
internal readonly record struct InterlockAnswer(Verdict Verdict, string Reason);

/// <summary>
/// Stands between rules and actuators: no rule, whatever is wrong with it or with the data it sees, sends what is out of bounds, too often, or too late. What it does not know it refuses.
/// </summary>
internal sealed class Interlock(InterlockSettings settings, TimeProvider clock)
{
    /// <summary>The name of this layer in audits.</summary>
    public const string Layer = "analytics";

    private const int MaxDevices = 100_000;

    private static readonly TimeSpan _together = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (double Tokens, long At)> _rates = [];
    private readonly Dictionary<(string Device, string Output, double Value), (string Rule, long At)> _wishes = [];
    private InterlockSettings _settings = settings;

    /// <summary>What holds where nobody said anything else: a fan, on or off.</summary>
    public static InterlockSettings Default { get; } =
        new(new Dictionary<string, OutputLimits> { [Overheating.Fan] = new(0, 1) }, CommandsPerMinute: 6, TimeToLive: TimeSpan.FromMinutes(1));

    public InterlockSettings Settings
    {
        get => Volatile.Read(ref _settings);
        set => Volatile.Write(ref _settings, value);
    }

    /// <summary>What is wrong with settings; null: nothing.</summary>
    public static string? Check(InterlockSettings settings)
    {
        if (settings.Outputs is null || settings.Outputs.Count > 1_000)
        {
            return "outputs: name the bounds of each output, at most 1,000.";
        }

        if (settings.Outputs.FirstOrDefault(o => o.Value is null || o.Key.Length is 0 or > 64 || !double.IsFinite(o.Value.Min) || !double.IsFinite(o.Value.Max) || o.Value.Min > o.Value.Max) is { Key: not null })
        {
            return "outputs: an output has a name of at most 64 characters, and min is not above max.";
        }

        if (settings.CommandsPerMinute is not (>= 0 and <= 6_000))
        {
            return "commandsPerMinute: 0 to 6,000.";
        }

        return settings.TimeToLive is { } live && (live <= TimeSpan.Zero || live > TimeSpan.FromHours(24)) ? "timeToLive: more than nothing, at most a day." : null;
    }

    public InterlockAnswer Ask(CommandWish wish)
    {
        var settings = Settings;
        var now = clock.GetUtcNow();
        if (!settings.Outputs.TryGetValue(wish.Output, out var limits))
        {
            return new(Verdict.Refuse, "there is no such output");
        }

        if (!(wish.Value >= limits.Min && wish.Value <= limits.Max))
        {
            return new(Verdict.Refuse, FormattableString.Invariant($"{wish.Value} is out of bounds, {limits.Min} to {limits.Max}"));
        }

        if (settings.TimeToLive is { } live && now - wish.Time > live)
        {
            return new(Verdict.Refuse, "too late: what led to it is older than a command may be");
        }

        lock (_gate)
        {
            if (limits.NeedsTwo && !IsWantedByTwo(wish, now.UtcTicks))
            {
                return new(Verdict.Wait, "a second rule must want it within a minute");
            }

            if (!TakeToken(wish.Device, settings.CommandsPerMinute, now.UtcTicks))
            {
                return new(Verdict.Refuse, FormattableString.Invariant($"more than {settings.CommandsPerMinute} commands a minute"));
            }
        }

        return settings.IsSimulation ? new(Verdict.Simulate, "simulation is on") : new(Verdict.Send, "");
    }

    private bool IsWantedByTwo(CommandWish wish, long now)
    {
        var key = (wish.Device, wish.Output, wish.Value);
        if (_wishes.TryGetValue(key, out var first) && first.Rule != wish.Rule && now - first.At <= _together.Ticks)
        {
            _wishes.Remove(key);
            return true;
        }

        Bound(_wishes, w => now - w.At > _together.Ticks);
        _wishes[key] = (wish.Rule, now);
        return false;
    }

    // A bucket of a minute's commands that fills evenly.
    private bool TakeToken(string device, double perMinute, long now)
    {
        var (tokens, at) = _rates.TryGetValue(device, out var bucket) ? bucket : (perMinute, now);
        tokens = Math.Min(perMinute, tokens + ((now - at) * perMinute / TimeSpan.TicksPerMinute));
        bool isThere = tokens >= 1;
        Bound(_rates, b => now - b.At > TimeSpan.TicksPerMinute);
        _rates[device] = (isThere ? tokens - 1 : tokens, now);
        return isThere;
    }

    // What is over is let go when it becomes many; if all of it holds, all is let go: an attack then costs the memory of it, and no more.
    private static void Bound<TKey, TValue>(Dictionary<TKey, TValue> map, Func<TValue, bool> isOver)
        where TKey : notnull
    {
        if (map.Count < MaxDevices)
        {
            return;
        }

        foreach (var (key, value) in map)
        {
            if (isOver(value))
            {
                map.Remove(key);
            }
        }

        if (map.Count >= MaxDevices)
        {
            map.Clear();
        }
    }
}
