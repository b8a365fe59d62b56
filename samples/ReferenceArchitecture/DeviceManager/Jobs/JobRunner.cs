using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Commands;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Jobs;

/// <summary>
/// Brings running jobs on, a step at each tick: at most so many commands a second, a stage after the other, none any more once too many failed. Nothing but the rate is kept in memory: which
/// device has which command is written together with the command, so that nobody gets a second one after a restart.
/// </summary>
internal sealed class JobRunner(Database database, JobStore jobs, CommandDesk desk, TimeProvider time)
{
    // A transaction holds up every request; this many commands take some milliseconds.
    private const int MaxAtOnce = 1_000;

    private readonly Dictionary<string, (long At, double Tokens)> _rates = new(StringComparer.Ordinal);

    public void Tick()
    {
        var running = jobs.Running();
        foreach (string over in _rates.Keys.Except(running.Select(static j => j.Id)).ToArray())
        {
            _rates.Remove(over);
        }

        foreach (var job in running)
        {
            Step(job);
        }
    }

    private void Step(Job job)
    {
        var count = jobs.Count(job.Id, job.Stage);
        if (count.Sent > 0 && job.Request.StageTimeout is { } timeout && time.GetUtcNow() >= job.StageSince + timeout && count.Waiting == 0)
        {
            jobs.FailSilent(job.Id, job.Stage);
            count = jobs.Count(job.Id, job.Stage);
        }

        if (count.Failed > job.Request.ErrorThreshold * count.All)
        {
            jobs.Move(job.Id, JobCause.TooManyFailed, AuditLog.Layer, $"stage {job.Stage + 1}: {count.Failed} of {count.All} devices failed");
        }
        else if (count is { Waiting: 0, Sent: 0 })
        {
            Advance(job);
        }
        else if (count.Waiting > 0)
        {
            Send(job, Math.Min(count.Waiting, Take(job)));
        }
    }

    private void Advance(Job job)
    {
        if (job.Stage + 1 < JobStore.StagesOf(job.Request).Count)
        {
            jobs.BeginStage(job.Id, job.Stage + 1);
        }
        else
        {
            jobs.Move(job.Id, JobCause.Finish, AuditLog.Layer);
        }
    }

    // A bucket of one second's commands, which is empty at the start: a restart is no way to more than the rate.
    private int Take(Job job)
    {
        long now = time.GetTimestamp();
        var (at, tokens) = _rates.GetValueOrDefault(job.Id, (now, 0));
        tokens = Math.Min(tokens + (time.GetElapsedTime(at, now).TotalSeconds * job.Request.PerSecond), Math.Max(1, job.Request.PerSecond));
        int taken = (int)Math.Min(tokens, MaxAtOnce);
        _rates[job.Id] = (now, tokens - taken);
        return taken;
    }

    private void Send(Job job, int most)
    {
        if (most == 0)
        {
            return;
        }

        var given = database.Together(() =>
        {
            var commands = new List<CommandRecord>(most);
            foreach (var (number, device) in jobs.Next(job.Id, job.Stage, most))
            {
                var command = desk.Write(device, job.Request.Command, job.By);
                jobs.Mark(job.Id, number, command.State == CommandState.Refused ? ItemState.Failed : ItemState.Sent, command.Id);
                commands.Add(command);
            }

            return commands;
        });
        foreach (var command in given)
        {
            desk.SendIfThere(command.Device, command);
        }
    }
}
