using System.Reactive.Subjects;

using IoT.Reference.Contracts;
using IoT.Reference.Observability;

namespace IoT.Reference.Bus;

/// <summary>What the bus refused, for those who watch for attacks. At most <see cref="PerSecond"/> entries a second: who floods the bus must not flood its audit; the others are counted.</summary>
internal sealed class BusAudit : IDisposable
{
    private const int PerSecond = 50;

    private static readonly System.Diagnostics.Metrics.Counter<long> _refused =
        ReferenceTelemetry.Meter.CreateCounter<long>("iot_reference_bus_refused", "{request}", "What listeners of the bus refused.");

    private readonly Lock _gate = new();
    private readonly Subject<AuditEntry> _entries = new();
    private long _second;
    private int _said;

    public IObservable<AuditEntry> Entries => _entries;

    public void Refused(AuditEntry entry)
    {
        if (entry.Subject == entry.Layer)
        {
            // The bus itself was refused: an entry about it would be refused as well, and so on.
            return;
        }

        _refused.Add(1, new KeyValuePair<string, object?>("action", entry.Action));
        lock (_gate)
        {
            long second = entry.Time.ToUnixTimeSeconds();
            (_second, _said) = second == _second ? (_second, _said + 1) : (second, 1);
            if (_said <= PerSecond)
            {
                _entries.OnNext(entry with { Layer = "bus" });
            }
        }
    }

    public void Dispose() => _entries.Dispose();
}
