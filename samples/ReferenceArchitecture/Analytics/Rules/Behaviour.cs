using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Analytics.Commands;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>Somebody is refused again and again: n refusals of one subject within a minute, whichever layer refused it, or failed log-ins that a device tells of.</summary>
internal static class AuthenticationFailures
{
    public const string Name = "authentication-failures";

    // The subject of a refusal is what somebody claims to be: he must not fill the memory with invented ones.
    private const int MaxSubjects = 50_000;

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "perMinute", 5, 1, 10_000);

        context.Run(Name, context.Bus.Audit
            .Where(a => a.Outcome == "refused" && a.Layer != Interlock.Layer && a.Subject.Length is > 0 and <= DeviceIds.MaxLength)
            .Select(a => (a.Subject, a.Arrived))
            .Union(context.Bus.Events.Where(e => e.Kind == DeviceEventKinds.LoginFailed).Select(e => (Subject: e.Device, e.Arrived)))
            .KeyBy(a => a.Subject, MaxSubjects, WhenKeysFull.EvictIdle)
            .Window(Window.Hopping(TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(5)).Early(every: 1))
            .SelectUpdates(w => (Subject: w.Key, w.End, Count: w.Count(), Arrived: w.Max(a => a.Arrived)))
            .Where(u => u.HasCurrent && u.Current.Count >= limit.Value)
            .Select(u => u.Current)
            .Select(w => new Signal(
                Name, w.Subject, true, Severity.Critical, FormattableString.Invariant($"refused {w.Count} times within a minute"), w.Count, w.Arrived, w.Arrived, null, TimeSpan.FromMinutes(10))));
    }
}

/// <summary>A device sends far more than it should: it is broken, or somebody else's now.</summary>
internal static class MessageRate
{
    public const string Name = "message-rate";

    private const int Seconds = 10;

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "perSecond", 20, 0.1, 100_000);

        context.Run(Name, context.Bus.Readings.KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse)
            .Window(Window.Tumbling(TimeSpan.FromSeconds(Seconds)))
            .Select(w => (Device: w.Key, w.End, PerSecond: w.Count() / (double)Seconds))
            .Where(w => w.PerSecond > limit.Value)
            .Select(w => new Signal(
                Name, w.Device, true, Severity.Warning, FormattableString.Invariant($"{w.PerSecond:0.#} readings a second"), w.PerSecond, w.End, w.End, null, TimeSpan.FromMinutes(1))));
    }
}

/// <summary>A device contacts a port that no device of its kind needs: a fridge that sends mail.</summary>
internal static class ForbiddenPort
{
    public const string Name = "forbidden-port";

    public static void Declare(RuleContext context) =>
        context.Run(Name, context.Bus.Events
            .Where(e => e is { Kind: DeviceEventKinds.Contacted, Port: 22 or 23 or 25 or 465 or 587 or 3389 or 6667 })
            .Select(e => new Signal(
                Name, e.Device, true, Severity.Critical, $"contacted {SafeText.Escape(e.Destination ?? "somebody", 100)}, port {e.Port}", e.Port, e.Time, e.Arrived, e.Trace, TimeSpan.FromHours(1))));
}

/// <summary>A device that has always talked to the same few hosts talks to another one.</summary>
internal static class NewDestination
{
    public const string Name = "new-destination";

    // What is learned before anything is new, and what is remembered at most: a device has few, one that has many is no case for this rule.
    private const int Learned = 2, MaxKnown = 16;

    public static void Declare(RuleContext context) =>
        context.Run(Name, context.Bus.Events
            .Where(e => e.Kind == DeviceEventKinds.Contacted && e.Destination is { Length: > 0 and <= 255 }).KeyBy(e => e.Device, whenFull: WhenKeysFull.Refuse)
            .Scan((Known: "\n", Count: 0, IsNew: false), (state, e) => Add(state, e.Destination!), (e, state) => (Event: e, state.IsNew))
            .Where(contact => contact.IsNew)
            .Select(contact => new Signal(
                Name, contact.Event.Device, true, Severity.Info, $"contacted {SafeText.Escape(contact.Event.Destination!, 100)} for the first time", contact.Event.Port,
                contact.Event.Time, contact.Event.Arrived, contact.Event.Trace, TimeSpan.FromHours(1))));

    private static (string Known, int Count, bool IsNew) Add((string Known, int Count, bool IsNew) state, string destination) =>
        state.Known.Contains($"\n{destination}\n", StringComparison.Ordinal) || state.Count == MaxKnown
            ? (state.Known, state.Count, false)
            : ($"{state.Known}{destination}\n", state.Count + 1, state.Count >= Learned);
}

/// <summary>A device's connection comes and goes.</summary>
internal static class Flapping
{
    public const string Name = "flapping";

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "lossesIn5Minutes", 5, 2, 1_000);

        context.Run(Name, context.Bus.Presence.Where(p => !p.Online).KeyBy(p => p.Device, whenFull: WhenKeysFull.Refuse)
            .Window(Window.Sliding(TimeSpan.FromMinutes(5), maxEventsPerKey: 1_000, WindowOverflow.DropOldest))
            .Select(w => (Device: w.Key, w.End, Count: w.Count()))
            .Where(w => w.Count >= limit.Value)
            .Select(w => new Signal(
                Name, w.Device, true, Severity.Info, FormattableString.Invariant($"offline {w.Count} times in five minutes"), w.Count, w.End, w.End, null, TimeSpan.FromMinutes(10))));
    }
}
