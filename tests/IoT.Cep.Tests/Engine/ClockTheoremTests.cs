using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// The theorems of docs/time.md as properties: random delays within the disorder, silences, disconnections, pauses of the engine, one to three
/// partitions, under a driven clock. What happens is generated first, then played.
/// </summary>
public sealed class ClockTheoremTests
{
    private const double Tick = 0.1;
    private const double Idle = 5;

    [Property(MaxTest = 150)]
    public async Task Event_whose_delay_varies_by_at_most_the_disorder_is_never_late(int seed)
    {
        await using var world = new World(seed);
        await world.PlayAsync();
        Assert.Equal(0, Assert.Single(world.Engine.Sources).Late);
        Assert.Equal(0, world.Query.LateEvents);
        await world.Engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(world.Sent, world.Sink.Results.Sum(w => w.Count));
        Assert.Equal(world.Sink.Results.Count, world.Sink.Results.DistinctBy(w => w.End).Count());
    }

    [Property(MaxTest = 150)]
    public async Task Every_window_closes_once_connected_running_time_covers_its_remainder_the_disorder_and_the_idle_bound(int seed)
    {
        await using var world = new World(seed);
        await world.PlayAsync();

        // The remainder is measured from the slowest partition's latest event.
        double latest = Assert.Single(world.Engine.Sources).Partitions.Min(p => (p.LatestEventTime!.Value - DateTimeOffset.UnixEpoch).TotalSeconds);
        double needed = Math.Max(Idle, world.LastEnd - latest + world.Disorder);
        await world.SilenceAsync(needed + Tick);
        Assert.Equal(world.Sent, world.Sink.Results.Sum(w => w.Count));
        Assert.Equal(world.LastEnd, world.Sink.Results.Max(w => w.End));
    }

    [Property(MaxTest = 60)]
    public async Task No_window_closes_by_time_that_was_not_connected_and_running(int seed)
    {
        await using var world = new World(seed);
        await world.PlayAsync();
        await world.SilenceAsync(Idle + Tick);
        var before = Assert.Single(world.Engine.Sources).Watermark;
        await world.StandStillAsync(1000);
        Assert.Equal(before, Assert.Single(world.Engine.Sources).Watermark);
    }

    [Fact]
    public async Task Cases_that_the_theorems_speak_of_occur()
    {
        var seen = new Dictionary<string, int>();
        for (int seed = 0; seed < 100; seed++)
        {
            await using var world = new World(seed);
            await world.PlayAsync();
            foreach (string what in world.Happened)
            {
                seen[what] = seen.GetValueOrDefault(what) + 1;
            }
        }

        Assert.All(["disorder", "silence", "disconnection", "pause", "partitions", "idle"], what => Assert.True(seen.GetValueOrDefault(what) >= 10, $"{what}: {seen.GetValueOrDefault(what)} of 100"));
    }

    /// <summary>Devices, their network and an engine. Times are in tenths of a second, so that a look at the clock falls on each.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly FakeTimeProvider _clock = new(Time(1000));
        private readonly Random _random;
        private readonly ManualTransport[] _transports;
        private readonly Queue<(int Arrival, double Sent)>[] _underway;
        private readonly bool[] _connected;
        private readonly double _leastDelay;
        private readonly double[] _latest;
        private int _now;
        private bool _paused;

