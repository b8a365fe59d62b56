using System.Buffers;
using System.Text.Json;
using IoT.Cep;
using IoT.Cep.Extensibility;

namespace Listener;

/// <summary>Where values and dead letters go. What a device sent is acknowledged to it when it has been shown.</summary>
public sealed class Output(bool writesLines, long? count, Action enough)
{
    // More than a screen holds; beyond it the one that was quiet for longest makes room.
    private const int MostLatest = 500;

    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Stream _lines = Console.OpenStandardOutput();
    private readonly Dictionary<(string Transport, string Sensor, string Name), Seen> _latest = [];
    private readonly Dictionary<string, string> _transports = [];
    private long _written;

    public long Values { get; private set; }

    public long DeadLetters { get; private set; }

    public string? LastDeadLetter { get; private set; }

    /// <summary>A sink for the values of a source.</summary>
    public ISink<Measurement> ValuesOf(string transport, string source)
    {
        _transports[source] = transport;
        return new Sink<Measurement>("values of " + transport, m => Write(transport, in m), this);
    }

    public ISink<DeadLetter> Letters() => new Sink<DeadLetter>("dead letters", Write, this);

    /// <summary>The latest values, the newest first.</summary>
    public IReadOnlyList<Seen> Latest(int most)
    {
        lock (_gate)
        {
            return [.. _latest.Values.OrderByDescending(s => s.Order).Take(most)];
        }
    }

    private static void WriteMeasurement(Utf8JsonWriter json, string transport, in Measurement m)
    {
        json.WriteStartObject();
        json.WriteString("transport", transport);
        json.WriteString("resource", m.Topic);
        json.WriteString("sensor", m.Sensor);
        json.WriteString("name", m.Name);
        json.WriteString("time", m.Time.UtcDateTime);
        if (m.Number is { } number)
        {
            json.WriteNumber("value", number);
        }
        else if (m.Boolean is { } boolean)
        {
            json.WriteBoolean("value", boolean);
        }
        else
        {
            json.WriteString("value", m.Text);
        }

        if (m.Unit is not null)
        {
            json.WriteString("unit", m.Unit);
        }

        json.WriteEndObject();
    }

    private bool Write(string transport, in Measurement m)
    {
        lock (_gate)
        {
            if (_written == count)
            {
                return false;
            }

            Values++;
            if (!writesLines)
            {
                Remember(transport, in m);
                return Done();
            }

            using (var json = new Utf8JsonWriter(_bytes))
            {
                WriteMeasurement(json, transport, in m);
            }

            return Done();
        }
    }

    private bool Write(DeadLetter letter)
    {
        lock (_gate)
        {
            if (_written == count)
            {
                return false;
            }

            DeadLetters++;
            LastDeadLetter = $"{letter.Reason} {letter.Topic}: {letter.Detail}";
            if (!writesLines)
            {
                return Done();
            }

            using (var json = new Utf8JsonWriter(_bytes))
            {
                json.WriteStartObject();
                json.WriteStartObject("deadLetter");
                json.WriteString("transport", _transports.GetValueOrDefault(letter.Source, letter.Source));
                json.WriteString("resource", letter.Topic);
                json.WriteString("reason", letter.Reason.ToString());
                json.WriteString("detail", letter.Detail);
                json.WriteString("payload", letter.Prefix);
                json.WriteString("time", letter.Time.UtcDateTime);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            return Done();
        }
    }

    private bool Done()
    {
        if (writesLines)
        {
            _bytes.Write("\n"u8);
        }

        if (++_written == count)
        {
            enough();
        }

        return true;
    }

    private void Remember(string transport, in Measurement m)
    {
        var key = (transport, m.Sensor, m.Name);
        if (_latest.Count >= MostLatest && !_latest.ContainsKey(key))
        {
            _latest.Remove(_latest.MinBy(s => s.Value.Order).Key);
        }

        long times = _latest.TryGetValue(key, out var seen) ? seen.Times + 1 : 1;
        _latest[key] = new Seen(transport, m, times, _written);
    }

    private async ValueTask FlushAsync(CancellationToken stop)
    {
        byte[] bytes;
        lock (_gate)
        {
            bytes = _bytes.WrittenSpan.ToArray();
            _bytes.ResetWrittenCount();
            if (bytes.Length == 0)
            {
                return;
            }
        }

        await _lines.WriteAsync(bytes, stop);
        await _lines.FlushAsync(stop);
    }

    /// <summary>A sensor's latest value.</summary>
    public sealed record Seen(string Transport, Measurement Latest, long Times, long Order);

    private sealed class Sink<T>(string name, Func<T, bool> write, Output output) : IAsyncSink<T>
    {
        public string Name => name;

        public bool IsDurable => true;

        public bool UsesIdentity => false;

        public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => ValueTask.CompletedTask;

        public ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
        {
            for (int i = 0; i < batch.Length && write(batch.Events.Span[i]); i++)
            {
                batch.MarkWritten(i);
            }

            return output.FlushAsync(stop);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
