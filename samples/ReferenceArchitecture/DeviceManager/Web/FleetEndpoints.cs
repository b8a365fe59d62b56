using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Jobs;
using IoT.Reference.DeviceManager.Software;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Reference.DeviceManager.Web;

/// <summary>Requests about many devices: jobs, packages, rollouts; and the audit. For operators and administrators.</summary>
internal sealed class FleetEndpoints(JobStore jobs, PackageStore packages, Rollouts rollouts, AuditLog audit)
{
    public void Map(WebApplication app)
    {
        static string Jobs(HttpContext c) => Resources.Jobs;
        app.MapPost("/v1/jobs", (HttpContext c, JobRequest request) => Job(jobs.Create(request, DeviceEndpoints.By(c)), StatusCodes.Status201Created)).Requires(Scopes.SendCommands, Actions.Administer, Jobs);
        app.MapGet("/v1/jobs", (string? after, int? limit) => Results.Json(jobs.List(after ?? "", DeviceEndpoints.Limit(limit, 100)), WireJson.Default.ListJobRecord)).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/jobs/{id}", (string id) => Job(jobs.Get(id))).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapPost("/v1/jobs/{id}/pause", (HttpContext c, string id) => Job(jobs.Move(id, JobCause.Pause, DeviceEndpoints.By(c)))).Requires(Scopes.SendCommands, Actions.Administer, Jobs);
        app.MapPost("/v1/jobs/{id}/resume", (HttpContext c, string id) => Job(jobs.Move(id, JobCause.Resume, DeviceEndpoints.By(c)))).Requires(Scopes.SendCommands, Actions.Administer, Jobs);
        app.MapPost("/v1/jobs/{id}/cancel", (HttpContext c, string id) => Job(jobs.Move(id, JobCause.Cancel, DeviceEndpoints.By(c)))).Requires(Scopes.SendCommands, Actions.Administer, Jobs);

        app.MapPost("/v1/packages", UploadAsync).Requires(Scopes.ManageDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/packages", (string? after, int? limit) => Results.Json(packages.List(after ?? "", DeviceEndpoints.Limit(limit)), WireJson.Default.ListPackageRecord)).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/packages/key", () => Results.Text(packages.PublicKey, "application/x-pem-file")).Requires(Scopes.ReadDevices, Actions.Read);
        app.MapGet("/v1/packages/{id}", (string id) => Results.Json(packages.Get(id), WireJson.Default.PackageRecord)).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/packages/{id}/content", (string id) => Content(packages.Get(id))).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);

        // A device proves by the path that it was told to load this: 256 random bits that hold as long as the rollout goes on.
        app.MapGet("/v1/packages/{id}/content/{ticket}", (string id, string ticket) => rollouts.IsTicket(id, ticket) ? Content(packages.Get(id)) : throw Refusal.NotFound()).AllowAnonymous();

        app.MapPost("/v1/rollouts", (HttpContext c, RolloutRequest request) => Rollout(rollouts.Create(request, DeviceEndpoints.By(c)), StatusCodes.Status201Created)).Requires(Scopes.ManageDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/rollouts", (string? after, int? limit) => Results.Json(rollouts.List(after ?? "", DeviceEndpoints.Limit(limit)), WireJson.Default.ListRolloutRecord)).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapGet("/v1/rollouts/{id}", (string id) => Rollout(rollouts.Get(id))).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
        app.MapPost("/v1/rollouts/{id}/cancel", (HttpContext c, string id) => Rollout(rollouts.Cancel(id, DeviceEndpoints.By(c)))).Requires(Scopes.ManageDevices, Actions.Administer, Jobs);

        app.MapGet("/v1/audit", Audit).Requires(Scopes.ReadDevices, Actions.Administer, Jobs);
    }

    private static IResult Job(JobRecord job, int status = StatusCodes.Status200OK) => Results.Json(job, WireJson.Default.JobRecord, statusCode: status);

    private static IResult Rollout(RolloutRecord rollout, int status = StatusCodes.Status200OK) => Results.Json(rollout, WireJson.Default.RolloutRecord, statusCode: status);

    private IResult Content(PackageRecord package) => Results.File(packages.PathOf(package.Id), "application/octet-stream");

    // The body is the content; type and version stand in the address: POST /v1/packages?type=pi&version=2.0.0
    private async Task<IResult> UploadAsync(HttpContext context, string type, string version, string? signature)
    {
        // The store counts the bytes itself; the server's own limit is that of all other requests.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        var package = await packages.AddAsync(type, version, signature, context.Request.Body, DeviceEndpoints.By(context), context.RequestAborted);
        return Results.Json(package, WireJson.Default.PackageRecord, statusCode: StatusCodes.Status201Created);
    }

    private IResult Audit(HttpContext context, long? after, int? limit, string? device)
    {
        var entries = audit.List(after ?? 0, DeviceEndpoints.Limit(limit), device is null ? null : Resources.Device(device));
        if (entries.Count > 0)
        {
            context.Response.Headers["Next-After"] = entries[^1].Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return Results.Json([.. entries.Select(static e => e.Entry)], WireJson.Default.ListAuditEntry);
    }
}
