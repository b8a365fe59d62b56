using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads a recorded file at the pace at which it was recorded, or a multiple of it: an event leaves when its time has come.</summary>
internal sealed class ReplaySource<T>(string path, Decoder<T> decoder, Func<T, DateTimeOffset> time, double speed, LineOptions options) : ISource<T>
{
    public string Name { get; } = "replay " + SafeText.Escape(Path.GetFileName(path));

    public bool IsBounded => true;

    public async Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(context);
        var lines = new LineTransport(Name, _ => new ValueTask<Stream>(File.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)), options);
        using var pacer = new Pacer(writer, decoder, time, speed, context.TimeProvider, stop);
        await lines.RunAsync(pacer, context, stop).ConfigureAwait(false);
    }

    private sealed class Pacer(SourceWriter<T> writer, Decoder<T> decoder, Func<T, DateTimeOffset> time, double speed, TimeProvider clock, CancellationToken stop)
        : IPayloadReceiver, IDisposable
    {
        // Timers are not more exact than that.
        private static readonly TimeSpan _shortestPause = TimeSpan.FromMilliseconds(1);

        private readonly EventBuffer<T> _decoded = new(new StringPool());
        private readonly IPayloadReceiver _letters = writer.Decode(decoder);
        private T[] _events = new T[16];
        private long _began;
        private DateTimeOffset? _first;

        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
        {
            _decoded.BeginMessage(payload.ReceivedTicks);
            decoder.Decode(in payload, _decoded);
            if (_decoded.Rejection is { } reason)
            {
                _letters.Reject(in payload, reason, _decoded.RejectionDetail);
                return ValueTask.CompletedTask;
            }

            int count = _decoded.Count;
            if (_events.Length < count)
            {
                _events = new T[count * 2];
            }

            _decoded.Events.CopyTo(_events);
            _decoded.Clear();
            return count == 0 ? ValueTask.CompletedTask : WriteAsync(count);
        }

        public void Reject(in Payload payload, DeadLetterReason reason, string detail) => _letters.Reject(in payload, reason, detail);

        public void CountDuplicate() => _letters.CountDuplicate();

        public void ConnectionChanged(bool connected, string? detail = null)
        {
            // A file that is there is always connected.
        }

        public void Dispose() => _decoded.Dispose();

        private async ValueTask WriteAsync(int count)
        {
            int written = 0;
            for (int i = 0; i < count; i++)
            {
                var pause = Pause(time(_events[i]));
                if (pause >= _shortestPause)
                {
                    await writer.WriteAsync(_events.AsMemory(written, i - written), default).ConfigureAwait(false);
                    written = i;
                    await Task.Delay(pause, clock, stop).ConfigureAwait(false);
                }
            }

            await writer.WriteAsync(_events.AsMemory(written, count - written), default).ConfigureAwait(false);
        }

        private TimeSpan Pause(DateTimeOffset at)
        {
            if (_first is not { } first)
            {
                (_first, _began) = (at, clock.GetTimestamp());
                return TimeSpan.Zero;
            }

            double due = (at - first).Ticks / speed;
            return due >= TimeSpan.MaxValue.Ticks ? TimeSpan.FromDays(49) : TimeSpan.FromTicks((long)due) - clock.GetElapsedTime(_began);
        }
    }
}
