using System.Diagnostics;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>The figures of one workload; speeds in million events a second, the median of the runs.</summary>
internal sealed record Figures(string Workload, int Devices, Speed Cep, Speed? Peer, Speed Floor, double BytesPerEvent, double? PeerBytesPerEvent)
{
    internal double? RatioPeer => Peer is null ? null : Cep.PerCpuSecond / Peer.PerCpuSecond;

    internal double RatioFloor => Cep.PerCpuSecond / Floor.PerCpuSecond;

    internal string PeerName { get; init; } = "";

    internal string FloorName { get; init; } = "";

    /// <summary>What the query holds at its end; empty where that says nothing.</summary>
    internal string Held { get; init; } = "";

    /// <summary>Which results differ from the floor's.</summary>
    internal List<string> ResultErrors { get; init; } = [];

    /// <summary>What the hot path allocates too much; null where it does not.</summary>
    internal string? AllocationError { get; init; }
}

/// <summary>A speed by the clock, and by what the process used of its processors; least and most of the latter.</summary>
internal sealed record Speed(double PerSecond, double PerCpuSecond, double Least, double Most);

/// <summary>Runs a workload's contenders in turns, so that whatever else the machine does meets all of them.</summary>
internal static class Comparison
{
    // Code is compiled anew, with what was learned of it, after a few runs; before that, two processes would not agree.
    private const int WarmUps = 8;

    internal static async Task<Figures> RunAsync(Workload workload, int devices, int runs)
    {
        List<Contender> contenders = workload.Peer is null ? [workload.Cep, workload.Floor] : [workload.Cep, workload.Peer, workload.Floor];
        var errors = new List<string>();
        var floor = await WarmUpAsync(workload, contenders, errors);
        var times = contenders.ConvertAll(_ => new List<(double Wall, double Cpu)>());
        for (int run = 0; run < runs; run++)
        {
            for (int i = 0; i < contenders.Count; i++)
            {
                times[i].Add(await TimeAsync(contenders[i], workload.Count, floor, errors));
            }
        }

        var speeds = times.ConvertAll(runs => SpeedOf(runs, workload.Count));
        var (bytes, allowed) = await AllocatedPerEventAsync(workload.Cep, workload, floor);
        double? peerBytes = workload.Peer is null ? null : (await AllocatedPerEventAsync(workload.Peer, workload, floor)).Bytes;
        return new Figures(workload.Name, devices, speeds[0], workload.Peer is null ? null : speeds[1], speeds[^1], bytes, peerBytes)
        {
            PeerName = workload.Peer?.Name ?? "",
            FloorName = workload.Floor.Name,
            Held = await HeldAsync(workload.Cep, workload.Count),
            ResultErrors = errors,
            AllocationError = bytes > (allowed * 1.02) + 0.01 ? $"{bytes:F3} bytes allocated per event; {(allowed * 1.02) + 0.01:F3} are allowed." : null,
        };
    }

    private static async Task<Outcome> WarmUpAsync(Workload workload, List<Contender> contenders, List<string> errors)
    {
        Outcome floor;
        await using (var prepared = workload.Floor.Prepare(workload.Count))
        {
            floor = await prepared.RunAsync();
        }

        for (int i = 0; i < WarmUps; i++)
        {
            foreach (var contender in contenders)
            {
                await TimeAsync(contender, workload.Count, floor, errors);
            }
        }

        return floor;
    }

    private static async Task<(double Wall, double Cpu)> TimeAsync(Contender contender, int count, Outcome floor, List<string> errors)
    {
        await using var prepared = contender.Prepare(count);
        GC.Collect();
        var cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        var outcome = await prepared.RunAsync();
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double used = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
        if (!outcome.Agrees(floor))
        {
            errors.Add($"{contender.Name}: {outcome.Count} results with sum {outcome.Sum:R}; by hand {floor.Count} with {floor.Sum:R}.");
        }

        return (wall, used);
    }

    /// <summary>
    /// What the last events cost: a run over the first of them is subtracted from one over all, and with it the query's own objects and the growth of its
    /// tables to the number of devices.
    /// </summary>
    private static async Task<(double Bytes, double Allowed)> AllocatedPerEventAsync(Contender contender, Workload workload, Outcome floor)
    {
        int count = workload.Count;
        (double Bytes, double Allowed) least = (double.MaxValue, 0);
        foreach (int first in new[] { count / 5, count / 2, count / 5 * 4 })
        {
            // The least counts: the shared pool may let buffers go between two runs, and a run that finds none allocates them anew; and a table that holds
            // what came in the last second doubles once more when more came than ever before.
            long start = await AllocatedAsync(contender, Math.Max(1, first));
            long all = await AllocatedAsync(contender, count);
            double bytes = Math.Max(0, all - start) / (double)(count - first);
            if (bytes < least.Bytes)
            {
                await using var prepared = workload.Floor.Prepare(Math.Max(1, first));
                double allowed = workload.AllowedBytes is null ? 0 : workload.AllowedBytes(floor) - workload.AllowedBytes(await prepared.RunAsync());
                least = (bytes, allowed / (count - first));
            }
        }

        return least;
    }

    private static async Task<string> HeldAsync(Contender contender, int count)
    {
        await using var prepared = contender.Prepare(count);
        await prepared.RunAsync();
        return prepared.Held;
    }

    private static async Task<long> AllocatedAsync(Contender contender, int count)
    {
        await using var prepared = contender.Prepare(count);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        await prepared.RunAsync();
        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    private static Speed SpeedOf(List<(double Wall, double Cpu)> runs, int count)
    {
        double millions = count / 1e6;
        return new Speed(
            millions / Median(runs.ConvertAll(r => r.Wall)), millions / Median(runs.ConvertAll(r => r.Cpu)),
            millions / runs.Max(r => r.Cpu), millions / runs.Min(r => r.Cpu));
    }

    internal static double Median(List<double> values)
    {
        values.Sort();
        int half = values.Count / 2;
        return values.Count % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
}
