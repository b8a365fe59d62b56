using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>What owners share: Identity.</summary>
internal static class ShareEndpoints
{
    internal static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/shares", (Layers layers, string? device) => layers.Identity.Get("v1/shares".With(("device", device))))
            .Says("listShares", "What you share and what is shared with you").Gives<List<Share>>()
            .Requires(Scopes.ReadDevices, Actions.Read);
        api.MapPost("/shares", (Layers layers, ShareRequest request) => layers.Identity.Send(HttpMethod.Post, "v1/shares", request, WireJson.Default.ShareRequest))
            .Says("share", "Let somebody do something with your device", "Until a time, a year at the most: read, command, acknowledge.").Gives<Share>(StatusCodes.Status201Created)
            .Requires(Scopes.ManageDevices, Actions.Share);
        api.MapDelete("/shares/{share}", (Layers layers, string share) => layers.Identity.Send(HttpMethod.Delete, Paths.Of("v1/shares", share)))
            .Says("unshare", "End a share", "It counts at once, everywhere.").Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status404NotFound)
            .Requires(Scopes.ManageDevices, Actions.Share);
    }
}
