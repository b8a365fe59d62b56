using System.Net;
using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Links;

/// <summary>What <c>Identity</c> has to be told.</summary>
internal enum OutboxKind
{
    /// <summary>Owner, gateway, group of a device.</summary>
    Facts,

    /// <summary>Its credentials are void.</summary>
    Revoke,

    /// <summary>There is no such device any more.</summary>
    Forget,
}

/// <summary>
/// What <c>Identity</c> has to be told, written with the change itself in one transaction: told at least once, in order for each device, also where <c>Identity</c> was away or this process ended
/// in between. All of it may be said twice.
/// </summary>
internal sealed class Outbox(Database database, IdentityLink identity, AuditLog audit, TimeProvider time) : IAsyncDisposable
{
    private const int MaxAtOnce = 256, MaxUnderWay = 8;

    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _delivering = new(1, 1);
    private volatile TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    /// <summary>How much waits.</summary>
    public long Waiting => database.Number("select count(*) from outbox");

    public void Start() => _running = RunAsync();

    /// <summary>Writes down what has to be said; inside of the transaction of what it is about.</summary>
    public void Add(OutboxKind kind, string device, ResourceFacts? facts = null)
    {
        string? body = facts is null ? null : JsonSerializer.Serialize(facts, WireJson.Default.ResourceFacts);
        database.Execute("insert into outbox(kind, device, body) values($kind, $device, $body)", ("$kind", kind), ("$device", device), ("$body", body));
        Wake();
    }

    /// <summary>Says at once what waits for a device: who revokes does not stand in line.</summary>
    /// <returns>Whether all of it is said.</returns>
    public async Task<bool> FlushAsync(string device)
    {
        // What is being said stands here until it is said: where nothing stands, nobody has to be waited for.
        if (database.Number("select count(*) from outbox where device = $device", ("$device", device)) == 0)
        {
            return true;
        }

        await _delivering.WaitAsync(_stop.Token);
        try
        {
            return await DeliverAsync(Read("where device = $device order by n limit $limit", device));
        }
        finally
        {
            _delivering.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Wake();
        await _running;
        _stop.Dispose();
        _delivering.Dispose();
    }

    private void Wake() => _written.TrySetResult();

    private async Task RunAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                _written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var written = _written.Task;
                var (isAny, isAllSaid) = await SayAsync();
                if (!isAllSaid)
                {
                    await Task.Delay(_pause, time, _stop.Token);
                }
                else if (!isAny)
                {
                    await written.WaitAsync(_stop.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // What is not said yet is said after the next start.
        }
    }

    // A device's own entries are said one after the other; those of several devices side by side.
    private async Task<(bool IsAny, bool IsAllSaid)> SayAsync()
    {
        await _delivering.WaitAsync(_stop.Token);
        try
        {
            var entries = Read("order by n limit $limit", null);
            bool isAllSaid = true;
            await Parallel.ForEachAsync(
                entries.GroupBy(e => e.Device), new ParallelOptions { MaxDegreeOfParallelism = MaxUnderWay, CancellationToken = _stop.Token }, async (own, _) =>
                {
                    if (!await DeliverAsync(own))
                    {
                        Volatile.Write(ref isAllSaid, false);
                    }
                });
            return (entries.Count > 0, isAllSaid);
        }
        finally
        {
            _delivering.Release();
        }
    }

    private async Task<bool> DeliverAsync(IEnumerable<Entry> entries)
    {
        foreach (var entry in entries)
        {
            var status = await identity.TellAsync(entry.Kind, entry.Device, entry.Body, _stop.Token);
            bool isGone = status == HttpStatusCode.NotFound && entry.Kind != OutboxKind.Facts;
            bool isRefused = status is HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.RequestEntityTooLarge && !isGone;
            if (status is null || (!isGone && !isRefused && (int)status is < 200 or > 299))
            {
                return false;
            }

            if (isRefused)
            {
                // Said again it would be refused again, and hold up what comes behind it.
                audit.Write(AuditLog.Layer, "tell-identity", Resources.Device(entry.Device), "failed", $"{entry.Kind}: status {(int)status.Value}");
            }

            database.Execute("delete from outbox where n = $n", ("$n", entry.Number));
        }

        return true;
    }

    private List<Entry> Read(string where, string? device) => database.Query(
        "select n, kind, device, body from outbox " + where,
        static r => new Entry(r.GetInt64(0), (OutboxKind)r.GetInt32(1), r.GetString(2), r.Text(3)),
        device is null ? [("$limit", MaxAtOnce)] : [("$device", device), ("$limit", MaxAtOnce)]);

    private sealed record Entry(long Number, OutboxKind Kind, string Device, string? Body);
}
