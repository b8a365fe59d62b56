using System.Collections.Concurrent;
using System.Text.Json;

using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Batch;

/// <summary>Batch jobs: a part's result is stored together with the note that the part is done, so a job that was cut off goes on where it was and counts nothing twice.</summary>
internal sealed class BatchJobs(Store store, TimeProvider clock) : IAsyncDisposable
{
    internal const int MaxRunning = 4, MaxParts = 100_000, MaxWorkers = 16;

    private readonly ConcurrentDictionary<string, (CancellationTokenSource Stop, Task Work)> _running = new();
    private readonly CancellationTokenSource _ending = new();

    /// <summary>Tests hold a job up here: told before each part.</summary>
    internal Func<Part, CancellationToken, Task>? BeforePart { get; init; }

    /// <summary>Goes on with jobs that ran when the process before ended.</summary>
    public void Resume()
    {
        foreach ((string id, string body) in store.Read(c => c.Rows(row => (row.GetString(0), row.GetString(1)), "SELECT id, request FROM jobs WHERE state = 'Running'")))
        {
            var request = JsonSerializer.Deserialize(body, WireJson.Default.BatchRequest)!;
            Start(id, request);
        }
    }

    /// <returns>The job, or what is wrong with the request.</returns>
    public (BatchRecord? Job, string? Wrong) Begin(BatchRequest request)
    {
        if (Check(request) is { } wrong)
        {
            return (null, wrong);
        }

        if (_running.Count >= MaxRunning)
        {
            return (null, $"{MaxRunning} jobs run; wait for one to end.");
        }

        string[] devices = Devices(request);
        int parts = MapReduce.Split(devices, request).Count;
        if (parts > MaxParts)
        {
            return (null, "The job has too many parts; ask for less time or for fewer devices.");
        }

        // The devices are those of this moment: a restart must cut the same parts.
        request = request with { Devices = devices };
        string id = Guid.CreateVersion7(clock.GetUtcNow()).ToString("n");
        store.Write(c => c.Run(
            "INSERT INTO jobs VALUES (@id, @request, 'Running', @parts, @created, NULL, NULL)", ("@id", id), ("@request", JsonSerializer.Serialize(request, WireJson.Default.BatchRequest)),
            ("@parts", parts), ("@created", clock.GetUtcNow().UtcTicks)));
        Start(id, request);
        return (Find(id, 0, null), null);
    }

    /// <summary>A job, with some of its results.</summary>
    /// <param name="after">Results behind this one: <c>device name ticks</c>; null: from the first.</param>
    public BatchRecord? Find(string id, int limit, (string Device, string Name, long Time)? after) => store.Read(connection =>
    {
        long done = connection.Number("SELECT COUNT(*) FROM job_parts WHERE job = @id", ("@id", id));
        var results = limit == 0 ? null : connection.Rows(
            row => new StoredReading(row.GetString(0), row.GetString(1), row.Time(2), row.GetDouble(4) / row.GetInt64(3), row.GetInt64(3), row.GetDouble(5), row.GetDouble(6)),
            """
            SELECT device, name, time, count, sum, min, max FROM job_results WHERE job = @id AND (device, name, time) > (@device, @name, @time) ORDER BY device, name, time LIMIT @limit
            """,
            ("@id", id), ("@device", after?.Device ?? ""), ("@name", after?.Name ?? ""), ("@time", after?.Time ?? 0), ("@limit", limit));
        return connection.Rows(
            row => new BatchRecord(
                id, Enum.Parse<JobState>(row.GetString(0)), row.GetInt32(1), (int)done, row.Time(2), row.IsDBNull(3) ? null : row.Time(3), row.Text(4), results),
            "SELECT state, parts, created, ended, detail FROM jobs WHERE id = @id", ("@id", id)) is [var job] ? job : null;
    });

    /// <summary>Ends a job; what it has stays.</summary>
    public async Task<bool> CancelAsync(string id)
    {
        if (!_running.TryGetValue(id, out var job))
        {
            return false;
        }

        End(id, JobState.Cancelled, null);
        await job.Stop.CancelAsync();
        await job.Work;
        return true;
    }

    /// <summary>Waits for a job that runs here.</summary>
    internal Task WaitAsync(string id) => _running.TryGetValue(id, out var job) ? job.Work : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_running.Values.Select(j => j.Work));
        _ending.Dispose();
    }

    private static string? Check(BatchRequest request) =>
        !(request.StepSeconds >= 1 && request.StepSeconds <= 86_400) ? "stepSeconds: 1 to 86,400."
        : request.From >= request.To ? "from must be before to."
        : request.Workers is < 1 or > MaxWorkers ? $"workers: 1 to {MaxWorkers}."
        : request.Devices is { Count: > 10_000 } ? "devices: at most 10,000; leave it out for all."
        : request.Devices?.Any(d => d is null || !DeviceIds.IsValid(d)) == true ? "devices: one of them is no device's name."
        : null;

    private string[] Devices(BatchRequest request) =>
        [.. (request.Devices ?? store.Read(c => c.Rows(row => row.GetString(0), "SELECT DISTINCT device FROM hours UNION SELECT DISTINCT device FROM readings"))).Distinct().Order(StringComparer.Ordinal)];

    private void Start(string id, BatchRequest request)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task Work()
        {
            await go.Task;
            await RunAsync(id, request, stop.Token);
            _running.TryRemove(id, out _);
            stop.Dispose();
        }

        _running[id] = (stop, Work());
        go.SetResult();
    }

    private async Task RunAsync(string id, BatchRequest request, CancellationToken stop)
    {
        try
        {
            var done = store.Read(c => c.Rows(row => row.GetInt32(0), "SELECT part FROM job_parts WHERE job = @id", ("@id", id))).ToHashSet();
            var open = MapReduce.Split([.. request.Devices!], request).Where(p => !done.Contains(p.Number));
            await Parallel.ForEachAsync(open, new ParallelOptions { MaxDegreeOfParallelism = request.Workers, CancellationToken = stop }, async (part, token) =>
            {
                if (BeforePart is not null)
                {
                    await BeforePart(part, token);
                }

                Store(id, part, MapReduce.Run(store, part, request, token));
            });
            End(id, JobState.Done, null);
        }
        catch (OperationCanceledException)
        {
            // Cancelled: its state says so. Or the layer ends: the next one goes on.
        }
        catch (Microsoft.Data.Sqlite.SqliteException e)
        {
            End(id, JobState.Stopped, e.Message);
        }
    }

    private void Store(string id, Part part, Dictionary<(string Device, string Name, long Start), Partial> results) => store.Write(connection =>
    {
        if (connection.Run("INSERT INTO job_parts VALUES (@job, @part) ON CONFLICT DO NOTHING", ("@job", id), ("@part", part.Number)) == 0)
        {
            return;
        }

        foreach (var (key, value) in results)
        {
            connection.Run(
                "INSERT INTO job_results VALUES (@job, @device, @name, @time, @count, @sum, @min, @max)", ("@job", id), ("@device", key.Device), ("@name", key.Name), ("@time", key.Start),
                ("@count", value.Count), ("@sum", value.Sum), ("@min", value.Min), ("@max", value.Max));
        }
    });

    private void End(string id, JobState state, string? detail) => store.Write(c => c.Run(
        "UPDATE jobs SET state = @state, ended = @ended, detail = @detail WHERE id = @id AND state = 'Running'", ("@id", id), ("@state", state.ToString()),
        ("@ended", clock.GetUtcNow().UtcTicks), ("@detail", detail)));
}
