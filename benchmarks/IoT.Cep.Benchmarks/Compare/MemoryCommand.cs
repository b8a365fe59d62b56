using System.Diagnostics;
using System.Globalization;
using IoT.Cep.Benchmarks.Workloads;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// The command <c>memory</c>: what is alive on the heap while queries run, after a full collection. Bytes of a key where a million have an open window;
/// keys that come once and never again, of which there must not be more held than have an open window; and a hundred million events of a thousand devices,
/// over which the heap must not grow.
/// </summary>
internal static class MemoryCommand
{
    internal const string Name = "memory";
    private const int Million = 1_000_000;
    private const int BatchEvents = 1_000;
    private const int OwnKeys = 10_000;

    /// <summary>What a run may hold more at its end than after its first tenth: room for a table that doubles once more, and no leak of a byte an event.</summary>
    private const long AllowedGrowth = 4 << 20;

    private static readonly (string Name, WindowSpec Window)[] _windows =
    [
        ("tumbling", Window.Tumbling(TimeSpan.FromSeconds(1))),
        ("hopping, 10 hops", Window.Hopping(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(0.1))),
        ("session", Window.Session(TimeSpan.FromSeconds(1))),
        ("sliding", Window.Sliding(TimeSpan.FromSeconds(1))),
    ];

    internal static async Task<int> RunAsync(string[] args)
    {
        if (args is [var what, var index])
        {
            return await MeasureAsync(what, int.Parse(index, CultureInfo.InvariantCulture));
        }

        Console.WriteLine("a million keys, each with one event in an open window; count, average, maximum: live bytes for each key");
        for (int i = 0; i < _windows.Length; i++)
        {
            Console.Write($"{_windows[i].Name,-18}");
            await InProcessAsync("numbers", i);
            await InProcessAsync("scattered", i);
            await InProcessAsync("texts", i);
            Console.WriteLine();
        }

        Console.WriteLine($"{OwnKeys:N0} keys with a time of their own, for which each has an operator of its own but for tumbling windows: live bytes for each key");
        for (int i = 0; i < _windows.Length; i++)
        {
            await InProcessAsync("own", i);
        }

        Console.WriteLine("ten million keys that come once each, 100,000 a second: live megabytes after each million");
        bool isBounded = true;
        for (int i = 0; i < _windows.Length; i++)
        {
            isBounded &= await InProcessAsync("once", i);
        }

        Console.WriteLine("a hundred million events of a thousand devices, a million a second: live megabytes after each ten million");
        for (int i = 0; i < _windows.Length; i++)
        {
            isBounded &= await InProcessAsync("long", i);
        }

        return isBounded ? 0 : 1;
    }

