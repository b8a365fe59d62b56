using System.Net;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;
using IoT.Reference.Portal.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;

namespace IoT.Reference.Portal.Api;

/// <summary>Who calls, and his personal data in all layers: all of it, or none any more.</summary>
internal static class PersonEndpoints
{
    private const int PageSize = 500, MaxDevices = 10_000, DevicesAtOnce = 100;

    internal static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/me", static (HttpContext context) =>
            {
                var subject = context.GetSubject();
                return Results.Json(new Caller(subject.Id, subject.Kind.ToString(), subject.Scopes ?? [], subject.Roles ?? []), PortalJson.Default.Caller);
            })
            .Says("whoAmI", "Whom your token is for").Gives<Caller>().Requires(Scopes.ReadDevices, Actions.Read);
        api.MapGet("/me/export", ExportAsync)
            .Says("exportMe", "Everything that is kept about you", "From every layer, as one JSON document.").Gives<PersonalData>().Requires(Scopes.ManagePeople, Actions.Manage);
        api.MapDelete("/me", EraseAsync)
            .Says("eraseMe", "Erase everything that is kept about you",
                "Readings and alerts, then devices and their state, then the account. Where a layer does not answer nothing after it is touched: ask again, and it goes on where it was.")
            .Produces(StatusCodes.Status204NoContent).Requires(Scopes.ManagePeople, Actions.Manage);
    }

    private static async Task<IResult> ExportAsync(HttpContext context, Layers layers)
    {
        string person = Person(context);
        var devices = await OwnDevicesAsync(context, layers, person);
        var data = new PersonalData(
            await layers.Identity.ReadAsync(context, HttpMethod.Get, Paths.Of("v1/people", person, "export")),
            await layers.Manager.ReadAsync(context, HttpMethod.Get, Paths.Of("v1/people", person, "export")),
            [.. await Task.WhenAll(Parts(devices).Select(some => layers.Analytics.ReadAsync(context, HttpMethod.Get, Paths.Of("v1/people", person, "export").With(("devices", some)))))]);
        context.Response.Headers.ContentDisposition = "attachment; filename=\"my-data.json\"";
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(data, PortalJson.Default.PersonalData);
    }

    private static async Task<IResult> EraseAsync(HttpContext context, Layers layers)
    {
        string person = Person(context);
        var devices = await OwnDevicesAsync(context, layers, person);
        foreach (var (layer, path) in ((Layer, string)[])
        [
            .. Parts(devices).Select(some => (layers.Analytics, Paths.Of("v1/people", person).With(("devices", some)))),
            (layers.Manager, Paths.Of("v1/people", person)),

            // Last: it is what the others know the person by, and his token is void afterwards.
            (layers.Identity, Paths.Of("v1/people", person)),
        ])
        {
            try
            {
                await layer.ReadAsync(context, HttpMethod.Delete, path);
            }
            catch (HttpRequestException e) when (e.StatusCode == HttpStatusCode.NotFound)
            {
                // Nothing is kept there, or it went the time before.
            }
        }

        await context.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        return Results.NoContent();
    }

    // So many that an address stays of a length that every server takes; one without any where there are none.
    private static IEnumerable<string> Parts(List<string> devices) =>
        devices.Count == 0 ? [""] : devices.Chunk(DevicesAtOnce).Select(static some => string.Join(',', some));

    private static string Person(HttpContext context)
    {
        var subject = context.GetSubject();
        return subject.Kind == SubjectKind.Person ? subject.Id : throw new BadHttpRequestException("Only people have personal data.");
    }

    private static async Task<List<string>> OwnDevicesAsync(HttpContext context, Layers layers, string person)
    {
        var own = new List<string>();
        string? after = null;
        while (own.Count < MaxDevices)
        {
            var page = (await layers.Manager.ReadAsync(context, HttpMethod.Get, "v1/devices".With(("after", after), ("limit", "500")))).Deserialize(WireJson.Default.ListDeviceRecord) ?? [];
            own.AddRange(page.Where(d => d.Owner == person).Select(static d => d.Id));
            if (page.Count < PageSize)
            {
                break;
            }

            after = page[^1].Id;
        }

        return own;
    }
}
