using System.Text.Json.Serialization;

namespace IoT.Reference.Devices.Fleet;

/// <summary>What goes wrong with a device.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Fault>))]
public enum Fault
{
    None,

    /// <summary>The value creeps away, by two deviations a minute.</summary>
    Drift,

    /// <summary>Nothing comes.</summary>
    Silence,

    /// <summary>Each message comes twice.</summary>
    Duplicates,

    /// <summary>The clock is 90 s fast.</summary>
    SkewedClock,

    /// <summary>Readings are kept, and come all at once at the end.</summary>
    LateBurst,

    /// <summary>The machine runs hot: what an alert is for.</summary>
    Overheating,
}

/// <summary>The truth about a fault, to judge rules by.</summary>
public sealed record FaultLabel(string Device, Fault Fault, DateTimeOffset From, DateTimeOffset To);

/// <summary>When which device has which fault: the same for the same seed. Time is cut into periods of five minutes; a device with a fault has it for the middle three of one.</summary>
public sealed class FaultPlan(ulong seed, double share, DateTimeOffset start)
{
    /// <summary>How long a fault's period is.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan _margin = TimeSpan.FromMinutes(1);

    /// <summary>The fault that a device has at a time.</summary>
    /// <param name="index">The device's place in the fleet.</param>
    /// <param name="time">The true time.</param>
    public Fault At(int index, DateTimeOffset time)
    {
        long period = (time - start).Ticks / Period.Ticks;
        TimeSpan into = time - start - (period * Period);
        return time < start || into < _margin || into >= Period - _margin ? Fault.None : Of(index, period);
    }

    /// <summary>The truth about a device's faults between two times.</summary>
    public IEnumerable<FaultLabel> Labels(string device, int index, DateTimeOffset to)
    {
        long periods = (to - start).Ticks / Period.Ticks;
        for (long period = 0; period <= periods; period++)
        {
            if (Of(index, period) is not Fault.None and var fault)
            {
                DateTimeOffset begin = start + (period * Period);
                yield return new FaultLabel(device, fault, begin + _margin, begin + Period - _margin);
            }
        }
    }

    // Any period of any device can be asked for by itself: nothing is kept, however large the fleet and however long it runs.
    private Fault Of(int index, long period)
    {
        var random = new SplitMix64(seed ^ ((ulong)index * 0xD1B54A32D192ED03) ^ ((ulong)period * 0x8CB92BA72F3D8DD7));
        return random.NextDouble() >= share ? Fault.None : (Fault)(1 + (int)(random.NextDouble() * 6));
    }
}