    /// <summary>Each in a process of its own: the shared pool would give one run the arrays of the last.</summary>
    private static async Task<bool> InProcessAsync(string what, int index)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Environment.ProcessPath!, [.. Assembly(), Name, what, index.ToString(CultureInfo.InvariantCulture)]))!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    /// <summary>What stands before this program's own arguments when it starts itself: its file, where the host is <c>dotnet</c>.</summary>
    internal static string[] Assembly() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(MemoryCommand).Assembly.Location] : [];

    private static async Task<int> MeasureAsync(string what, int index)
    {
        var (name, window) = _windows[index];
        switch (what)
        {
            case "numbers":
                Console.Write($" keys 0 to 999,999 {await BytesPerKeyAsync(window, static i => i),6:F1}  ");
                return 0;
            case "scattered":
                Console.Write($" scattered 64-bit numbers {await BytesPerKeyAsync(window, static i => Scattered(i)),6:F1}  ");
                return 0;
            case "texts":
                Console.Write($" texts (themselves not counted) {await BytesPerKeyAsync(window, Texts()),6:F1}");
                return 0;
            case "own":
                Console.WriteLine($"{name,-18} {await BytesPerKeyAsync(OwnKeys, Texts(), s => Rows(s.KeyBy(e => e.Key, maxKeys: Million).TimelinePerKey(), window)),8:F0}");
                return 0;
            case "once":
                return await IsSteadyAsync(name, Million, static i => Scattered(i), static i => i * 10L, s => Rows(s.KeyBy(e => e.Key), window)) ? 0 : 1;
            case "long":
                return await IsSteadyAsync(name, 10 * Million, static i => i % 1_000, static i => i, s => Rows(s.KeyBy(e => e.Key), window)) ? 0 : 1;
            default:
                throw new ArgumentException($"Unknown measurement '{what}'.", nameof(what));
        }
    }

    private static long Scattered(long i) => (long)new SplitMix64((ulong)i).Next();

    private static Func<long, string> Texts()
    {
        string[] texts = [.. Enumerable.Range(0, Million).Select(i => string.Create(CultureInfo.InvariantCulture, $"device-{i:D6}"))];
        return i => texts[i];
    }

    private static IEventStream<double> Rows<TKey>(IKeyedStream<TKey, Keyed<TKey>> events, WindowSpec window)
        where TKey : notnull => events.Window(window).Select(w => w.Count() + w.Average(e => e.Value) + w.Max(e => e.Value));

    private static async Task<double> BytesPerKeyAsync<TKey>(WindowSpec window, Func<long, TKey> keyOf)
        where TKey : notnull
    {
        return await BytesPerKeyAsync(Million, keyOf, s => Rows(s.KeyBy(e => e.Key, maxKeys: 2 * Million), window));
    }

    private static async Task<double> BytesPerKeyAsync<TKey>(int keys, Func<long, TKey> keyOf, Func<IEventStream<Keyed<TKey>>, IEventStream<double>> query)
        where TKey : notnull
    {
        var source = new Feed<TKey>(keys, keys, keyOf, static _ => 0);
        await RunAsync(source, query);
        return (source.Live[^1] - source.Before) / (double)keys;
    }

    private static async Task<bool> IsSteadyAsync(
        string name, int every, Func<long, long> keyOf, Func<long, long> microsOf, Func<IEventStream<Keyed<long>>, IEventStream<double>> query)
    {
        var source = new Feed<long>(10L * every, every, keyOf, microsOf);
        await RunAsync(source, query);
        long growth = source.Live[^1] - source.Live[0];
        Console.WriteLine($"{name,-18} {string.Join(" ", source.Live.Select(live => $"{(live - source.Before) / 1e6,6:F2}"))}{(growth > AllowedGrowth ? $"   GREW by {growth:N0} bytes" : "")}");
        return growth <= AllowedGrowth;
    }

    private static async Task RunAsync<TKey>(Feed<TKey> source, Func<IEventStream<Keyed<TKey>>, IEventStream<double>> query)
        where TKey : notnull
    {
        var sink = new Counter();
        await using var engine = new CepEngine(cep => query(cep.From(source)).To(sink));
        await engine.RunAsync();
        if (sink.Count == 0)
        {
            throw new InvalidOperationException("There was no result.");
        }
    }

    private readonly record struct Keyed<TKey>(TKey Key, double Value);

    /// <summary>Writes events that it makes as it goes, and looks at the heap after every so many.</summary>
    private sealed class Feed<TKey>(long count, int every, Func<long, TKey> keyOf, Func<long, long> microsOf) : ISource<Keyed<TKey>>
    {
        public string Name => "feed";

        public bool IsBounded => true;

        internal long Before { get; private set; }

        internal List<long> Live { get; } = [];

        public async Task RunAsync(SourceWriter<Keyed<TKey>> writer, ConnectionContext context, CancellationToken stop)
        {
            var events = new Keyed<TKey>[BatchEvents];
            long[] ticks = new long[BatchEvents];
            Before = GC.GetTotalMemory(forceFullCollection: true);
            for (long at = 0; at < count; at += BatchEvents)
            {
                for (int i = 0; i < BatchEvents; i++)
                {
                    events[i] = new Keyed<TKey>(keyOf(at + i), i);
                    ticks[i] = microsOf(at + i) * TimeSpan.TicksPerMicrosecond;
                }

                await writer.WriteAsync(events, ticks);
                if ((at + BatchEvents) % every == 0)
                {
                    Live.Add(GC.GetTotalMemory(forceFullCollection: true));
                }
            }
        }
    }

    private sealed class Counter : IInlineSink<double>
    {
        public string Name => "counter";

        internal long Count { get; private set; }

        public void Write(in Batch<double> batch) => Count += batch.Length;
    }
}
