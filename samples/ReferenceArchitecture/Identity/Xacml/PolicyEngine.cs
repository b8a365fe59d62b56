using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Xacml;

/// <summary>What is known of a resource when it is decided about.</summary>
/// <param name="IsSubjectLocked">Whether the subject is a device that is locked.</param>
/// <param name="ActsFor">Whose devices it may use as its own: a person's are its own, an app's those of the person it belongs to.</param>
/// <param name="Shares">Those of this device with this subject.</param>
internal readonly record struct ResourceView(ResourceFacts? Facts, bool IsSubjectLocked, string? ActsFor, IReadOnlyList<Share> Shares);

/// <summary>
/// The policy decision point: all policies, combined by deny-overrides, over what is known of subject and resource. What is not permitted is denied, also where an evaluation fails.
/// </summary>
internal sealed class PolicyEngine
{
    private const string SubjectCategory = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject";
    private const string ResourceCategory = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource";
    private const string ActionCategory = "urn:oasis:names:tc:xacml:3.0:attribute-category:action";
    private const string EnvironmentCategory = "urn:oasis:names:tc:xacml:3.0:attribute-category:environment";
    private const string ObligationPrefix = "urn:iot:obligation:";

    private readonly AttributeSlots _slots = new();
    private readonly int _subject, _kind, _role, _scope, _isScoped, _speaksFor, _isSubjectLocked, _actsFor;
    private readonly int _resource, _resourceType, _name, _owner, _gateway, _group, _isLocked, _isKnown, _sharedActions;
    private readonly int _action, _now, _date, _time;
    private volatile PolicyGroup _root = Root([]);

    internal PolicyEngine()
    {
        _subject = _slots.Of(SubjectCategory, "urn:oasis:names:tc:xacml:1.0:subject:subject-id", DataType.String);
        _kind = _slots.Of(SubjectCategory, "urn:iot:subject:kind", DataType.String);
        _role = _slots.Of(SubjectCategory, "urn:iot:subject:role", DataType.String);
        _scope = _slots.Of(SubjectCategory, "urn:iot:subject:scope", DataType.String);
        _isScoped = _slots.Of(SubjectCategory, "urn:iot:subject:scoped", DataType.Boolean);
        _speaksFor = _slots.Of(SubjectCategory, "urn:iot:subject:speaks-for", DataType.String);
        _actsFor = _slots.Of(SubjectCategory, "urn:iot:subject:acts-for", DataType.String);
        _isSubjectLocked = _slots.Of(SubjectCategory, "urn:iot:subject:locked", DataType.Boolean);
        _resource = _slots.Of(ResourceCategory, "urn:oasis:names:tc:xacml:1.0:resource:resource-id", DataType.String);
        _resourceType = _slots.Of(ResourceCategory, "urn:iot:resource:type", DataType.String);
        _name = _slots.Of(ResourceCategory, "urn:iot:resource:name", DataType.String);
        _owner = _slots.Of(ResourceCategory, "urn:iot:resource:owner", DataType.String);
        _gateway = _slots.Of(ResourceCategory, "urn:iot:resource:gateway", DataType.String);
        _group = _slots.Of(ResourceCategory, "urn:iot:resource:group", DataType.String);
        _isLocked = _slots.Of(ResourceCategory, "urn:iot:resource:locked", DataType.Boolean);
        _isKnown = _slots.Of(ResourceCategory, "urn:iot:resource:known", DataType.Boolean);
        _sharedActions = _slots.Of(ResourceCategory, "urn:iot:resource:shared-action", DataType.String);
        _action = _slots.Of(ActionCategory, "urn:oasis:names:tc:xacml:1.0:action:action-id", DataType.String);
        _now = _slots.Of(EnvironmentCategory, "urn:oasis:names:tc:xacml:1.0:environment:current-dateTime", DataType.DateTime);
        _date = _slots.Of(EnvironmentCategory, "urn:oasis:names:tc:xacml:1.0:environment:current-date", DataType.Date);
        _time = _slots.Of(EnvironmentCategory, "urn:oasis:names:tc:xacml:1.0:environment:current-time", DataType.Time);
    }

