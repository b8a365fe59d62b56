using System.Collections.Concurrent;
using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Commands;

/// <summary>
/// Commands to devices, from the wish to the answer. A command is in the store before it is on the bus; one for a device that is away waits here, goes out when the device shows itself, is
/// repeated while no answer comes, and ends at the latest when its time is over. The device knows one that comes again by its id.
/// </summary>
internal sealed class CommandDesk(Database database, BusLink bus, AuditLog audit, DeviceManagerOptions options)
{
    private const int MaxArgumentChars = 32 * 1024, MaxReasonChars = 500, MaxRepeatsAtOnce = 1_000;

    private static readonly TimeSpan _defaultTime = TimeSpan.FromHours(1), _longest = TimeSpan.FromDays(366);

    // A report that comes right behind a command is its consequence, and no sign that the command was lost.
    private static readonly TimeSpan _justSent = TimeSpan.FromSeconds(5);

    // Devices that have something waiting: readings, which are many, ask only here whether there is something to do.
    private readonly ConcurrentDictionary<string, bool> _held = new(StringComparer.Ordinal);

    /// <summary>Called with each answer that changes something, inside of its transaction.</summary>
    public event Action<CommandRecord, DeviceCommand>? Answered;

    /// <summary>Gives a command; what the device's state does not allow is refused, and that is kept too.</summary>
    public CommandRecord Give(string device, CommandRequest request, string by)
    {
        var given = database.Together(() => Write(device, request, by));
        audit.Write(by, "command:" + given.Name, Resources.Device(device), given.State == CommandState.Refused ? "refused" : "done", given.Detail ?? request.Reason);
        SendIfThere(device, given);
        return given;
    }

    /// <summary>Writes a command down, inside of a transaction of the caller, who sends it afterwards.</summary>
    public CommandRecord Write(string device, CommandRequest request, string by)
    {
        Check(request);

        // As the store keeps it: whoever asks later is told the same times.
        var now = DateTimeOffset.FromUnixTimeMilliseconds(options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds());
        if (database.Query("select state from devices where id = $id", static r => (DeviceState)r.GetInt32(0), ("$id", device)) is not [var state])
        {
            throw Refusal.NotFound();
        }

        string? refused =
            !DeviceStates.Takes(state, request.Name) ? $"the device is {state.ToString().ToLowerInvariant()}"
            : database.Number("select count(*) from commands where device = $device and state < 3", ("$device", device)) >= options.MaxOpenCommands ? "too many commands wait for it"
            : null;
        var command = new CommandRecord(
            Guid.CreateVersion7(now).ToString("n"), device, request.Name, request.Arguments, refused is null ? CommandState.Queued : CommandState.Refused, by, request.Reason, now,
            now + (request.TimeToLive ?? _defaultTime), refused is null ? null : now, refused);
        database.Execute(
            "insert into commands(id, device, name, arguments, state, by_whom, reason, created, expires, changed, detail, trace)"
            + " values($id, $device, $name, $arguments, $state, $by, $reason, $created, $expires, $changed, $detail, $trace)",
            ("$id", command.Id), ("$device", device), ("$name", command.Name), ("$arguments", command.Arguments?.GetRawText()), ("$state", command.State), ("$by", by),
            ("$reason", command.Reason), ("$created", now), ("$expires", command.Expires), ("$changed", command.Changed), ("$detail", refused), ("$trace", request.Trace));
        return command;
    }

    /// <summary>Sends a command that was just written, unless its device is known to be away: then it waits.</summary>
    public void SendIfThere(string device, CommandRecord command)
    {
        if (command.State != CommandState.Queued)
        {
            return;
        }

        if (database.Number("select coalesce(online, 1) from devices where id = $id", ("$id", device)) == 0)
        {
            _held[device] = true;
            return;
        }

        Send(Read("id = $id", ("$id", command.Id)));
    }

    /// <summary>A device answered.</summary>
    public void OnAck(string device, CommandAck ack) => database.Together(() =>
    {
        if (database.Query($"select {Rows.Command} from commands where id = $id and device = $device", Both, ("$id", ack.Id), ("$device", device)) is [var (command, sent)]
            && CommandStates.Table.Next(command.State, CommandStates.CauseOf(ack.Outcome)) is { } next && next != command.State)
        {
            Finish(command with { State = next, Detail = Cut(ack.Detail), Result = ack.Result, Changed = options.TimeProvider.GetUtcNow() }, sent);
        }
    });

    /// <summary>A device is there: what waits for it goes out, and what it did not answer goes out again.</summary>
    /// <param name="device">The device.</param>
    /// <param name="isNew">It was away.</param>
    public void OnSeen(string device, bool isNew)
    {
        _held.TryRemove(device, out _);
        var before = options.TimeProvider.GetUtcNow() - (isNew ? TimeSpan.Zero : _justSent);
        Send(Read("device = $device and state < 3 and (sent is null or sent <= $before) order by id", ("$device", device), ("$before", before)));
    }

    /// <summary>A reading came; something may wait for its device.</summary>
    public void OnHeard(string device)
    {
        if (!_held.IsEmpty && _held.ContainsKey(device))
        {
            OnSeen(device, isNew: true);
        }
    }

