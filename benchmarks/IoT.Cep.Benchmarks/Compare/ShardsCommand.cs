using System.Diagnostics;
using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// The command <c>shards</c>: W2 on one shard, on two whose events were parted by key beforehand, and on two behind the exchange, in turns; and the
/// hand-written loop on one thread and on two, which says what the machine's second core is worth where both read memory as fast as they can.
/// </summary>
internal static class ShardsCommand
{
    internal const string Name = "shards";
    private const int Events = 60_000_000;
    private const int Devices = 1_000;
    private const int WarmUps = 4;
    private const int Runs = 5;

    internal static async Task<int> RunAsync()
    {
        var data = ReadingData.MillionPerSecond(Events, Devices);
        ReadingData[] halves = [Part(data, 0), Part(data, 1)];
        var one = new List<(double Wall, double Cpu)>();
        var parted = new List<(double Wall, double Cpu)>();
        var exchanged = new List<(double Wall, double Cpu)>();
        var hand = new List<(double Wall, double Cpu)>();
        var hands = new List<(double Wall, double Cpu)>();
        var expected = default(Outcome);
        bool isRight = true;
        for (int run = -WarmUps; run < Runs; run++)
        {
            foreach (var (times, ways) in new[] { (one, new[] { (data, 1) }), (parted, [(halves[0], 1), (halves[1], 1)]), (exchanged, [(data, 2)]) })
            {
                var (outcome, wall, cpu) = await RunAsync(ways);
                expected = times == one ? outcome : expected;
                isRight &= outcome.Agrees(expected);
                Keep(times, (wall, cpu), run);
            }

            Keep(hand, await ByHandAsync([data]), run);
            Keep(hands, await ByHandAsync(halves), run);
        }

        double oneWall = Wall(one), oneCpu = Cpu(one);
        Console.WriteLine($"W2, {Events:N0} events, {Devices:N0} devices, median of {Runs} runs in turns, million events a second by the clock");
        Console.WriteLine($"one shard                     {Events / 1e6 / oneWall,8:F1}");
        Console.WriteLine($"two shards, parted beforehand {Events / 1e6 / Wall(parted),8:F1}   {oneWall / Wall(parted):F2} times one");
        Console.WriteLine($"two shards behind an exchange {Events / 1e6 / Wall(exchanged),8:F1}   {oneWall / Wall(exchanged):F2} times one, {(Cpu(exchanged) - oneCpu) * 1e9 / Events:F1} ns of processor more for each event");
        Console.WriteLine($"by hand, one thread           {Events / 1e6 / Wall(hand),8:F1}");
        Console.WriteLine($"by hand, two threads          {Events / 1e6 / Wall(hands),8:F1}   {Wall(hand) / Wall(hands):F2} times one");
        if (!isRight)
        {
            Console.WriteLine("WRONG: the results differ.");
        }

        return isRight ? 0 : 1;
    }

    private static void Keep(List<(double Wall, double Cpu)> times, (double Wall, double Cpu) time, int run)
    {
        if (run >= 0)
        {
            times.Add(time);
        }
    }

    /// <summary>The hand-written loop over each part on a thread of its own.</summary>
    private static async Task<(double Wall, double Cpu)> ByHandAsync(ReadingData[] parts)
    {
        GC.Collect();
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(parts.Select(part => Task.Run(() => TumblingWindow.Hand(part.Events, part.Devices))));
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, 0);
    }

    private static double Wall(List<(double Wall, double Cpu)> times) => Comparison.Median(times.ConvertAll(t => t.Wall));

    private static double Cpu(List<(double Wall, double Cpu)> times) => Comparison.Median(times.ConvertAll(t => t.Cpu));

    private static ReadingData Part(ReadingData data, int part)
    {
        int[] mine = [.. Enumerable.Range(0, data.Events.Length).Where(i => data.Events[i].DeviceId % 2 == part)];
        return new ReadingData(Array.ConvertAll(mine, i => data.Events[i]), Array.ConvertAll(mine, i => data.Ticks[i]), data.Devices);
    }

    /// <summary>Runs engines beside each other, each on a thread of its own, and adds up what they gave.</summary>
    private static async Task<(Outcome Outcome, double Wall, double Cpu)> RunAsync((ReadingData Data, int Shards)[] ways)
    {
        var sinks = ways.Select(_ => new TumblingWindow.Sink()).ToArray();
        var engines = ways.Zip(sinks).Select(pair => new CepEngine(
            cep => TumblingWindow.Query(cep.From(Source.FromMemory<Reading>(pair.First.Data.Events, pair.First.Data.Ticks))).To(pair.Second),
            new CepEngineOptions { Shards = pair.First.Shards })).ToArray();
        GC.Collect();
        var cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(engines.Select(engine => Task.Run(() => engine.RunAsync())));
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double used = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
        foreach (var engine in engines)
        {
            await engine.DisposeAsync();
        }

        return (new Outcome(sinks.Sum(sink => sink.Count), sinks.Sum(sink => sink.Sum)), wall, used);
    }
}
