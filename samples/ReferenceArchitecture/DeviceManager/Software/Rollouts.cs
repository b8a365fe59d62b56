using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Jobs;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Software;

/// <summary>Brings a package to group after group, each by a job. Where too many of a group fail, the others of that group go back to the version before, and no further group gets it.</summary>
internal sealed class Rollouts(Database database, PackageStore packages, JobStore jobs, AuditLog audit, DeviceManagerOptions options, Func<Uri> downloads)
{
    private const int MaxGroups = 100, MaxOpen = 20;

    // A device that is asleep has this long to install; after it the group counts it as failed.
    private static readonly TimeSpan _groupTime = TimeSpan.FromDays(1), _backTime = TimeSpan.FromHours(1);

    public RolloutRecord Create(RolloutRequest request, string by)
    {
        packages.Get(request.Package);
        if (request.Groups is not { Count: > 0 and <= MaxGroups } groups || groups.Any(string.IsNullOrEmpty) || !(request.ErrorThreshold is >= 0 and <= 1) || !(request.PerSecond is > 0 and <= 100_000))
        {
            throw Refusal.Invalid($"A rollout has 1 to {MaxGroups} groups, a rate, and a threshold of 0 to 1.");
        }

        return database.Together(() =>
        {
            if (database.Number("select count(*) from rollouts where state in (0, 2)") >= MaxOpen)
            {
                throw Refusal.Conflict($"There are {MaxOpen} rollouts already.");
            }

            var now = options.TimeProvider.GetUtcNow();
            string id = Guid.CreateVersion7(now).ToString("n");

            // Devices load the content by this path: who was not told it does not get it.
            string ticket = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            database.Execute(
                "insert into rollouts(id, package, state, request, grp, ticket, by_whom, created) values($id, $package, $state, $request, 0, $ticket, $by, $now)",
                ("$id", id), ("$package", request.Package), ("$state", RolloutState.Running), ("$request", JsonSerializer.Serialize(request, WireJson.Default.RolloutRequest)),
                ("$ticket", ticket), ("$by", by), ("$now", now));
            audit.Write(by, "rollout", "rollout:" + id, "done", $"package {request.Package}, {groups.Count} groups");
            return Get(id);
        });
    }

    public RolloutRecord Get(string id) => Find("id = $id", ("$id", id)) is [var found] ? found.Record : throw Refusal.NotFound();

    public List<RolloutRecord> List(string after, int limit) => [.. Find("id > $after order by id limit $limit", ("$after", after), ("$limit", limit)).Select(static r => r.Record)];

    /// <summary>No further device gets it.</summary>
    public RolloutRecord Cancel(string id, string by) => database.Together(() =>
    {
        var rollout = Find("id = $id", ("$id", id)) is [var found] ? found : throw Refusal.NotFound();
        if (rollout.Record is { State: RolloutState.Running, Job: { } job } && JobStates.Table.Next(jobs.Get(job).State, JobCause.Cancel) is not null)
        {
            jobs.Move(job, JobCause.Cancel, by);
        }

        Move(rollout.Record, RolloutCause.Cancel, by);
        return Get(id);
    });

    /// <summary>Whether a path is that of a rollout of the package that goes on.</summary>
    public bool IsTicket(string package, string ticket) =>
        ticket.Length == 64 && database.Number("select count(*) from rollouts where package = $package and ticket = $ticket and state = 0", ("$package", package), ("$ticket", ticket)) > 0;

    /// <summary>Brings each rollout on by a step, where its job is over.</summary>
    public void Tick()
    {
        foreach (var rollout in Find("state in (0, 2)"))
        {
            database.Together(() => Step(rollout));
        }
    }

    private static Rollout Read(SqliteDataReader row)
    {
        var request = JsonSerializer.Deserialize(row.GetString(3), WireJson.Default.RolloutRequest)!;
        return new Rollout(
            new RolloutRecord(
                row.GetString(0), row.GetString(1), (RolloutState)row.GetInt32(2), request.Groups, row.GetInt32(4), row.Text(5), row.GetString(7), row.Time(8), row.TimeOrNull(9), row.Text(10)),
            request, row.GetString(6));
    }

    private List<Rollout> Find(string where, params ReadOnlySpan<(string Name, object? Value)> values) =>
        database.Query($"select id, package, state, request, grp, job, ticket, by_whom, created, ended, detail from rollouts where {where}", Read, values);

