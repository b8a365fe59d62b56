using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Alerts;

/// <summary>What happens to an alert.</summary>
internal enum AlertTrigger
{
    /// <summary>Nobody acknowledged it in time.</summary>
    Wait,

    /// <summary>Somebody took it.</summary>
    Acknowledge,

    /// <summary>What it was about is over.</summary>
    Clear,
}

/// <summary>The life of an alert: raised → escalated → acknowledged → cleared. The README draws it.</summary>
internal static class AlertStates
{
    /// <summary>Where an alert goes; null: it does not go anywhere by this.</summary>
    public static AlertState? Next(AlertState state, AlertTrigger trigger) => (state, trigger) switch
    {
        (AlertState.Raised, AlertTrigger.Wait) => AlertState.Escalated,
        (AlertState.Raised or AlertState.Escalated, AlertTrigger.Acknowledge) => AlertState.Acknowledged,
        (not AlertState.Cleared, AlertTrigger.Clear) => AlertState.Cleared,
        _ => null,
    };
}
