using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;

namespace IoT.Reference.Identity.Endpoints;

/// <summary>People, what they share, and their data: all of it, or none any more.</summary>
internal sealed class PeopleEndpoints(People people, Erasure erasure, ResourceDirectory resources, RevocationList revocations, ChangeFeed changes, Credentials credentials, AuditLog audit, IdentityOptions options)
{
    private const int MaxPage = 500;

    private static readonly TimeSpan _longestShare = TimeSpan.FromDays(366);

    internal void Map(WebApplication app)
    {
        static string Person(HttpContext c) => Resources.Person((string)c.Request.RouteValues["user"]!);
        app.MapPost("/v1/shares", Share).Requires(Scopes.ManageDevices, Actions.Share);
        app.MapGet("/v1/shares", Shares).Requires(Scopes.ReadDevices, Actions.Read);
        app.MapDelete("/v1/shares/{id}", Unshare).Requires(Scopes.ManageDevices, Actions.Share, c => Resources.Device(resources.FindShare((string)c.Request.RouteValues["id"]!)?.Device ?? ""));
        app.MapPost("/v1/people", Create).Requires(Scopes.ManagePeople, Actions.Administer, static _ => Resources.People);
        app.MapGet("/v1/people", List).Requires(Scopes.ManagePeople, Actions.Administer, static _ => Resources.People);
        app.MapPut("/v1/people/{user}/password", PasswordAsync).Requires(Scopes.ManagePeople, Actions.Manage, Person);
        app.MapGet("/v1/people/{user}/export", Export).Requires(Scopes.ManagePeople, Actions.Manage, Person);
        app.MapDelete("/v1/people/{user}", EraseAsync).Requires(Scopes.ManagePeople, Actions.Manage, Person);
        app.MapGet("/v1/audit", (long? after, int? limit) => Results.Json(audit.List(after ?? 0, Math.Clamp(limit ?? 100, 1, MaxPage)), WireJson.Default.ListAuditEntry))
            .Requires(Scopes.ManagePeople, Actions.Administer, static _ => Resources.People);
    }

    private async Task<IResult> Share(HttpContext context, ShareRequest request, IAccess access)
    {
        var subject = context.GetSubject();
        if (!(await access.DecideAsync(subject, Actions.Share, Resources.Device(request.Device))).Permitted || resources.Find(request.Device)?.Owner is not { } owner)
        {
            access.Refused(subject, Actions.Share, Resources.Device(request.Device), "not the owner", OAuthEndpoints.Origin(context));
            return Problems.Of(StatusCodes.Status403Forbidden, "Not allowed", "Only its owner shares a device.");
        }

        var now = options.TimeProvider.GetUtcNow();
        string? wrong =
            request.Actions.Count == 0 || request.Actions.Except(Actions.Shareable).Any() ? "These can be shared: " + string.Join(", ", Actions.Shareable) + "."
            : request.Until <= now || request.Until > now + _longestShare ? "A share ends, within a year."
            : request.With == owner || (people.Find(request.With) is null && credentials.Find(request.With)?.Kind != SubjectKind.App) ? "There is nobody else of that name."
            : null;
        if (wrong is not null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", wrong);
        }

        if (resources.Add(owner, request) is not { } share)
        {
            return Problems.Of(StatusCodes.Status409Conflict, "Too many", "A device is shared at most a hundred times at once.");
        }

        changes.Tell(ChangeKinds.Share, share.Id);
        audit.Write(subject.Id, "share", Resources.Device(share.Device), "done", $"with {share.With}: {string.Join(' ', share.Actions)}", OAuthEndpoints.Origin(context));
        return Results.Json(share, WireJson.Default.Share, statusCode: StatusCodes.Status201Created);
    }

    private IResult Shares(HttpContext context, string? device)
    {
        var now = options.TimeProvider.GetUtcNow();
        return Results.Json([.. resources.SharesWith(context.GetSubject().Id).Where(s => s.Until > now && (device is null || s.Device == device)).Take(MaxPage)], WireJson.Default.ListShare);
    }

    private IResult Unshare(HttpContext context, string id)
    {
        if (!resources.DeleteShare(id))
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        changes.Tell(ChangeKinds.Share, id);
        audit.Write(context.GetSubject().Id, "unshare", id, "done");
        return Results.NoContent();
    }

    private IResult Create(HttpContext context, NewPerson request)
    {
        string? wrong =
            !DeviceIds.IsValid(request.Id) || credentials.Find(request.Id) is not null || revocations.IsErased(request.Id) ? "The name is not valid, or taken."
            : request.Name.Length is 0 or > 100 ? "The person's name has 1 to 100 characters."
            : request.Roles?.Except([Roles.Operator, Roles.Administrator]).Any() == true ? "There are the roles operator and administrator."
            : null;
        if (wrong is not null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", wrong);
        }

        string password = People.RandomPassword();
        try
        {
            people.Add(request.Id, request.Name, request.Roles ?? [], password);
        }
        catch (InvalidOperationException e)
        {
            return Problems.Of(StatusCodes.Status409Conflict, "Not possible", e.Message);
        }

        audit.Write(context.GetSubject().Id, "person.create", Resources.Person(request.Id), "done");
        return Results.Json(new IssuedCredential(request.Id, password), WireJson.Default.IssuedCredential, statusCode: StatusCodes.Status201Created);
    }

    private IResult List(string? after, int? limit) => Results.Json(
        [.. people.List(after, Math.Clamp(limit ?? 100, 1, MaxPage)).Select(static p => new PersonInfo(p.Id, p.Name, p.Roles, p.Created))], IdentityJson.Default.ListPersonInfo);

    private async Task<IResult> PasswordAsync(HttpContext context, string user, NewPassword request)
    {
        // Nobody sets another's password, also not who may see his data: the old one must be known.
        if (request.New.Length is < People.MinPasswordChars or > People.MaxPasswordChars || await people.LogInAsync(user, request.Old) != LoginOutcome.Right)
        {
            audit.Write(context.GetSubject().Id, "person.password", Resources.Person(user), "refused");
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", $"The old password, and a new one of {People.MinPasswordChars} to {People.MaxPasswordChars} characters.");
        }

        people.SetPassword(user, request.New);
        var now = options.TimeProvider.GetUtcNow().AddMilliseconds(1);
        revocations.Add(user, now);
        changes.Tell(ChangeKinds.Revoked, user, now);
        audit.Write(context.GetSubject().Id, "person.password", Resources.Person(user), "done");
        return Results.NoContent();
    }

    private IResult Export(HttpContext context, string user)
    {
        if (erasure.Export(user) is not { } export)
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        audit.Write(context.GetSubject().Id, "person.export", Resources.Person(user), "done");
        return Results.Json(export, IdentityJson.Default.PersonExport);
    }

    private async Task<IResult> EraseAsync(HttpContext context, string user)
    {
        if (people.Find(user) is null)
        {
            return Problems.Of(StatusCodes.Status404NotFound, "Not known");
        }

        string by = context.GetSubject().Id;
        await erasure.EraseAsync(user, context.RequestAborted);
        audit.Write(by == user ? "erased" : by, "person.erase", "person", "done");
        return Results.NoContent();
    }
}
