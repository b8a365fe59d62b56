using System.Globalization;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Reference.Identity;

/// <summary>The enforcement point of <c>Identity</c>'s own entrances: its own keys, revocations and decision point, without a way over the network.</summary>
internal sealed class LocalAccess(KeyRing keys, RevocationList revocations, DecisionPoint decisions, AuditLog audit, IdentityOptions options, Func<string> issuer) : IAccess
{
    private static readonly TimeSpan _skew = TimeSpan.FromSeconds(30);

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = 16_384, MapInboundClaims = false };

    public async ValueTask<Subject?> AuthenticateAsync(string bearerToken)
    {
        if (bearerToken.Length is 0 or > 16_384 || !_handler.CanReadToken(bearerToken))
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(bearerToken, new TokenValidationParameters
        {
            ValidIssuer = issuer(),
            ValidAudience = Claims.Audience,
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            IssuerSigningKeys = keys.Signing,
            RequireExpirationTime = true,
            LifetimeValidator = (_, until, _, _) => until is { } end && options.TimeProvider.GetUtcNow().UtcDateTime < end + _skew,
        });
        if (!result.IsValid || result.SecurityToken is not JsonWebToken { Subject.Length: > 0 } token || IssuedAt(token) is not { } issued || revocations.IsVoid(token.Subject, issued)
            || revocations.IsVoid(TokenName(token.Id), issued))
        {
            return null;
        }

        return new Subject(
            token.Subject,
            Enum.TryParse<SubjectKind>(Value(token, Claims.Kind), ignoreCase: true, out var kind) ? kind : SubjectKind.App,
            Rows.Words(Value(token, "scope")),
            [.. token.Claims.Where(static c => c.Type == Claims.Role).Select(static c => c.Value)],
            Value(token, Claims.SpeaksFor) is { } devices ? Rows.Words(devices) : null);
    }

    public ValueTask<Decision> DecideAsync(Subject subject, string action, string resource) => new(decisions.Decide(subject, action, resource));

    public void Refused(Subject? subject, string action, string resource, string detail, string? origin) => audit.Write(subject?.Id ?? "", action, resource, "refused", detail, origin);

    public void Permitted(Subject subject, string action, string resource, string? origin) => audit.Write(subject.Id, action, resource, "permitted", null, origin);

    /// <summary>What a single token is called among revocations.</summary>
    internal static string TokenName(string? id) => AccessPoint.RevokedToken + id;

    private static DateTimeOffset? IssuedAt(JsonWebToken token) =>
        long.TryParse(Value(token, Claims.IssuedAt), NumberStyles.None, CultureInfo.InvariantCulture, out long exact) ? DateTimeOffset.FromUnixTimeMilliseconds(exact) : null;

    private static string? Value(JsonWebToken token, string claim) => token.TryGetPayloadValue(claim, out object value) ? Convert.ToString(value, CultureInfo.InvariantCulture) : null;
}
