using IoT.Reference.Analytics.Rules;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

using Microsoft.Data.Sqlite;

namespace IoT.Reference.Analytics.Alerts;

/// <summary>
/// The alerts. Of a device and a rule at most one is open: what a rule says again while it is, is the same alert. Open ones are in memory and in the store, others only there.
/// </summary>
internal sealed class AlertBook
{
    /// <summary>How many may be open; one more is not raised, and counted: who floods the rules must not fill the memory.</summary>
    internal const int MaxOpen = 50_000;

    private readonly Store _store;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _escalateAfter;
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Device, string Rule), Open> _open = [];
    private long _dropped;

    public AlertBook(Store store, TimeProvider clock, TimeSpan escalateAfter)
    {
        (_store, _clock, _escalateAfter) = (store, clock, escalateAfter);
        foreach (var (alert, ends) in store.Read(c => c.Rows(row => (Read(row), row.IsDBNull(11) ? (long?)null : row.GetInt64(11)), "SELECT * FROM alerts WHERE state <> 3")))
        {
            _open[(alert.Device, alert.Rule)] = new Open(alert, ends);
        }
    }

    /// <summary>Told of each alert that changed, after it is stored. Must not block.</summary>
    public event Action<AlertRecord>? Changed;

    /// <summary>Signals that must not become alerts: of devices that were erased.</summary>
    public Func<Signal, bool>? Ignores { get; init; }

    public long Dropped => Volatile.Read(ref _dropped);

    public int OpenCount
    {
        get
        {
            lock (_gate)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>Takes what rules say, in order.</summary>
    /// <param name="trace">Gives a new alert its trace context.</param>
    public IReadOnlyList<AlertRecord> Apply(ReadOnlySpan<Signal> signals, Func<Signal, string?>? trace = null)
    {
        var changes = new List<Open>();
        lock (_gate)
        {
            foreach (var signal in signals)
            {
                if (Apply(signal, trace) is { } change)
                {
                    changes.Add(change);
                }
            }

            Save(changes);
        }

        return Tell(changes);
    }

    /// <summary>Somebody takes an alert.</summary>
    /// <returns>The alert, and whether it changed; null where there is none.</returns>
    public (AlertRecord Alert, bool Changed)? Acknowledge(string id, string by)
    {
        var changes = new List<Open>();
        lock (_gate)
        {
            if (Find(id) is not { } alert)
            {
                return null;
            }

            if (!_open.TryGetValue((alert.Device, alert.Rule), out var open) || open.Alert.Id != id || Move(open, AlertTrigger.Acknowledge, by) is not { } moved)
            {
                return (alert, false);
            }

            changes.Add(moved);
            Save(changes);
        }

        return (Tell(changes)[0], true);
    }

    /// <summary>Time goes on: what nobody acknowledged is escalated, what has no end of its own ends.</summary>
    public IReadOnlyList<AlertRecord> Tick()
    {
        var now = _clock.GetUtcNow();
        var changes = new List<Open>();
        lock (_gate)
        {
            foreach (var open in _open.Values.ToArray())
            {
                if (open.Ends <= now.UtcTicks)
                {
                    Add(changes, Move(open, AlertTrigger.Clear));
                }
                else if (now - open.Alert.Raised >= _escalateAfter)
                {
                    Add(changes, Move(open, AlertTrigger.Wait));
                }
            }

            Save(changes);
        }

        return Tell(changes);
    }

    public void Forget(IReadOnlyList<string> devices)
    {
        lock (_gate)
        {
            foreach (var key in _open.Keys.Where(key => devices.Contains(key.Device)).ToArray())
            {
                _open.Remove(key);
            }
        }
    }

    public AlertRecord? Find(string id) =>
        _store.Read(c => c.Rows(Read, "SELECT * FROM alerts WHERE id = @id", ("@id", id))) is [var alert] ? alert : null;

    /// <summary>Alerts, the newest first.</summary>
    /// <param name="after">Those older than this one's id; ids count up with time.</param>
    public IReadOnlyList<AlertRecord> List(string? after, int limit, AlertState? state, string? device) => _store.Read(c => c.Rows(
        Read,
        "SELECT * FROM alerts WHERE (@after IS NULL OR id < @after) AND (@state IS NULL OR state = @state) AND (@device IS NULL OR device = @device) ORDER BY id DESC LIMIT @limit",
        ("@after", after), ("@state", state is null ? null : (long)state), ("@device", device), ("@limit", limit)));

    private static void Add(List<Open> changes, Open? change)
    {
        if (change is not null)
        {
            changes.Add(change);
        }
    }

    private static AlertRecord Read(SqliteDataReader row) => new(
        row.GetString(0), row.GetString(1), row.GetString(2), (Severity)row.GetInt32(3), (AlertState)row.GetInt32(4), row.GetString(5), row.IsDBNull(6) ? null : row.GetDouble(6), row.Time(7),
        row.IsDBNull(8) ? null : row.Time(8), row.Text(9), row.Text(10));

    private Open? Apply(Signal signal, Func<Signal, string?>? trace)
    {
        if (Ignores?.Invoke(signal) == true)
        {
            return null;
        }

        var now = _clock.GetUtcNow();
        long? ends = signal.Lasts is { } lasts ? (now + lasts).UtcTicks : null;
        if (_open.TryGetValue((signal.Device, signal.Rule), out var open))
        {
            if (signal.IsRaised)
            {
                open.Ends = ends;   // The same alert, a while longer; not written for each time it is said.
                return null;
            }

            return Move(open, AlertTrigger.Clear);
        }

        if (!signal.IsRaised)
        {
            return null;
        }

        if (_open.Count >= MaxOpen)
        {
            Interlocked.Increment(ref _dropped);
            return null;
        }

        var alert = new AlertRecord(
            Guid.CreateVersion7(now).ToString("n"), signal.Device, signal.Rule, signal.Severity, AlertState.Raised, signal.Text, signal.Value, now, null, null, trace?.Invoke(signal) ?? signal.Trace);
        return _open[(signal.Device, signal.Rule)] = new Open(alert, ends);
    }

    private Open? Move(Open open, AlertTrigger trigger, string? by = null)
    {
        if (AlertStates.Next(open.Alert.State, trigger) is not { } state)
        {
            return null;
        }

        open.Alert = open.Alert with { State = state, Changed = _clock.GetUtcNow(), AcknowledgedBy = by ?? open.Alert.AcknowledgedBy };
        if (state == AlertState.Cleared)
        {
            _open.Remove((open.Alert.Device, open.Alert.Rule));
        }

        return open;
    }

    private void Save(List<Open> changes)
    {
        if (changes.Count == 0)
        {
            return;
        }

        _store.Write(connection =>
        {
            foreach (var open in changes)
            {
                var alert = open.Alert;
                connection.Run(
                    "INSERT OR REPLACE INTO alerts VALUES (@id, @device, @rule, @severity, @state, @text, @value, @raised, @changed, @by, @trace, @ends)",
                    ("@id", alert.Id), ("@device", alert.Device), ("@rule", alert.Rule), ("@severity", (long)alert.Severity), ("@state", (long)alert.State), ("@text", alert.Text),
                    ("@value", alert.Value), ("@raised", alert.Raised.UtcTicks), ("@changed", alert.Changed?.UtcTicks), ("@by", alert.AcknowledgedBy), ("@trace", alert.Trace), ("@ends", open.Ends));
            }
        });
    }

    private AlertRecord[] Tell(List<Open> changes)
    {
        AlertRecord[] alerts = [.. changes.Select(c => c.Alert)];
        foreach (var alert in alerts)
        {
            Changed?.Invoke(alert);
        }

        return alerts;
    }

    private sealed class Open(AlertRecord alert, long? ends)
    {
        public AlertRecord Alert { get; set; } = alert;

        public long? Ends { get; set; } = ends;
    }
}