    private void Step(Rollout rollout)
    {
        var record = rollout.Record;
        if (record.Job is not { } id)
        {
            Begin(rollout);
            return;
        }

        var job = jobs.Get(id);
        if (job.State is JobState.Running or JobState.Paused)
        {
            return;
        }

        if (record.State == RolloutState.RollingBack)
        {
            Move(record, RolloutCause.WentBack, AuditLog.Layer, $"{record.Detail}; {job.Done} of {job.Total} went back");
        }
        else if (job.State == JobState.Done)
        {
            Next(record);
        }
        else if (job.Sent == 0 || options.TimeProvider.GetUtcNow() >= job.Ended + _backTime)
        {
            // Not before: one that is just installing would otherwise be told to go back before it has what it shall go back from.
            GoBack(rollout, job);
        }
    }

    private void Next(RolloutRecord record)
    {
        if (record.Group + 1 == record.Groups.Count)
        {
            Move(record, RolloutCause.Finish, AuditLog.Layer);
        }
        else
        {
            Move(record, RolloutCause.NextGroup, AuditLog.Layer);
            database.Execute("update rollouts set grp = grp + 1, job = null where id = $id", ("$id", record.Id));
        }
    }

    private void Begin(Rollout rollout)
    {
        var (record, request, ticket) = rollout;
        var package = packages.Get(record.Package);
        string group = record.Groups[record.Group];
        if (database.Number("select count(*) from devices where grp = $group and type = $type and state in (0, 1)", ("$group", group), ("$type", package.Type)) == 0)
        {
            Next(record);
            return;
        }

        var arguments = new JsonObject
        {
            ["package"] = package.Id,
            ["type"] = package.Type,
            ["version"] = package.Version,
            ["url"] = new Uri(downloads(), $"v1/packages/{package.Id}/content/{ticket}").AbsoluteUri,
            ["sha256"] = package.Sha256,
            ["signature"] = package.Signature,
            ["size"] = package.Size,
        };
        Start(record.Id, new JobRequest(
            $"{package.Type} {package.Version}: {group}", new CommandRequest(CommandNames.Update, Rows.Parse(arguments.ToJsonString()), _groupTime), group, package.Type,
            PerSecond: request.PerSecond, ErrorThreshold: request.ErrorThreshold, StageTimeout: _groupTime));
    }

    private void GoBack(Rollout rollout, JobRecord job)
    {
        string why = job.Detail ?? $"the job was {job.State.ToString().ToLowerInvariant()}";
        var updated = jobs.DoneDevices(job.Id);
        if (!rollout.Request.RollBackOnFailure)
        {
            Move(rollout.Record, RolloutCause.Stop, AuditLog.Layer, why);
            return;
        }

        Move(rollout.Record, RolloutCause.GoBack, AuditLog.Layer, why);
        if (updated.Count == 0)
        {
            Move(rollout.Record with { State = RolloutState.RollingBack }, RolloutCause.WentBack, AuditLog.Layer, why + "; none had it");
            return;
        }

        // All of them, however many can't: one that can't go back must not keep the others from it.
        Start(rollout.Record.Id, new JobRequest(
            "back: " + job.Name, new CommandRequest(CommandNames.Rollback, null, _groupTime), Devices: updated, PerSecond: rollout.Request.PerSecond, ErrorThreshold: 1, StageTimeout: _backTime));
    }

    private void Start(string rollout, JobRequest request) =>
        database.Execute("update rollouts set job = $job where id = $id", ("$id", rollout), ("$job", jobs.Add(request, AuditLog.Layer).Id));

    private void Move(RolloutRecord record, RolloutCause cause, string by, string? detail = null)
    {
        var next = RolloutStates.Table.Next(record.State, cause) ?? throw Refusal.Conflict($"The rollout is {record.State.ToString().ToLowerInvariant()}.");
        database.Execute(
            "update rollouts set state = $state, detail = coalesce($detail, detail), ended = $ended where id = $id", ("$id", record.Id), ("$state", next), ("$detail", detail),
            ("$ended", next is RolloutState.Running or RolloutState.RollingBack ? null : options.TimeProvider.GetUtcNow()));
        audit.Write(by, "rollout:" + cause, "rollout:" + record.Id, cause is RolloutCause.GoBack or RolloutCause.Stop ? "failed" : "done", detail);
    }

    private sealed record Rollout(RolloutRecord Record, RolloutRequest Request, string Ticket);
}
