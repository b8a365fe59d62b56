using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.States;

/// <summary>What happens to a rollout.</summary>
internal enum RolloutCause
{
    /// <summary>A group has the package, and the next one begins.</summary>
    NextGroup,

    /// <summary>All groups have it.</summary>
    Finish,

    /// <summary>Too many of a group failed; its others go back.</summary>
    GoBack,

    /// <summary>Too many of a group failed; nothing is taken back.</summary>
    Stop,

    /// <summary>Those that had it were told to go back, and answered or were waited for.</summary>
    WentBack,
    Cancel,
}

/// <summary>The life of a rollout: a job for each group, one after the other.</summary>
internal static class RolloutStates
{
    public static Transitions<RolloutState, RolloutCause> Table { get; } = new(
        (RolloutState.Running, RolloutCause.NextGroup, RolloutState.Running),
        (RolloutState.Running, RolloutCause.Finish, RolloutState.Done),
        (RolloutState.Running, RolloutCause.GoBack, RolloutState.RollingBack),
        (RolloutState.Running, RolloutCause.Stop, RolloutState.Stopped),
        (RolloutState.Running, RolloutCause.Cancel, RolloutState.Cancelled),
        (RolloutState.RollingBack, RolloutCause.WentBack, RolloutState.RolledBack));
}
