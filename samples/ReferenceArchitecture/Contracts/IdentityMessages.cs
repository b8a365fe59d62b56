namespace IoT.Reference.Contracts;

/// <summary>What a subject is.</summary>
public enum SubjectKind
{
    Person,
    App,
    Device,
    Service,
}

/// <summary>Who wants to do something.</summary>
/// <param name="Scopes">Those of its token; null where it came by a secret.</param>
public sealed record Subject(
    string Id, SubjectKind Kind, IReadOnlyList<string>? Scopes = null, IReadOnlyList<string>? Roles = null, IReadOnlyList<string>? SpeaksFor = null);

/// <summary>May this subject do that?</summary>
/// <param name="Action">One of <see cref="Actions"/>.</param>
/// <param name="Resource">See <see cref="Resources"/>.</param>
public sealed record DecisionRequest(Subject Subject, string Action, string Resource);

/// <summary>The answer of the decision point.</summary>
/// <param name="Policy">The policy that decided; null where none applied, which is a refusal.</param>
/// <param name="Until">When the answer must be asked for again, at the latest: the end of a share, for instance.</param>
/// <param name="Obligations">What the enforcement point must do if it permits: <c>audit</c>, <c>mask:field</c>.</param>
public sealed record Decision(bool Permitted, string? Policy = null, DateTimeOffset? Until = null, IReadOnlyList<string>? Obligations = null);

/// <summary>Make a secret for a device, gateway or app.</summary>
/// <param name="SpeaksFor">For a gateway: the devices behind it, beside those of which <see cref="ResourceFacts.Gateway"/> says so; may be empty. Null: it is no gateway.</param>
/// <param name="Owner">The person an app belongs to.</param>
public sealed record CredentialRequest(
    string Subject, SubjectKind Kind, IReadOnlyList<string>? Scopes = null, IReadOnlyList<string>? SpeaksFor = null, string? Owner = null);

/// <summary>A secret, which is told this once.</summary>
/// <param name="OldValidUntil">Until when the one before still holds.</param>
public sealed record IssuedCredential(string Subject, string Secret, DateTimeOffset? OldValidUntil = null);

/// <summary>Make a new secret; the old one holds for a while.</summary>
public sealed record RotateRequest(TimeSpan Overlap);

/// <summary>Is this the secret of that subject?</summary>
public sealed record VerifyRequest(string Subject, string Secret, string? Origin = null);

/// <summary>Whose secret it was.</summary>
/// <param name="Until">When the secret ends: it was replaced, and holds for a while.</param>
public sealed record VerifiedSubject(
    string Subject, SubjectKind Kind, IReadOnlyList<string> Scopes, IReadOnlyList<string> SpeaksFor, DateTimeOffset? Until = null);

/// <summary>Tokens of a subject that were issued before this are void: <c>GET /v1/revocations</c>.</summary>
public sealed record Revocation(string Subject, DateTimeOffset Before);

/// <summary>What the decision point knows of a device.</summary>
public sealed record ResourceFacts(string? Owner, string? Gateway = null, string? Group = null, bool Locked = false);

/// <summary>An owner lets somebody else do something with a device until a time.</summary>
public sealed record Share(string Id, string Device, string Owner, string With, IReadOnlyList<string> Actions, DateTimeOffset Until);

/// <summary>A wish for a <see cref="Share"/>.</summary>
public sealed record ShareRequest(string Device, string With, IReadOnlyList<string> Actions, DateTimeOffset Until);

/// <summary>Something that decisions hang on has changed.</summary>
/// <param name="Kind">One of <see cref="ChangeKinds"/>.</param>
/// <param name="Id">Of the policy, share, resource (a device's id) or subject.</param>
/// <param name="Time">When; of <see cref="ChangeKinds.Revoked"/>: tokens that were issued before it are void.</param>
public sealed record Change(long Number, string Kind, string Id, DateTimeOffset Time);

/// <summary>What a <see cref="Change"/> is about.</summary>
public static class ChangeKinds
{
    public const string Policy = "policy";
    public const string Share = "share";
    public const string Resource = "resource";

    /// <summary>A subject's credentials and tokens are void: its connections end within a second.</summary>
    public const string Revoked = "revoked";
}