        internal World(int seed)
        {
            _random = new Random(seed);
            Disorder = _random.Next(0, 60) * Tick;
            _leastDelay = _random.Next(0, 100) * Tick;
            int partitions = _random.Next(1, 4);
            _transports = [.. Enumerable.Range(0, partitions).Select(_ => new ManualTransport())];
            _underway = [.. _transports.Select(_ => new Queue<(int, double)>())];
            _connected = new bool[partitions];
            _latest = [.. _transports.Select(_ => double.MinValue)];
            Engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock });
            var source = partitions == 1 ? _transports[0].ToSource() : Source.Partitioned("world", _transports.Select(t => t.ToSource()).ToArray());
            Query = Engine.From(source, o => o.MaxBatchDelay = TimeSpan.Zero)
                .WithEventTime(x => Time(x), Seconds(Disorder), idleAfter: Seconds(Idle))
                .Window(Window.Tumbling(Seconds(3))).Select(w => (SecondsAt(Ticks.From(w.End)), w.Count())).To(Sink);
        }

        internal CepEngine Engine { get; }

        internal Query Query { get; }

        internal Collecting<(double End, long Count)> Sink { get; } = new();

        internal HashSet<string> Happened { get; } = [];

        internal double Disorder { get; }

        internal long Sent { get; private set; }

        /// <summary>The end of the last window with an event.</summary>
        internal double LastEnd { get; private set; }

        public ValueTask DisposeAsync() => Engine.DisposeAsync();

        internal async Task PlayAsync()
        {
            await Engine.StartAsync();
            for (int p = 0; p < _transports.Length; p++)
            {
                await ConnectAsync(p, true);
                GenerateEvents(p);
            }

            Happened.Add(_transports.Length > 1 ? "partitions" : "one partition");
            while (_underway.Any(u => u.Count > 0) || _paused || _connected.Contains(false))
            {
                await StepAsync();
            }
        }

        /// <summary>Nothing comes for so long, connected and running, with stretches between that are not.</summary>
        internal async Task SilenceAsync(double seconds)
        {
            for (double rest = seconds; rest > 0; rest -= 1)
            {
                Advance((int)Math.Round(Math.Min(rest, 1) / Tick));
                await StandStillAsync(_random.Next(0, 30));
            }
        }

        /// <summary>Time passes in which the engine is paused, or no partition is connected.</summary>
        internal async Task StandStillAsync(double seconds)
        {
            bool pause = _random.Next(2) == 0;
            for (int p = 0; p < _transports.Length && !pause; p++)
            {
                await ConnectAsync(p, false);
            }

            if (pause)
            {
                Engine.Pause();
            }

            Advance((int)Math.Round(seconds / Tick));
            Engine.Resume();

            // The stretch in which running begins again does not count.
            Advance(pause ? 1 : 0);
            for (int p = 0; p < _transports.Length && !pause; p++)
            {
                await ConnectAsync(p, true);
            }
        }

        /// <summary>A device sends at random times; each event takes the least delay and up to the disorder more.</summary>
        private void GenerateEvents(int partition)
        {
            var events = new List<(int Arrival, double Sent)>();
            int at = _random.Next(0, 20);
            for (int i = _random.Next(5, 40); i > 0; i--)
            {
                double sent = 1000 + (at * Tick);
                int delay = (int)Math.Round((_leastDelay + (_random.NextDouble() * Disorder)) / Tick, MidpointRounding.ToZero);
                events.Add((at + Math.Max(delay, (int)Math.Round(_leastDelay / Tick)), sent));
                bool silence = _random.Next(8) == 0;
                at += silence ? _random.Next(50, 300) : _random.Next(0, 15);
                Happened.Add(silence ? "silence" : "traffic");
            }

            foreach (var one in events.OrderBy(e => e.Arrival))
            {
                _underway[partition].Enqueue(one);
            }
        }

        private async Task StepAsync()
        {
            await InterruptAsync();
            for (int p = 0; p < _transports.Length; p++)
            {
                while (_connected[p] && _underway[p].TryPeek(out var next) && next.Arrival <= _now)
                {
                    _underway[p].Dequeue();
                    Happened.Add(next.Sent < _latest[p] ? "disorder" : "order");
                    _latest[p] = Math.Max(_latest[p], next.Sent);
                    LastEnd = Math.Max(LastEnd, (Math.Floor(Math.Round(next.Sent, 1) / 3) + 1) * 3);
                    Sent++;
                    await _transports[p].SendAsync(FormattableString.Invariant($"{next.Sent:0.0}"));
                }
            }

            var before = Engine.Sources[0].Watermark;
            Advance(1);
            Happened.Add(Engine.Sources[0].Watermark > before ? "idle" : "busy");
            _now++;
        }

        /// <summary>
        /// Pauses of any length; a connection is lost for less than the idle bound where there are others, which would go on without it, and for any time
        /// where there are none. What a device could not send comes when it is connected again.
        /// </summary>
        private async Task InterruptAsync()
        {
            if (_random.Next(_paused ? 10 : 60) == 0)
            {
                _paused = !_paused;
                Happened.Add("pause");
                (_paused ? (Action)Engine.Pause : Engine.Resume)();
            }

            for (int p = 0; p < _transports.Length; p++)
            {
                int away = _transports.Length == 1 ? 100 : 1;
                if (_random.Next(_connected[p] ? 80 : away == 1 ? 2 : 30) == 0)
                {
                    Happened.Add("disconnection");
                    await ConnectAsync(p, !_connected[p]);
                }
            }
        }

        private async Task ConnectAsync(int partition, bool connected)
        {
            _connected[partition] = connected;
            await _transports[partition].ConnectAsync(connected);
        }

        private void Advance(int ticks)
        {
            for (; ticks > 0; ticks--)
            {
                _clock.Advance(Seconds(Tick));
            }
        }
    }
}
