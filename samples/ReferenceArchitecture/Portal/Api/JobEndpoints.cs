using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>Commands to many devices: the device manager.</summary>
internal static class JobEndpoints
{
    internal static void Map(RouteGroupBuilder api)
    {
        api.MapPost("/jobs", (Layers layers, JobRequest request) => layers.Manager.Send(HttpMethod.Post, "v1/jobs", request, WireJson.Default.JobRequest))
            .Says("startJob", "Send a command to many devices", "In stages, so many a second, and no further when too many fail.").Gives<JobRecord>(StatusCodes.Status202Accepted)
            .Requires(Scopes.SendCommands, Actions.Administer, static _ => Resources.Jobs);
        api.MapGet("/jobs/{job}", (Layers layers, string job) => layers.Manager.Get(Paths.Of("v1/jobs", job)))
            .Says("getJob", "A job and how far it is").Gives<JobRecord>().ProducesProblem(StatusCodes.Status404NotFound)
            .Requires(Scopes.ReadDevices, Actions.Administer, static _ => Resources.Jobs);
        foreach (string verb in (string[])["pause", "resume", "cancel"])
        {
            api.MapPost("/jobs/{job}/" + verb, (Layers layers, string job) => layers.Manager.Send(HttpMethod.Post, Paths.Of("v1/jobs", job, verb)))
                .Says(verb + "Job", char.ToUpperInvariant(verb[0]) + verb[1..] + " a job").Gives<JobRecord>()
                .Requires(Scopes.SendCommands, Actions.Administer, static _ => Resources.Jobs);
        }
    }
}
