namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>The event of the workloads: 24 bytes.</summary>
internal struct Reading
{
    /// <summary>The time in microseconds.</summary>
    internal long Ts;

    internal double Value;
    internal int DeviceId;
    internal int Kind;
}

/// <summary>Events in order of time, the same for the same arguments on every machine.</summary>
/// <param name="Events">The events.</param>
/// <param name="Ticks">Their times in 100 ns ticks.</param>
/// <param name="Devices">How many devices send.</param>
internal sealed record ReadingData(Reading[] Events, long[] Ticks, int Devices)
{
    /// <summary>A million events a second, times cut to the millisecond.</summary>
    internal static ReadingData MillionPerSecond(int count, int devices) => Make(count, devices, i => i / 1_000 * 1_000);

    /// <summary>A hundred thousand events a second, none at the time of another.</summary>
    internal static ReadingData HundredThousandPerSecond(int count, int devices) => Make(count, devices, i => i * 10L);

    /// <summary>Ten events a second for each device; below 100,000 devices no two events have the same time.</summary>
    internal static ReadingData TenPerSecondAndDevice(int count, int devices) => Make(count, devices, i => i * 100_000L / devices);

    private static ReadingData Make(int count, int devices, Func<long, long> timeOf)
    {
        var random = new SplitMix64(0x9E3779B97F4A7C15);
        var events = new Reading[count];
        long[] ticks = new long[count];
        for (int i = 0; i < count; i++)
        {
            ulong device = random.Next(), value = random.Next();
            events[i] = new Reading
            {
                Ts = timeOf(i),
                DeviceId = (int)((device >> 32) * (ulong)devices >> 32),
                Kind = (int)(device & 3),
                Value = (value >> 11) * (1.0 / (1UL << 53)) * 100.0,
            };
            ticks[i] = events[i].Ts * TimeSpan.TicksPerMicrosecond;
        }

        return new ReadingData(events, ticks, devices);
    }
}

/// <summary>Steele, Lea and Flood's generator: small, fast, and the same everywhere.</summary>
internal struct SplitMix64(ulong seed)
{
    internal ulong Next()
    {
        ulong z = seed += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
