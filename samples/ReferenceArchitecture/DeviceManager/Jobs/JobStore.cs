using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Jobs;

/// <summary>A job as the runner needs it.</summary>
internal sealed record Job(string Id, JobState State, int Stage, DateTimeOffset StageSince, int Total, JobRequest Request, string By);

/// <summary>How many of a stage's devices are where.</summary>
internal readonly record struct StageCount(int Waiting, int Sent, int Done, int Failed)
{
    public int All => Waiting + Sent + Done + Failed;
}

/// <summary>Jobs and their devices in the store: all that is needed to go on after a restart.</summary>
internal sealed class JobStore(Database database, AuditLog audit, DeviceManagerOptions options)
{
    private const int MaxStages = 20;

    // Lock, wipe and update have a state of their own in the registry; they are not a bare command.
    private static readonly string[] _notInJobs =
        [CommandNames.Lock, CommandNames.Unlock, CommandNames.Wipe, CommandNames.RotateCredential, CommandNames.Update];

    /// <summary>Makes a job of what somebody wishes.</summary>
    public JobRecord Create(JobRequest request, string by)
    {
        if (_notInJobs.Contains(request.Command?.Name))
        {
            throw Refusal.Invalid($"'{request.Command!.Name}' is not given by a job.");
        }

        return Add(request, by);
    }

    /// <summary>Makes a job, of this layer's own wish too.</summary>
    public JobRecord Add(JobRequest request, string by)
    {
        Check(request);
        return database.Together(() =>
        {
            if (database.Number("select count(*) from jobs where state <= 1") >= options.MaxOpenJobs)
            {
                throw Refusal.Conflict($"There are {options.MaxOpenJobs} jobs already.");
            }

            var devices = DevicesOf(request);
            if (devices.Count == 0)
            {
                throw Refusal.Invalid("No device is meant by this.");
            }

            var now = options.TimeProvider.GetUtcNow();
            string id = Guid.CreateVersion7(now).ToString("n");

            // The list of devices is in the items; a second one would only be in the way when somebody is erased.
            database.Execute(
                "insert into jobs(id, name, state, stage, stage_since, total, request, by_whom, created) values($id, $name, $state, 0, $now, $total, $request, $by, $now)",
                ("$id", id), ("$name", request.Name), ("$state", JobState.Running), ("$now", now), ("$total", devices.Count),
                ("$request", JsonSerializer.Serialize(request with { Devices = null }, WireJson.Default.JobRequest)), ("$by", by));
            int[] ends = [.. StagesOf(request).Select(percent => (int)Math.Ceiling(devices.Count * (percent / 100.0)))];
            for (int n = 0, stage = 0; n < devices.Count; n++)
            {
                while (n >= ends[stage])
                {
                    stage++;
                }

                database.Execute(
                    "insert into job_items(job, n, device, stage, state) values($job, $n, $device, $stage, $state)",
                    ("$job", id), ("$n", n), ("$device", devices[n]), ("$stage", stage), ("$state", ItemState.Waiting));
            }

            audit.Write(by, "job", "job:" + id, "done", $"{request.Command.Name}, {devices.Count} devices");
            return Get(id);
        });
    }

    public static IReadOnlyList<int> StagesOf(JobRequest request) => request.Stages is { Count: > 0 } stages ? stages : [100];

    public JobRecord Get(string id) => Find("id = $id", ("$id", id)) is [var job] ? job : throw Refusal.NotFound();

    public List<JobRecord> List(string after, int limit) => Find("id > $after order by id limit $limit", ("$after", after), ("$limit", limit));

    public List<JobRecord> Of(string user) => Find("by_whom = $user order by id limit 10000", ("$user", user));

    public List<Job> Running() => database.Query(
        "select id, state, stage, stage_since, total, request, by_whom from jobs where state = 0",
        static r => new Job(
            r.GetString(0), (JobState)r.GetInt32(1), r.GetInt32(2), r.Time(3), r.GetInt32(4), JsonSerializer.Deserialize(r.GetString(5), WireJson.Default.JobRequest)!, r.GetString(6)));

    public StageCount Count(string job, int? stage = null)
    {
        int[] counts = new int[4];
        foreach (var (state, count) in database.Query(
            stage is null ? "select state, count(*) from job_items where job = $job group by state" : "select state, count(*) from job_items where job = $job and stage = $stage group by state",
            static r => (r.GetInt32(0), r.GetInt32(1)), ("$job", job), ("$stage", stage)))
        {
            counts[state] = count;
        }

        return new StageCount(counts[(int)ItemState.Waiting], counts[(int)ItemState.Sent], counts[(int)ItemState.Done], counts[(int)ItemState.Failed]);
    }

    /// <summary>The next devices of a stage.</summary>
    public List<(int Number, string Device)> Next(string job, int stage, int limit) => database.Query(
        "select n, device from job_items where job = $job and stage = $stage and state = 0 order by n limit $limit",
        static r => (r.GetInt32(0), r.GetString(1)), ("$job", job), ("$stage", stage), ("$limit", limit));

    public void Mark(string job, int number, ItemState state, string? command) => database.Execute(
        "update job_items set state = $state, command = $command where job = $job and n = $n", ("$job", job), ("$n", number), ("$state", state), ("$command", command));

