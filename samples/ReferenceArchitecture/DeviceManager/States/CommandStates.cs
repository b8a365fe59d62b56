using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.States;

/// <summary>What happens to a command.</summary>
internal enum CommandCause
{
    /// <summary>It went to the bus; again, where no answer came.</summary>
    Send,

    /// <summary>The device has it and is at it.</summary>
    Accept,
    Succeed,
    Fail,

    /// <summary>By the device, or because of the state that the device is in.</summary>
    Refuse,

    /// <summary>Its time is over, by our clock or the device's.</summary>
    Expire,
}

/// <summary>The way of a command. A device that is away has it from the bus's session later: its answer counts in whatever state the command is, until the command's time is over.</summary>
internal static class CommandStates
{
    public static Transitions<CommandState, CommandCause> Table { get; } = new(
        (CommandState.Queued, CommandCause.Send, CommandState.Sent),
        (CommandState.Queued, CommandCause.Refuse, CommandState.Refused),
        (CommandState.Queued, CommandCause.Expire, CommandState.Expired),
        (CommandState.Sent, CommandCause.Send, CommandState.Sent),
        (CommandState.Sent, CommandCause.Accept, CommandState.Delivered),
        (CommandState.Sent, CommandCause.Succeed, CommandState.Acked),
        (CommandState.Sent, CommandCause.Fail, CommandState.Failed),
        (CommandState.Sent, CommandCause.Refuse, CommandState.Refused),
        (CommandState.Sent, CommandCause.Expire, CommandState.Expired),
        (CommandState.Delivered, CommandCause.Send, CommandState.Delivered),
        (CommandState.Delivered, CommandCause.Succeed, CommandState.Acked),
        (CommandState.Delivered, CommandCause.Fail, CommandState.Failed),
        (CommandState.Delivered, CommandCause.Refuse, CommandState.Refused),
        (CommandState.Delivered, CommandCause.Expire, CommandState.Expired));

    public static bool IsOpen(CommandState state) => state is CommandState.Queued or CommandState.Sent or CommandState.Delivered;

    public static CommandCause CauseOf(CommandOutcome outcome) => outcome switch
    {
        CommandOutcome.Accepted => CommandCause.Accept,
        CommandOutcome.Done => CommandCause.Succeed,
        CommandOutcome.Failed => CommandCause.Fail,
        CommandOutcome.Refused => CommandCause.Refuse,
        _ => CommandCause.Expire,
    };
}
