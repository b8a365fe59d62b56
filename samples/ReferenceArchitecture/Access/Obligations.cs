using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>What an enforcement point must do if it permits. One that it does not understand makes the permission none (XACML 3.0, 7.18).</summary>
public static class Obligations
{
    /// <summary>Write down that it was permitted: done by the enforcement point itself.</summary>
    public const string Audit = "audit";

    /// <summary>Leave a field out of the answer: <c>mask:location</c>. For an endpoint that says <see cref="AccessEndpoints.Fulfils"/>.</summary>
    public const string Mask = "mask";

    /// <summary>The first that nobody fulfils; null: all are fulfilled.</summary>
    /// <param name="decision">The decision.</param>
    /// <param name="fulfilled">What is fulfilled beside <see cref="Audit"/>, by the part before the colon.</param>
    internal static string? NotUnderstood(Decision decision, IEnumerable<string> fulfilled) =>
        decision.Obligations?.FirstOrDefault(o => o != Audit && !fulfilled.Contains(o.Split(':')[0], StringComparer.Ordinal));

    internal static bool WantsAudit(Decision decision) => decision.Obligations?.Contains(Audit, StringComparer.Ordinal) == true;
}
