using System.Text.Json;
using System.Text.Json.Nodes;

using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Contracts;

namespace IoT.Reference.Gateway;

/// <summary>A reading of a sensor, as far as the gateway's own rules look at it.</summary>
internal readonly record struct LocalReading(string Device, DateTimeOffset Time, double Celsius, Message Message);

/// <summary>What the gateway does by itself: it tells repeated frames, thins readings out, alerts and switches locally, and hands everything up in order of its time.</summary>
internal static class GatewayQueries
{
    /// <param name="frames">What the sensors sent, over every link.</param>
    /// <param name="options">Limits.</param>
    /// <param name="uplink">Where everything goes: keeps it while the uplink is cut.</param>
    /// <param name="toSensor">Sends a command at once, without the bus.</param>
    /// <param name="alerts">Told of each local alert.</param>
    public static void Declare(IEventStream<Message> frames, GatewayOptions options, ISink<Message> uplink, Action<Message> toSensor, Action<LocalReading> alerts)
    {
        // What comes later than the disorder has no place in the order any more, but must not be lost: it goes up behind the others.
        var once = frames.Reorder(out var late).KeyBy(m => m.Topic).Deduplicate(m => m.Header(Frame.Number) ?? "", options.RepeatsWithin, maxIds: 1_000_000);
        var readings = once.Where(m => m.Topic.StartsWith("t/", StringComparison.Ordinal) && Frame.Temperature(m) is not null)
            .Select(m => new LocalReading(Frame.DeviceOf(m), TimeOf(m), Frame.Temperature(m)!.Value, m))
            .KeyBy(r => r.Device);
        var others = once.Where(m => !m.Topic.StartsWith("t/", StringComparison.Ordinal) || Frame.Temperature(m) is null).Select(m => m);

        var hot = Pattern.Begin<LocalReading>(out var first, r => r.Celsius > options.Limit)
            .FollowedBy(out var second, (r, _) => r.Celsius > options.Limit)
            .Within(options.Within);
        var alarms = readings.Match(hot).Select(m => m[second]).KeyBy(r => r.Device).AtMostOncePer(options.Within);
        alarms.Subscribe(r =>
        {
            alerts(r);
            toSensor(Switch(r));
        });

        var moved = readings.DeadBand(r => r.Celsius, options.Band, options.AtLeastEvery).Select(r => r.Message);
        var told = alarms.Select(Event);
        var summary = readings.Select(r => r.Celsius).Window(Window.Tumbling(TimeSpan.FromMinutes(1)))
            .Select(w => new LocalSummary(w.End, w.Count(), w.Average(c => c), w.Max(c => c)))
            .Select(s => Summary(options.Id, s));
        moved.Union(others, told, summary, late).To(uplink, name: "uplink");
    }

    /// <summary>A frame's time: its own, or that of its arrival.</summary>
    public static DateTimeOffset TimeOf(Message message) => message.Sent ?? message.Received;

    // The gateway does not wait for anybody to cool a machine: the same command comes from above as well when there is an uplink, and is the same then.
    private static Message Switch(LocalReading reading)
    {
        var arguments = JsonSerializer.SerializeToElement(new JsonObject { ["output"] = "fan", ["value"] = 1 }, GatewayJson.Default.JsonObject);
        var command = new DeviceCommand(
            $"local-{reading.Device}-{reading.Time.ToUnixTimeMilliseconds()}", reading.Device, CommandNames.Set, arguments, reading.Time, reading.Time.AddMinutes(5));
        return new Message(Topics.Of(Topics.Commands, reading.Device), JsonSerializer.SerializeToUtf8Bytes(command, WireJson.Default.DeviceCommand));
    }

    private static Message Event(LocalReading reading)
    {
        var what = new DeviceEvent(DeviceEventKinds.LocalAlert, reading.Time, "hot twice", Value: reading.Celsius);
        return new Message(Topics.Of(Topics.Events, reading.Device), JsonSerializer.SerializeToUtf8Bytes(what, WireJson.Default.DeviceEvent))
        {
            ContentType = "application/json",
            Sent = reading.Time,
        };
    }

    private static Message Summary(string gateway, LocalSummary summary)
    {
        var values = new JsonObject
        {
            ["time"] = summary.End.ToUnixTimeSeconds(),
            ["readings"] = summary.Count,
            ["average"] = Math.Round(summary.Average, 3),
            ["max"] = summary.Max,
        };
        return new Message(Topics.Of(Topics.Telemetry, gateway), JsonSerializer.SerializeToUtf8Bytes(values, GatewayJson.Default.JsonObject))
        {
            ContentType = "application/json",
            Sent = summary.End,
        };
    }

    private readonly record struct LocalSummary(DateTimeOffset End, long Count, double Average, double Max);
}
