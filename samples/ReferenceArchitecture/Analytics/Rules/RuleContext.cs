using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Analytics.Ingest;

namespace IoT.Reference.Analytics.Rules;

/// <summary>What a rule is given: the streams, its thresholds, what is known of devices, and where its signals go.</summary>
internal sealed record RuleContext(BusStreams Bus, Thresholds Thresholds, DeviceDirectory Devices, Func<string, ISink<Signal>> Alerts)
{
    /// <summary>Ends a rule in the alerts. An event at which it throws is a dead letter; the rule goes on.</summary>
    public Query Run(string rule, IEventStream<Signal> signals) => signals.To(Alerts(rule), rule, ErrorPolicy.Skip);
}

/// <summary>All rules.</summary>
internal static class RuleSet
{
    public static void Declare(RuleContext context)
    {
        Overheating.Declare(context);
        RisingHeat.Declare(context);
        RateOfChange.Declare(context);
        Anomaly.Declare(context);
        Drift.Declare(context);
        Missing.Declare(context);
        Geofence.Declare(context);
        ImpossibleTravel.Declare(context);
        AuthenticationFailures.Declare(context);
        MessageRate.Declare(context);
        ForbiddenPort.Declare(context);
        NewDestination.Declare(context);
        Flapping.Declare(context);
    }
}