    /// <summary>Ends what is over, and repeats what no answer came to. At the start: what was on its way when the process ended.</summary>
    public void Sweep(bool isStart = false)
    {
        var now = options.TimeProvider.GetUtcNow();
        foreach (var (command, sent) in database.Query(
            $"select {Rows.Command} from commands where state < 3 and expires <= $now limit {MaxRepeatsAtOnce}", Both, ("$now", now)))
        {
            database.Together(() => Finish(command with { State = CommandStates.Table.Next(command.State, CommandCause.Expire)!.Value, Detail = "its time is over", Changed = now }, sent));
        }

        var before = isStart ? now : now - options.RepeatAfter;
        string most = isStart ? "" : $" limit {MaxRepeatsAtOnce}";
        Send(Read(
            "state < 3 and (sent <= $before or sent is null) and expires > $now and device in (select id from devices where coalesce(online, 1) = 1) order by id" + most,
            ("$before", before), ("$now", now)));
        if (isStart)
        {
            foreach (string device in database.Query("select distinct device from commands where state < 3", static r => r.GetString(0)))
            {
                _held[device] = true;
            }
        }
    }

    public CommandRecord? Find(string id) => database.Query($"select {Rows.Command} from commands where id = $id", Rows.ReadCommand, ("$id", id)) is [var command] ? command : null;

    public List<CommandRecord> List(string device, string after, int limit) => database.Query(
        $"select {Rows.Command} from commands where device = $device and id > $after order by id limit $limit", Rows.ReadCommand, ("$device", device), ("$after", after), ("$limit", limit));

    /// <summary>Ends what waits for a device that is gone.</summary>
    public void RefuseAll(string device, string why)
    {
        foreach (var (command, sent) in database.Query($"select {Rows.Command} from commands where device = $device and state < 3", Both, ("$device", device)))
        {
            Finish(command with { State = CommandState.Refused, Detail = why, Changed = options.TimeProvider.GetUtcNow() }, sent);
        }
    }

    public void Prune() => database.Execute(
        "delete from commands where state >= 3 and created < $before", ("$before", options.TimeProvider.GetUtcNow() - options.Retention));

    private static (CommandRecord Command, DeviceCommand Sent) Both(SqliteDataReader row) => (Rows.ReadCommand(row), Rows.ReadForDevice(row));

    private static string? Cut(string? text) => text?.Length > MaxReasonChars ? text[..MaxReasonChars] : text;

    private static void Check(CommandRequest request)
    {
        bool isName = request.Name is { Length: > 0 and <= 64 } && request.Name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_');
        string? wrong =
            !isName ? "A command's name has 1 to 64 letters, digits, '-', '.' and '_'."
            : request.TimeToLive is { } time && (time <= TimeSpan.Zero || time > _longest) ? "A command may wait for a year at most."
            : request.Reason?.Length > MaxReasonChars ? $"A reason has {MaxReasonChars} characters at most."
            : request.Trace?.Length > 128 ? "This is no trace context."
            : request.Arguments is { } arguments && (arguments.ValueKind != JsonValueKind.Object || arguments.GetRawText().Length > MaxArgumentChars) ? "Arguments are an object of 32 KiB at most."
            : null;
        if (wrong is not null)
        {
            throw Refusal.Invalid(wrong);
        }
    }

    private List<DeviceCommand> Read(string where, params ReadOnlySpan<(string Name, object? Value)> values) =>
        database.Query($"select {Rows.Command} from commands where {where}", Rows.ReadForDevice, values);

    private void Finish(CommandRecord command, DeviceCommand sent)
    {
        bool isOver = !CommandStates.IsOpen(command.State);
        database.Execute(
            "update commands set state = $state, changed = $changed, detail = $detail, result = $result, arguments = case when $secret then null else arguments end where id = $id",
            ("$id", command.Id), ("$state", command.State), ("$changed", command.Changed), ("$detail", command.Detail), ("$result", command.Result?.GetRawText()),
            ("$secret", isOver && command.Name == CommandNames.RotateCredential));
        if (isOver)
        {
            database.Execute(
                "update job_items set state = $state where command = $id", ("$id", command.Id), ("$state", command.State == CommandState.Acked ? ItemState.Done : ItemState.Failed));
        }

        Answered?.Invoke(command, sent);
    }

    // In the store before it is on the bus, so that an answer always finds it sent. What the bus has no room for is repeated later.
    private void Send(List<DeviceCommand> commands)
    {
        if (commands.Count == 0)
        {
            return;
        }

        var now = options.TimeProvider.GetUtcNow();
        database.Together(() =>
        {
            foreach (var command in commands)
            {
                database.Execute(
                    "update commands set sent = $now, state = case when state = 0 then 1 else state end where id = $id and state < 3", ("$id", command.Id), ("$now", now));
            }
        });
        foreach (var command in commands)
        {
            bus.TrySend(Topics.Of(Topics.Commands, command.Device), command, WireJson.Default.DeviceCommand);
        }
    }
}
