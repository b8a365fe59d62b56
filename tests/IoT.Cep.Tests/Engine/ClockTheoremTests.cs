using FsCheck.Xunit;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// The theorems of docs/time.md as properties: random delays within the disorder, silences, disconnections, pauses of the engine, backpressure, one to
/// three partitions or sources in a union of which one may never speak, each strategy, one shard or three, under a driven clock. What happens is generated first, then played.
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
        Assert.All(world.Engine.Sources, source => Assert.Equal(0, source.Late));
        Assert.Equal(0, world.Query.LateEvents);
        await world.Engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal(world.Sent, world.Sink.Results.Sum(w => w.Count));
        Assert.Equal(world.Sink.Results.Count, world.Sink.Results.DistinctBy(w => (w.End, w.Key)).Count());
    }

    [Property(MaxTest = 150)]
    public async Task Every_window_closes_once_connected_running_time_covers_its_remainder_the_disorder_and_the_idle_bound(int seed)
    {
        await using var world = new World(seed);
        await world.PlayAsync();

        await world.SilenceAsync(world.Needed + Tick);
        Assert.Equal(world.Sent, world.Sink.Results.Sum(w => w.Count));
        Assert.Equal(world.LastEnd, world.Sink.Results.Max(w => w.End));
    }

    [Property(MaxTest = 60)]
    public async Task Every_window_is_forgotten_once_that_time_covers_the_allowed_lateness_too(int seed)
    {
        await using var world = new World(seed, allowsLate: true);
        await world.PlayAsync();
        await world.SilenceAsync(world.Needed + Tick);
        var results = world.Sink.Results.ToArray();
        Assert.Equal(world.Sent, results.Sum(w => w.Count));
        await world.SendAsync(world.LastEnd - 1);
        Assert.Equal(1, world.Query.LateEvents);
        Assert.Equal(results, world.Sink.Results);
    }

    [Property(MaxTest = 60)]
    public async Task No_window_closes_by_time_that_was_not_connected_and_running(int seed)
    {
        await using var world = new World(seed);
        await world.PlayAsync();
        await world.SilenceAsync(Idle + Tick);
        var before = (world.Engine.Sources.Select(source => source.Watermark).ToArray(), world.Sink.Results.Count);
        await world.StandStillAsync(1000);
        var after = (world.Engine.Sources.Select(source => source.Watermark).ToArray(), world.Sink.Results.Count);
        Assert.Equivalent(before, after, strict: true);
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

        Assert.All(["disorder", "silence", "disconnection", "pause", "partitions", "union", "mute", "backpressure", "shards", "monotonic", "punctuated", "idle"], what => Assert.True(seen.GetValueOrDefault(what) >= 10, $"{what}: {seen.GetValueOrDefault(what)} of 100"));
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
        private readonly double _lateness;
        private readonly double _markerLag;
        private readonly bool _isUnion;
        private readonly int _shards;
        private readonly bool _hasMute;
        private readonly Room _room = new();
        private int _now;
        private bool _paused;

        internal World(int seed, bool allowsLate = false)
        {
            _random = new Random(seed);
            int strategy = _random.Next(4);
            Disorder = strategy == 0 ? 0 : _random.Next(0, 60) * Tick;
            _markerLag = strategy == 1 ? 1 : 0;
            _leastDelay = _random.Next(0, 100) * Tick;
            _lateness = allowsLate ? _random.Next(1, 200) * Tick : 0;
            int sources = _random.Next(1, 4);
            _isUnion = sources > 1 && _random.Next(2) == 0;
            _hasMute = sources > 1 && _random.Next(3) == 0;
            _shards = _random.Next(4) == 0 ? 3 : 1;
            _transports = [.. Enumerable.Range(0, sources).Select(_ => new ManualTransport())];
            _underway = [.. _transports.Select(_ => new Queue<(int, double)>())];
            _connected = new bool[sources];
            _latest = [.. _transports.Select(_ => double.MinValue)];
            Engine = new CepEngine(new CepEngineOptions { TimeProvider = _clock, Shards = _shards });
            Watermarks<double> watermarks = strategy switch
            {
                0 => Watermarks.Monotonic,
                1 => Watermarks.Punctuated((double x) => Time(Math.Floor(x) - Disorder)),
                _ => Watermarks.BoundedDisorder(Seconds(Disorder)),
            };
            WindowSpec windows = Window.Tumbling(Seconds(3));
            Query = Streams(watermarks).KeyBy(x => (int)Math.Round(x / Tick) % 4).Window(allowsLate ? windows.AllowLate(Seconds(_lateness)) : windows)
                .Select(w => (SecondsAt(Ticks.From(w.End)), w.Key, w.Count())).To(Sink);
            Happened.UnionWith([_isUnion ? "union" : sources > 1 ? "partitions" : "one", strategy switch { 0 => "monotonic", 1 => "punctuated", _ => "bounded" }]);
            Engine.Stages.Ingress.AddOutput(_room);
            Happened.Add(_hasMute ? "mute" : "all speak");
            Happened.Add(_shards > 1 ? "shards" : "one shard");
        }

        internal CepEngine Engine { get; }

        internal Query Query { get; }

        internal Collecting<(double End, int Key, long Count)> Sink { get; } = new(takesUpdates: true);

        internal HashSet<string> Happened { get; } = [];

        internal double Disorder { get; }

        internal long Sent { get; private set; }

        /// <summary>The end of the last window with an event.</summary>
        internal double LastEnd { get; private set; }

        /// <summary>How long all have to be silent: the remainder is measured from the slowest one's latest event.</summary>
        internal double Needed => Math.Max(Idle, LastEnd - _latest.Where(latest => latest > double.MinValue).Min() + Disorder + _markerLag + _lateness);

        public ValueTask DisposeAsync() => Engine.DisposeAsync();

        internal async Task PlayAsync()
        {
            await Engine.StartAsync();
            for (int p = 0; p < _transports.Length; p++)
            {
                await ConnectAsync(p, true);
                if (!_hasMute || p < _transports.Length - 1)
                {
                    GenerateEvents(p);
                }
            }

            while (_underway.Any(u => u.Count > 0) || _paused || !_room.HasRoom || _connected.Contains(false))
            {
                await StepAsync();
            }

            await SettleAsync();
        }

        internal async Task SendAsync(double sent)
        {
            await _transports[0].SendAsync(FormattableString.Invariant($"{sent:0.0}"));
            await SettleAsync();
        }

        /// <summary>Nothing comes for so long, connected and running, with stretches between that are not.</summary>
        internal async Task SilenceAsync(double seconds)
        {
            for (double rest = seconds; rest > 0; rest -= 1)
            {
                await AdvanceAsync((int)Math.Round(Math.Min(rest, 1) / Tick));
                await StandStillAsync(_random.Next(0, 30));
            }
        }

        /// <summary>Time passes in which the engine is paused, or the queries are full, or nothing is connected.</summary>
        internal async Task StandStillAsync(double seconds)
        {
            int how = _random.Next(3);
            await BeginAsync(how, false);
            await AdvanceAsync((int)Math.Round(seconds / Tick));
            await BeginAsync(how, true);

            // The stretch in which running begins again does not count.
            await AdvanceAsync(how == 2 ? 0 : 1);
        }

        private async Task BeginAsync(int how, bool runs)
        {
            switch (how)
            {
                case 0:
                    (runs ? (Action)Engine.Resume : Engine.Pause)();
                    break;
                case 1:
                    _room.HasRoom = runs;
                    break;
                default:
                    for (int p = 0; p < _transports.Length; p++)
                    {
                        await ConnectAsync(p, runs);
                    }

                    break;
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
            await AdvanceAsync(1);
            Happened.Add(Engine.Sources[0].Watermark > before ? "idle" : "busy");
            _now++;
        }

        /// <summary>
        /// Pauses and full queries of any length; a connection is lost for less than the idle bound where there are others, which would go on without it, and for any time
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

            if (_random.Next(_room.HasRoom ? 80 : 10) == 0)
            {
                _room.HasRoom = !_room.HasRoom;
                Happened.Add("backpressure");
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

        private async Task AdvanceAsync(int ticks)
        {
            for (; ticks > 0; ticks--)
            {
                _clock.Advance(Seconds(Tick));
                if (ticks % 16 == 1)
                {
                    await SettleAsync();
                }
            }
        }

        /// <summary>All that was sent has passed the shards and what gathers them: a full queue would hold the sources back, and time with them.</summary>
        private async Task SettleAsync()
        {
            foreach (var stage in Engine.Stages.Loops)
            {
                await stage.WaitUntilProcessedAsync().WaitAsync(Limit.Time);
            }
        }

        private IEventStream<double> Streams(Watermarks<double> watermarks)
        {
            var sources = _transports.Select(t => t.ToSource()).ToArray();
            var streams = (_isUnion ? sources : [sources.Length == 1 ? sources[0] : Source.Partitioned("world", sources)])
                .Select(source => Engine.From(source, o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => Time(x), watermarks, Seconds(Idle))).ToArray();
            return streams.Length == 1 ? streams[0] : streams[0].Union(streams[1..]);
        }

        /// <summary>What the queries feed, full when the test says so.</summary>
        private sealed class Room : IBounded
        {
            private readonly RoomSignal _signal = new();
            private bool _hasRoom = true;

            public bool HasRoom
            {
                get => Volatile.Read(ref _hasRoom);
                set
                {
                    Volatile.Write(ref _hasRoom, value);
                    _signal.Set();
                }
            }

            public Task WaitForRoomAsync(CancellationToken stop) => _signal.WaitAsync(() => HasRoom, stop);
        }
    }
}
