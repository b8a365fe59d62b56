using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Portal.Api;

/// <summary>The API, version 1: what of the layers behind is whose, and what it takes to call it.</summary>
internal static class ApiEndpoints
{
    internal static void Map(WebApplication app)
    {
        var api = app.MapGroup("/api/v1")
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status502BadGateway);
        DeviceEndpoints.Map(api.MapGroup("").WithTags("Devices"));
        JobEndpoints.Map(api.MapGroup("").WithTags("Jobs"));
        AnalyticsEndpoints.Map(api.MapGroup("").WithTags("Readings and alerts"));
        QueryEndpoints.Map(api.MapGroup("").WithTags("Queries"));
        ShareEndpoints.Map(api.MapGroup("").WithTags("Shares"));
        PersonEndpoints.Map(api.MapGroup("").WithTags("Me"));
        app.Map("/api/{**rest}", static c => Problems.WriteAsync(c, StatusCodes.Status404NotFound, "Not known", "There is no such address in the API; see /openapi/v1.json."))
            .AllowAnonymous().ExcludeFromDescription();
    }

    /// <summary>What the address names as <c>{id}</c>, as the decision point knows it.</summary>
    internal static string Device(HttpContext context) => Resources.Device((string)context.Request.RouteValues["id"]!);

    /// <summary>What the description says of an endpoint, beside what its signature does.</summary>
    internal static RouteHandlerBuilder Says(this RouteHandlerBuilder endpoint, string name, string summary, string? description = null)
    {
        endpoint.WithName(name).WithSummary(summary);
        return description is null ? endpoint : endpoint.WithDescription(description);
    }

    /// <summary>What it answers with where all is well.</summary>
    internal static RouteHandlerBuilder Gives<T>(this RouteHandlerBuilder endpoint, int status = StatusCodes.Status200OK) => endpoint.Produces<T>(status, "application/json");
}