    /// <summary>Reads a policy without letting it count.</summary>
    /// <exception cref="PolicyException">It can't be decided by.</exception>
    internal PolicyNode Parse(string xml) => PolicyParser.Parse(xml, _slots);

    /// <summary>From now on these count.</summary>
    internal void Use(IEnumerable<PolicyNode> policies) => _root = Root([.. policies]);

    internal Decision Decide(DecisionRequest asked, ResourceView view, DateTimeOffset now, PolicyRequest request)
    {
        Fill(request, asked, view, now, out var until);
        var answer = _root.Evaluate(request);
        return new Decision(
            answer.Effect == Effect.Permit,
            answer.Policy == _root.Id ? null : answer.Policy,
            until,
            answer.Effect is Effect.Permit && answer.Obligations is { Count: > 0 } obligations ? [.. obligations.Select(Word)] : null);
    }

    private static PolicyGroup Root(PolicyNode[] policies) => new("root", Target.Everything, Combining.DenyOverrides, policies, []);

    private static string Word(Obligation obligation)
    {
        string id = obligation.Id.StartsWith(ObligationPrefix, StringComparison.Ordinal) ? obligation.Id[ObligationPrefix.Length..] : obligation.Id;
        return obligation.Values.Count == 0 ? id : id + ":" + string.Join(',', obligation.Values.Select(static v => v.Value));
    }

    private void Fill(PolicyRequest request, DecisionRequest asked, ResourceView view, DateTimeOffset now, out DateTimeOffset? until)
    {
        request.Clear();
        var subject = asked.Subject;
        request[_subject] = [subject.Id];
        request[_kind] = [KindOf(subject.Kind)];
        request[_role] = Texts(subject.Roles);
        request[_scope] = Texts(subject.Scopes);
        request[_isScoped] = [DataTypes.Boxed(subject.Scopes is not null)];
        request[_speaksFor] = Texts(subject.SpeaksFor);
        request[_actsFor] = Text(view.ActsFor);
        request[_isSubjectLocked] = [DataTypes.Boxed(view.IsSubjectLocked)];

        int colon = asked.Resource.IndexOf(':', StringComparison.Ordinal);
        request[_resource] = [asked.Resource];
        request[_resourceType] = [colon < 0 ? asked.Resource : asked.Resource[..colon]];
        request[_name] = colon < 0 ? PolicyRequest.Nothing : [asked.Resource[(colon + 1)..]];
        request[_isKnown] = [DataTypes.Boxed(view.Facts is not null)];
        if (view.Facts is { } facts)
        {
            request[_owner] = Text(facts.Owner);
            request[_gateway] = Text(facts.Gateway);
            request[_group] = Text(facts.Group);
            request[_isLocked] = [DataTypes.Boxed(facts.Locked)];
        }

        request[_action] = [asked.Action];
        request[_now] = [now];
        request[_date] = [DateOnly.FromDateTime(now.UtcDateTime)];
        request[_time] = [TimeOnly.FromDateTime(now.UtcDateTime)];
        until = null;
        if (view.Shares.Count > 0)
        {
            request[_sharedActions] = SharedActions(view.Shares, now, out until);
        }
    }

    // A share that has ended is none; the decision holds until the first of the others ends.
    private static object[] SharedActions(IReadOnlyList<Share> shares, DateTimeOffset now, out DateTimeOffset? until)
    {
        until = null;
        var actions = new List<object>();
        foreach (var share in shares)
        {
            if (share.Until > now)
            {
                actions.AddRange(share.Actions);
                until = until is null || share.Until < until ? share.Until : until;
            }
        }

        return [.. actions];
    }

    private static string KindOf(SubjectKind kind) => kind switch
    {
        SubjectKind.Person => "person",
        SubjectKind.App => "app",
        SubjectKind.Device => "device",
        _ => "service",
    };

    private static object[] Text(string? text) => text is null ? PolicyRequest.Nothing : [text];

    private static object[] Texts(IReadOnlyList<string>? texts) => texts is { Count: > 0 } ? [.. texts] : PolicyRequest.Nothing;
}