    /// <summary>Who did not answer within the stage's time has failed.</summary>
    public void FailSilent(string job, int stage) => database.Execute(
        "update job_items set state = $failed where job = $job and stage = $stage and state = $sent",
        ("$job", job), ("$stage", stage), ("$failed", ItemState.Failed), ("$sent", ItemState.Sent));

    public void BeginStage(string job, int stage) => database.Execute(
        "update jobs set stage = $stage, stage_since = $now where id = $job", ("$job", job), ("$stage", stage), ("$now", options.TimeProvider.GetUtcNow()));

    /// <summary>Those of a job that did what it said.</summary>
    public List<string> DoneDevices(string job) => database.Query(
        "select device from job_items where job = $job and state = $done order by n", static r => r.GetString(0), ("$job", job), ("$done", ItemState.Done));

    /// <summary>Lets something happen to a job, where it can.</summary>
    public JobRecord Move(string id, JobCause cause, string by, string? detail = null) => database.Together(() =>
    {
        var job = Get(id);
        var next = JobStates.Table.Next(job.State, cause) ?? throw Refusal.Conflict($"The job is {job.State.ToString().ToLowerInvariant()}.");
        var now = options.TimeProvider.GetUtcNow();

        // A pause is no time in which devices had to answer: the stage's time begins anew.
        database.Execute(
            "update jobs set state = $state, detail = coalesce($detail, detail), ended = $ended, stage_since = case when $resumes then $now else stage_since end where id = $id",
            ("$id", id), ("$state", next), ("$detail", detail), ("$ended", next is JobState.Running or JobState.Paused ? null : now), ("$resumes", cause == JobCause.Resume), ("$now", now));
        if (next is JobState.Stopped or JobState.Cancelled)
        {
            Withdraw(id, now);
        }

        audit.Write(by, "job:" + cause, "job:" + id, cause == JobCause.TooManyFailed ? "failed" : "done", detail);
        return Get(id);
    });

    public void Prune() => database.Together(() =>
    {
        var before = options.TimeProvider.GetUtcNow() - options.Retention;
        database.Execute("delete from job_items where job in (select id from jobs where ended < $before)", ("$before", before));
        database.Execute("delete from jobs where ended < $before", ("$before", before));
    });

    // What no device was sent yet is not sent any more; what is on its way can't be taken back.
    private void Withdraw(string job, DateTimeOffset now)
    {
        database.Execute(
            "update commands set state = $refused, changed = $now, detail = 'the job was ended' where state = 0 and id in (select command from job_items where job = $job and state = $sent)",
            ("$job", job), ("$now", now), ("$refused", CommandState.Refused), ("$sent", ItemState.Sent));
        database.Execute(
            "update job_items set state = $failed where job = $job and state = $sent and command in (select id from commands where state = $refused)",
            ("$job", job), ("$refused", CommandState.Refused), ("$sent", ItemState.Sent), ("$failed", ItemState.Failed));
    }

    private static void Check(JobRequest request)
    {
        var stages = StagesOf(request);
        bool isRising = stages.Count <= MaxStages && stages[^1] == 100 && stages[0] > 0 && stages.Zip(stages.Skip(1)).All(static s => s.First < s.Second);
        string? wrong =
            string.IsNullOrEmpty(request.Name) || request.Name.Length > 128 || request.Command is null ? "A job has a name and a command."
            : !isRising ? "Stages rise to 100 percent."
            : !(request.PerSecond is > 0 and <= 100_000) ? "The rate is up to 100,000 a second."
            : !(request.ErrorThreshold is >= 0 and <= 1) ? "The error threshold is a part of all: 0 to 1."
            : request.StageTimeout is { } time && (time < TimeSpan.FromSeconds(1) || time > TimeSpan.FromDays(30)) ? "A stage takes a second to 30 days."
            : null;
        if (wrong is not null)
        {
            throw Refusal.Invalid(wrong);
        }
    }

    private List<string> DevicesOf(JobRequest request)
    {
        if (request.Devices is { Count: > 0 } named)
        {
            return named.Count <= options.MaxDevices ? [.. named.Distinct().Where(d => database.Number("select count(*) from devices where id = $id", ("$id", d)) == 1)]
                : throw Refusal.Invalid("These are more devices than there may be.");
        }

        if (request.Group is null && request.Type is null)
        {
            throw Refusal.Invalid("Say which devices: by name, group or type.");
        }

        return database.Query(
            "select id from devices where ($group is null or grp = $group) and ($type is null or type = $type) and state in (0, 1) order by id",
            static r => r.GetString(0), ("$group", request.Group), ("$type", request.Type));
    }

    private List<JobRecord> Find(string where, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var jobs = database.Query($"select id, name, state, stage, total, by_whom, created, ended, detail, request from jobs where {where}", ReadJob, values);
        for (int i = 0; i < jobs.Count; i++)
        {
            var count = Count(jobs[i].Id);
            jobs[i] = jobs[i] with { Waiting = count.Waiting, Sent = count.Sent, Done = count.Done, Failed = count.Failed };
        }

        return jobs;
    }

    private static JobRecord ReadJob(SqliteDataReader row) => new(
        row.GetString(0), row.GetString(1), (JobState)row.GetInt32(2), row.GetInt32(3),
        StagesOf(JsonSerializer.Deserialize(row.GetString(9), WireJson.Default.JobRequest)!).Count, row.GetInt32(4), 0, 0, 0, 0, row.GetString(5), row.Time(6), row.TimeOrNull(7), row.Text(8));
}
