using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>
/// Nothing is heard of a device for longer than it may be silent. A device that sleeps says for how long (<c>SleepsFor</c> in the registry) and is expected only then: devices are in one of four
/// classes by that, each with an absence of its own, so nobody's sleep raises an alarm.
/// </summary>
internal static class Missing
{
    public const string Name = "missing";

    /// <summary>The classes: a device is in the first one that is half as long again as its sleep.</summary>
    internal static readonly TimeSpan[] Classes = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(15), TimeSpan.FromHours(2), TimeSpan.FromHours(36)];

    public static void Declare(RuleContext context)
    {
        foreach (var silentFor in Classes)
        {
            bool IsOf(string device) => ClassOf(context.Devices.Find(device)?.SleepsFor) == silentFor;

            context.Run(Name, context.Bus.Readings.Where(r => IsOf(r.Device)).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse)
                .Silent(silentFor, forgetAfter: TimeSpan.FromDays(30))
                .Where(silence => silence.Returned || IsOf(silence.Key))   // It may have said since that it sleeps longer.
                .Select(silence => new Signal(
                    Name, silence.Key, !silence.Returned, Severity.Warning,
                    silence.Returned ? "heard of again" : FormattableString.Invariant($"nothing for {silentFor.TotalMinutes:0} minutes, since {silence.Since:HH:mm:ss} UTC"), null,
                    silence.Since, default)));
        }
    }

    internal static TimeSpan ClassOf(TimeSpan? sleepsFor)
    {
        foreach (var silentFor in Classes)
        {
            if (silentFor >= (sleepsFor ?? TimeSpan.Zero) * 1.5)
            {
                return silentFor;
            }
        }

        return Classes[^1];
    }
}
