using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;

namespace IoT.Reference.Identity.Endpoints;

/// <summary>Secrets of devices and apps, and what is known of devices.</summary>
internal sealed class CredentialEndpoints(
    Credentials credentials, ResourceDirectory resources, RevocationList revocations, ChangeFeed changes, WrongSecrets wrongSecrets, People people, AuditLog audit, IdentityOptions options)
{
    private static readonly TimeSpan _longestOverlap = TimeSpan.FromDays(30);

    internal void Map(WebApplication app)
    {
        app.MapPost("/v1/credentials", Create).Requires(Scopes.ManageIdentity, Actions.Manage);
        app.MapPost("/v1/credentials/{subject}/rotate", Rotate).Requires(Scopes.ManageIdentity, Actions.Manage);
        app.MapDelete("/v1/credentials/{subject}", Delete).Requires(Scopes.ManageIdentity, Actions.Manage);
        app.MapPost("/v1/credentials/verify", Verify).Requires(Scopes.Decide, Actions.Read).RequireRateLimiting(IdentityLayer.TokenLimit);
        app.MapPut("/v1/resources/{id}", PutResource).Requires(Scopes.ManageIdentity, Actions.Manage);
        app.MapDelete("/v1/resources/{id}", DeleteResource).Requires(Scopes.ManageIdentity, Actions.Manage);
    }

    internal void Revoke(string subject)
    {
        // A token of this very millisecond may have been made with the old secret.
        var now = options.TimeProvider.GetUtcNow().AddMilliseconds(1);
        revocations.Add(subject, now);
        changes.Tell(ChangeKinds.Revoked, subject, now);
    }

    private IResult Create(HttpContext context, CredentialRequest request)
    {
        bool isName = DeviceIds.IsValid(request.Subject) && !ServiceScopes.Layers.Contains(request.Subject) && request.Subject != OAuthServer.CommandLine;
        string[] allowed = request.Kind == SubjectKind.Device ? [Scopes.UseBus] : [.. Scopes.OfPeople];
        string? wrong =
            !isName || people.Find(request.Subject) is not null || revocations.IsErased(request.Subject) ? "The name is not valid, or taken."
            : request.Kind is not (SubjectKind.Device or SubjectKind.App) ? "Secrets are made for devices and apps."
            : request.Scopes?.Except(allowed).Any() == true ? "It may not have these scopes."
            : request.SpeaksFor is { } devices && (devices.Count > 100 || devices.Any(static d => !DeviceIds.IsValid(d))) ? "It speaks for at most 100 devices by name; others name it as their gateway."
            : request.Kind == SubjectKind.App && (request.Owner is null || people.Find(request.Owner) is null) ? "An app belongs to a person."
            : null;
        if (wrong is not null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", wrong);
        }

        if (credentials.Find(request.Subject) is not null)
        {
            return Problems.Of(StatusCodes.Status409Conflict, "There is one", "Rotate it, or delete it first.");
        }

        if (credentials.Issue(request) is not { } secret)
        {
            return Problems.Of(StatusCodes.Status507InsufficientStorage, "Full", "There are as many subjects as may be.");
        }

        Audit(context, "credential.create", request.Subject);
        return Results.Json(new IssuedCredential(request.Subject, secret), WireJson.Default.IssuedCredential, statusCode: StatusCodes.Status201Created);
    }

    private IResult Rotate(HttpContext context, string subject, RotateRequest request)
    {
        if (request.Overlap < TimeSpan.Zero || request.Overlap > _longestOverlap || ServiceScopes.Layers.Contains(subject))
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", "The overlap is 0 to 30 days, and a layer's own secret is not rotated here.");
        }

        var until = options.TimeProvider.GetUtcNow() + request.Overlap;
        if (credentials.Rotate(subject, until) is not { } secret)
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        Audit(context, "credential.rotate", subject);
        return Results.Json(new IssuedCredential(subject, secret, until), WireJson.Default.IssuedCredential);
    }

    private IResult Delete(HttpContext context, string subject)
    {
        if (ServiceScopes.Layers.Contains(subject) || !credentials.Delete(subject))
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        Revoke(subject);
        Audit(context, "credential.revoke", subject);
        return Results.NoContent();
    }

    private IResult Verify(VerifyRequest request)
    {
        if (request.Subject.Length <= DeviceIds.MaxLength && request.Secret.Length <= 256)
        {
            var verified = credentials.Verify(request.Subject, request.Secret);
            wrongSecrets.Count(request.Subject, verified is not null);
            if (verified is var (credential, until) && credential is { })
            {
                return Results.Json(
                    new VerifiedSubject(credential.Subject, credential.Kind, credential.Scopes, credential.SpeaksFor ?? [], until), WireJson.Default.VerifiedSubject);
            }
        }

        return Problems.Of(StatusCodes.Status403Forbidden, "Not right");
    }

    private IResult PutResource(string id, ResourceFacts facts)
    {
        bool isValid = DeviceIds.IsValid(id) && (facts.Gateway is null || DeviceIds.IsValid(facts.Gateway)) && facts.Owner?.Length is null or <= 64 && facts.Group?.Length is null or <= 64;
        if (!isValid || (facts.Owner is { } owner && revocations.IsErased(owner)))
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", "A device's name, its gateway's, an owner and a group of at most 64 characters.");
        }

        if (!resources.Put(id, facts))
        {
            return Problems.Of(StatusCodes.Status507InsufficientStorage, "Full", "There are as many devices as may be.");
        }

        changes.Tell(ChangeKinds.Resource, id);
        return Results.NoContent();
    }

    private IResult DeleteResource(string id)
    {
        if (!resources.Delete(id))
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        changes.Tell(ChangeKinds.Resource, id);
        return Results.NoContent();
    }

    private void Audit(HttpContext context, string action, string subject) =>
        audit.Write(context.GetSubject().Id, action, subject, "done", null, OAuthEndpoints.Origin(context));
}
