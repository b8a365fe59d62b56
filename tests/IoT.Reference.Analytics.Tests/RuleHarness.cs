using IoT.Cep;
using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Analytics.Storage;

namespace IoT.Reference.Analytics.Tests;

/// <summary>Runs rules and storage over events in memory, whose times are those of arrival as well: no clock, no network.</summary>
internal sealed class RuleHarness
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly List<Reading> _readings = [];
    private readonly List<Noticed> _events = [];
    private readonly List<PresenceChange> _presence = [];
    private readonly List<Audited> _audit = [];

    public Thresholds Thresholds { get; } = new();

    public DeviceDirectory Devices { get; } = new(null, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    public IReadOnlyList<Reading> Readings => _readings;

    public RuleHarness Read(double seconds, double value, string device = "dev1", string name = "temperature")
    {
        var time = Start.AddSeconds(seconds);
        _readings.Add(new Reading(time, device, name, value, null, time, _readings.Count + 1));
        return this;
    }

    public RuleHarness Notice(double seconds, string kind, string device = "dev1", string? destination = null, int? port = null, double? latitude = null, double? longitude = null)
    {
        var time = Start.AddSeconds(seconds);
        _events.Add(new Noticed(time, device, kind, time, null, destination, port, latitude, longitude));
        return this;
    }

    public RuleHarness Lose(double seconds, string device = "dev1")
    {
        _presence.Add(new PresenceChange(Start.AddSeconds(seconds), device, false, Start.AddSeconds(seconds)));
        return this;
    }

    public RuleHarness Refuse(double seconds, string subject, string layer = "bus")
    {
        _audit.Add(new Audited(Start.AddSeconds(seconds), layer, subject, "connect", "bus", "refused", Start.AddSeconds(seconds)));
        return this;
    }

    /// <summary>What the rule says, in order.</summary>
    public async Task<IReadOnlyList<Signal>> SignalsAsync(Action<RuleContext> rule, int shards = 1)
    {
        var signals = new List<Signal>();
        var engine = await RunAsync(
            bus => rule(new RuleContext(bus, Thresholds, Devices, name => new StoreSink<Signal>(name, batch =>
            {
                lock (signals)
                {
                    signals.AddRange(batch.Span);
                }
            }))),
            shards);
        await using (engine)
        {
            Assert.All(engine.Queries, q => Assert.Equal((QueryState.Completed, 0), (q.State, q.SkippedEvents)));
        }

        return signals;
    }

    public async Task<CepEngine> RunAsync(Action<BusStreams> declare, int shards = 1)
    {
        var engine = new CepEngine(new CepEngineOptions { Shards = shards });
        var readings = Memory(engine, _readings, r => r.Arrived);
        declare(new BusStreams(
            readings.WithEventTime(r => r.Time), readings.WithEventTime(r => r.Arrived), Memory(engine, _events, e => e.Arrived).WithEventTime(e => e.Arrived),
            Memory(engine, _presence, p => p.Arrived).WithEventTime(p => p.Arrived), Memory(engine, _audit, a => a.Arrived).WithEventTime(a => a.Arrived))
        {
            Disorder = TimeSpan.Zero,
        });
        await engine.RunAsync();
        return engine;
    }

    private static IEventStream<T> Memory<T>(CepEngine engine, List<T> events, Func<T, DateTimeOffset> arrived)
    {
        T[] inOrder = [.. events.OrderBy(arrived)];
        return engine.From(Source.FromMemory<T>(inOrder, inOrder.Select(e => arrived(e).UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks).ToArray()));
    }
}
