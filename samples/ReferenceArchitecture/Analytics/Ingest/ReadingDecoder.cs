using System.Diagnostics;

using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

namespace IoT.Reference.Analytics.Ingest;

/// <summary>
/// Takes the numbers out of whatever a device sends: JSON, SenML, CBOR, a plain value. The device is the topic's, which the bus has checked, and never the body's. A reading that came before
/// is left out: devices repeat a message until it is acknowledged. The value is part of what makes it the same, since two readings without a time of their own may arrive at one instant.
/// </summary>
internal sealed class ReadingDecoder : Decoder<Reading>, IDisposable
{
    /// <summary>How many readings are remembered to know them again: some minutes of ten thousand devices.</summary>
    internal const int RememberedReadings = 262_144;

    /// <summary>The longest name of a measure: beyond it, somebody sends what is no name.</summary>
    internal const int MaxNameLength = 64;

    private static readonly string _prefix = Topics.Telemetry[..Topics.Telemetry.IndexOf('{', StringComparison.Ordinal)];

    private readonly Decoder<Measurement> _inner = Measurements.Decode();
    private readonly EventBuffer<Measurement> _found = new(new StringPool());
    private readonly HashSet<(string Device, string Name, long Ticks, double Value)> _seen = [];
    private readonly Queue<(string Device, string Name, long Ticks, double Value)> _order = new();
    private long _duplicates;
    private long _sequence;

    public long Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>The last reading that was taken.</summary>
    public long Sequence => Volatile.Read(ref _sequence);

    public override void Decode(in Payload payload, EventBuffer<Reading> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (!payload.Topic.StartsWith(_prefix, StringComparison.Ordinal) || !DeviceIds.IsValid(payload.Topic.AsSpan(_prefix.Length)))
        {
            output.Reject(DeadLetterReason.WrongType, "device: the topic names none");
            return;
        }

        _found.BeginMessage(output.ReceivedTicks);
        _inner.Decode(in payload, _found);
        if (_found.Rejection is { } reason)
        {
            output.Reject(reason, _found.RejectionDetail);
        }
        else
        {
            Take(payload.Topic[_prefix.Length..], payload.Headers.Find("traceparent"), output);
        }

        _found.Clear();
    }

    public void Dispose() => _found.Dispose();

    private void Take(string device, string? trace, EventBuffer<Reading> output)
    {
        // One span for the message, and only where its sender began a trace: a span for each reading of a fleet would be most of the work.
        using Activity? span = trace is null ? null : ReferenceTelemetry.Continue("analytics ingest", ActivityKind.Consumer, trace);
        span?.SetTag("device", device);
        var arrived = new DateTimeOffset(DateTimeOffset.UnixEpoch.Ticks + output.ReceivedTicks, TimeSpan.Zero);
        foreach (var one in _found.Events)
        {
            double? value = one.Number ?? (one.Boolean is { } isTrue ? isTrue ? 1 : 0 : null);
            if (value is not { } number || !double.IsFinite(number) || one.Name.Length > MaxNameLength)
            {
                continue;
            }

            if (IsNew((device, one.Name, one.Time.UtcTicks, number)))
            {
                output.Add(new Reading(one.Time, device, one.Name, number, span?.Id ?? trace, arrived, ++_sequence));
            }
            else
            {
                Interlocked.Increment(ref _duplicates);
            }
        }
    }

    private bool IsNew((string Device, string Name, long Ticks, double Value) id)
    {
        if (!_seen.Add(id))
        {
            return false;
        }

        _order.Enqueue(id);
        if (_order.Count > RememberedReadings)
        {
            _seen.Remove(_order.Dequeue());
        }

        return true;
    }
}
