using System.Collections.Concurrent;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Store;
using IoT.Reference.Identity.Xacml;

namespace IoT.Reference.Identity;

/// <summary>The one decision point: what is known of the device, the shares and the subject, and what the policies say of it.</summary>
internal sealed class DecisionPoint(PolicyEngine engine, ResourceDirectory resources, Credentials credentials, RevocationList revocations, TimeProvider time)
{
    private const int MaxPooled = 16;

    private readonly ConcurrentBag<PolicyRequest> _pool = [];

    internal Decision[] Decide(DecisionRequest[] asked)
    {
        var request = _pool.TryTake(out var pooled) ? pooled : new PolicyRequest();
        var now = time.GetUtcNow();
        var decisions = new Decision[asked.Length];
        for (int i = 0; i < asked.Length; i++)
        {
            decisions[i] = revocations.IsErased(asked[i].Subject.Id) ? new Decision(false) : engine.Decide(asked[i], View(asked[i]), now, request);
        }

        if (_pool.Count < MaxPooled)
        {
            _pool.Add(request);
        }

        return decisions;
    }

    internal Decision Decide(Subject subject, string action, string resource) => Decide([new DecisionRequest(subject, action, resource)])[0];

    private ResourceView View(DecisionRequest asked)
    {
        var subject = asked.Subject;
        string? actsFor = subject.Kind switch
        {
            SubjectKind.Person => subject.Id,
            SubjectKind.App => credentials.Find(subject.Id)?.Owner,
            _ => null,
        };
        bool isLocked = subject.Kind == SubjectKind.Device && resources.Find(subject.Id)?.Locked == true;
        if (!asked.Resource.StartsWith("device:", StringComparison.Ordinal))
        {
            return new ResourceView(null, isLocked, actsFor, []);
        }

        string device = asked.Resource["device:".Length..];
        var shares = resources.SharesOf(device);
        return new ResourceView(
            resources.Find(device), isLocked, actsFor, shares.Count == 0 ? shares : [.. shares.Where(s => s.With == subject.Id || (actsFor is not null && s.With == actsFor))]);
    }
}
