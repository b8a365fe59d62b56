using System.Text.Json;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Devices.Agent;

/// <summary>
/// What a device runs beside its sensors: it obeys commands, keeps to the desired state and tells what it is like. The protocol is in <c>docs/device-agent.md</c>; <c>scripts/agent.py</c> is another one of it.
/// </summary>
/// <remarks>Commands are taken one after the other. One that comes again is answered as before and not done again.</remarks>
public sealed class DeviceAgent(AgentOptions options, IDeviceLink link) : IDeviceReceiver, IAsyncDisposable
{
    /// <summary>How many commands an agent remembers, to know one that comes again.</summary>
    public const int RememberedCommands = 64;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Queue<CommandAck> _answered = new();
    private readonly CancellationTokenSource _stop = new();

    /// <summary>What the device is like now.</summary>
    public AgentState State { get; } = new() { Software = options.Software };

    /// <summary>How many commands it has done.</summary>
    public int Obeyed { get; private set; }

    /// <summary>Connects and tells what the device is like.</summary>
    public async Task StartAsync(CancellationToken stop)
    {
        await link.OpenAsync(this, stop);
        await ReportAsync(stop);
    }

    /// <inheritdoc/>
    public async Task OnCommandAsync(DeviceCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        await _turn.WaitAsync(_stop.Token);
        try
        {
            CommandAck? known = _answered.FirstOrDefault(a => a.Id == command.Id);
            if (known is null)
            {
                bool isDue = options.TimeProvider.GetUtcNow() < command.Expires;
                known = isDue ? await ObeyAsync(command) : Answer(command, CommandOutcome.Expired, "it came too late");
                if (_answered.Count == RememberedCommands)
                {
                    _answered.Dequeue();
                }

                _answered.Enqueue(known);
            }

            await SendAckAsync(known);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async Task OnDesiredAsync(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        await _turn.WaitAsync(_stop.Token);
        try
        {
            if (desired.Version > State.DesiredVersion && !State.IsLocked)
            {
                Apply(desired);
                await ReportAsync(_stop.Token);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await link.DisposeAsync();
        _turn.Dispose();
        _stop.Dispose();
    }

    private static CommandAck Answer(DeviceCommand command, CommandOutcome outcome, string? detail = null, JsonElement? result = null) =>
        new(command.Id, outcome, detail, result);

    private static bool IsAllowedWhileLocked(string command) =>
        command is CommandNames.Unlock or CommandNames.Wipe or CommandNames.Locate or CommandNames.RotateCredential;

    private async Task<CommandAck> ObeyAsync(DeviceCommand command)
    {
        if (State.IsLocked && !IsAllowedWhileLocked(command.Name))
        {
            return Answer(command, CommandOutcome.Refused, "the device is locked");
        }

        CommandAck ack = command.Name switch
        {
            CommandNames.Set => Set(command),
            CommandNames.Reboot => Answer(command, CommandOutcome.Done),
            CommandNames.Lock => Lock(command, true),
            CommandNames.Unlock => Lock(command, false),
            CommandNames.Wipe => Wipe(command),
            CommandNames.Locate => Locate(command),
            CommandNames.RotateCredential => Rotate(command),
            CommandNames.Network => await ReconfigureAsync(command),
            CommandNames.Update => await UpdateAsync(command),
            CommandNames.Rollback => RollBack(command),
            _ => Answer(command, CommandOutcome.Refused, "the device does not know this command"),
        };
        if (ack.Outcome == CommandOutcome.Done)
        {
            Obeyed++;
            await ReportAsync(_stop.Token);
        }

        return ack;
    }

    private CommandAck Set(DeviceCommand command)
    {
        if (command.Arguments is not { ValueKind: JsonValueKind.Object } arguments
            || !arguments.TryGetProperty("output", out JsonElement output) || output.ValueKind != JsonValueKind.String
            || !arguments.TryGetProperty("value", out JsonElement value) || value.ValueKind != JsonValueKind.Number)
        {
            return Answer(command, CommandOutcome.Refused, "'output' and 'value' are needed");
        }

        string name = output.GetString()!;
        if (State.Outputs.Count >= 32 && !State.Outputs.ContainsKey(name))
        {
            return Answer(command, CommandOutcome.Refused, "the device has no such output");
        }

        if (State.Capabilities.TryGetValue(name, out bool isEnabled) && !isEnabled)
        {
            return Answer(command, CommandOutcome.Refused, $"'{name}' is disabled");
        }

        State.Outputs[name] = value.GetDouble();
        return Answer(command, CommandOutcome.Done);
    }

    private CommandAck Lock(DeviceCommand command, bool isLocked)
    {
        State.IsLocked = isLocked;
        return Answer(command, CommandOutcome.Done);
    }

    private CommandAck Wipe(DeviceCommand command)
    {
        (State.IsWiped, State.Network) = (true, "factory");
        State.Outputs.Clear();
        State.Capabilities.Clear();
        return Answer(command, CommandOutcome.Done);
    }

    private CommandAck Locate(DeviceCommand command) => options.Location is not var (latitude, longitude)
        ? Answer(command, CommandOutcome.Failed, "the device does not know where it is")
        : Answer(command, CommandOutcome.Done, result: JsonSerializer.SerializeToElement(
            new System.Text.Json.Nodes.JsonObject { ["latitude"] = latitude, ["longitude"] = longitude }, AgentJson.Default.JsonObject));

    private CommandAck Rotate(DeviceCommand command)
    {
        if (command.Arguments is not { ValueKind: JsonValueKind.Object } arguments || !arguments.TryGetProperty("secret", out JsonElement secret)
            || secret.GetString() is not { Length: > 0 } text)
        {
            return Answer(command, CommandOutcome.Refused, "'secret' is needed");
        }

        link.UseSecret(text);
        return Answer(command, CommandOutcome.Done);
    }

    // A setting that cuts the device off must not stay: without a way to the bus within the time, what worked before comes back by itself.
    private async Task<CommandAck> ReconfigureAsync(DeviceCommand command)
    {
        if (command.Arguments is not { ValueKind: JsonValueKind.Object } arguments || !arguments.TryGetProperty("profile", out JsonElement profile)
            || profile.GetString() is not { Length: > 0 } name)
        {
            return Answer(command, CommandOutcome.Refused, "'profile' is needed");
        }

        double within = arguments.TryGetProperty("confirmWithinSeconds", out JsonElement seconds) && seconds.TryGetDouble(out double given) ? Math.Clamp(given, 0, 600) : 60;
        string before = State.Network;
        State.Network = name;
        if (options.Reaches(name))
        {
            return Answer(command, CommandOutcome.Done);
        }

        await Task.Delay(TimeSpan.FromSeconds(within), options.TimeProvider, _stop.Token);
        State.Network = before;
        await ReportAsync(_stop.Token);
        return Answer(command, CommandOutcome.Failed, $"the bus was not reached with '{name}'; back to '{before}'");
    }

    private async Task<CommandAck> UpdateAsync(DeviceCommand command)
    {
        if (options.UpdateKey is not { } key || options.Downloads is not { } downloads)
        {
            return Answer(command, CommandOutcome.Refused, "the device takes no updates");
        }

        if (SoftwareUpdate.Read(command.Arguments, out string problem) is not { } update)
        {
            return Answer(command, CommandOutcome.Refused, problem);
        }

        if (update.Type != options.Type)
        {
            return Answer(command, CommandOutcome.Refused, $"the package is for '{update.Type}'");
        }

        await SendAckAsync(Answer(command, CommandOutcome.Accepted));
        if (await update.FetchAsync(downloads, key, options.MaxPackageBytes, _stop.Token) is { } wrong)
        {
            return Answer(command, CommandOutcome.Failed, wrong);
        }

        if (!options.Starts(update.Version))
        {
            return Answer(command, CommandOutcome.Failed, $"{update.Version} does not start; {State.Software} runs on");
        }

        (State.Before, State.Software) = (State.Software, update.Version);
        return Answer(command, CommandOutcome.Done);
    }

    private CommandAck RollBack(DeviceCommand command)
    {
        if (State.Before is not { } before)
        {
            return Answer(command, CommandOutcome.Failed, "there is no version before");
        }

        (State.Software, State.Before) = (before, null);
        return Answer(command, CommandOutcome.Done);
    }

    private void Apply(DesiredState desired)
    {
        State.DesiredVersion = desired.Version;
        if (desired.Values.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (JsonProperty setting in desired.Values.EnumerateObject())
        {
            const string Capabilities = "capabilities.", Outputs = "outputs.";
            if (setting.Name.StartsWith(Capabilities, StringComparison.Ordinal) && setting.Value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            {
                State.Capabilities[setting.Name[Capabilities.Length..]] = setting.Value.GetBoolean();
            }
            else if (setting.Name.StartsWith(Outputs, StringComparison.Ordinal) && setting.Value.ValueKind == JsonValueKind.Number)
            {
                State.Outputs[setting.Name[Outputs.Length..]] = setting.Value.GetDouble();
            }
        }
    }

    private Task SendAckAsync(CommandAck ack)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(ack with { Time = options.TimeProvider.GetUtcNow() }, WireJson.Default.CommandAck);
        return link.SendAsync(Topics.Of(Topics.Acks, options.Device), body, "application/json", _stop.Token);
    }

    private Task ReportAsync(CancellationToken stop)
    {
        var reported = new ReportedState(State.DesiredVersion, State.Describe(), options.TimeProvider.GetUtcNow());
        return link.SendAsync(
            Topics.Of(Topics.Reported, options.Device), JsonSerializer.SerializeToUtf8Bytes(reported, WireJson.Default.ReportedState), "application/json", stop);
    }
}
