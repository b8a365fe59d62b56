using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Ingest;

/// <summary>What the bus brings, as streams. Two times of the same readings: the device's own, and that of arrival.</summary>
/// <param name="ByEventTime">
/// By the device's clock, for what is about when something was: windows and patterns. Give it <c>KeyBy(...).TimelinePerKey(...)</c>: then a clock that is wrong makes nobody else late.
/// </param>
/// <param name="Readings">By arrival, for what has to act at once and for what is about behaviour: rate, silence, jumps. Nothing waits for a clock here.</param>
internal sealed record BusStreams(
    IEventStream<Reading> ByEventTime, IEventStream<Reading> Readings, IEventStream<Noticed> Events, IEventStream<PresenceChange> Presence, IEventStream<Audited> Audit)
{
    /// <summary>How much a device's readings may be out of order.</summary>
    public required TimeSpan Disorder { get; init; }

    // Silence of a key is noticed by this; short, so that the last reading of a burst does not wait long.
    private static readonly TimeSpan _idle = TimeSpan.FromSeconds(1);

    // A device that is ahead of us by more is not believed at all: its readings become dead letters.
    private static readonly TimeSpan _maxFuture = TimeSpan.FromMinutes(10);

    /// <summary>Subscribes to the bus as the service that this layer is.</summary>
    public static BusStreams Subscribe(ICep cep, ReadingDecoder decoder, TimeSpan disorder)
    {
        var readings = cep.From(Mqtt.Subscribe(Topics.Telemetry, decoder), o => o.MaxBatchDelay = TimeSpan.FromMilliseconds(5));
        return new BusStreams(
            readings.WithEventTime(r => r.Time, disorder, _idle, _maxFuture),
            readings.WithArrivalTime(),
            cep.From(Mqtt.Subscribe(Topics.Events, Json.Decode<Noticed>())).WithArrivalTime(),
            cep.From(Mqtt.Subscribe(Topics.Presence, Json.Decode<PresenceChange>())).WithArrivalTime(),
            cep.From(Mqtt.Subscribe(Topics.Filter(Topics.Audit), Json.Decode<Audited>())).WithArrivalTime())
        {
            Disorder = disorder,
        };
    }

    /// <summary>Readings of one kind, each device by its own clock.</summary>
    public IKeyedStream<(string Device, string Name), Reading> OwnTime() =>
        ByEventTime.KeyBy(r => (r.Device, r.Name), whenFull: WhenKeysFull.Refuse).TimelinePerKey(Disorder, _idle);

    /// <summary>All readings of a device, each device by its own clock.</summary>
    public IKeyedStream<string, Reading> DeviceOwnTime(Func<Reading, bool> which) =>
        ByEventTime.Where(which).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse).TimelinePerKey(Disorder, _idle);
}
