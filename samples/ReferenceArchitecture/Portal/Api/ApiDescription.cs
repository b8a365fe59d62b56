using IoT.Reference.Contracts;
using IoT.Reference.Portal.Sessions;
using Microsoft.OpenApi;

namespace IoT.Reference.Portal.Api;

/// <summary>The API's description, <c>/openapi/v1.json</c> (OpenAPI 3.1): made from the endpoints themselves, so that it can't say anything else than what they do.</summary>
internal static class ApiDescription
{
    private const string About =
        """
        Devices, readings, alerts, commands, shares and queries of this installation.

        **Programs** get a token with their id and secret by client credentials (OAuth2) and send it as `Authorization: Bearer`. **Pages** of the portal use the session's cookie, and send the
        session's `X-CSRF-Token` with everything that is not a GET.

        Errors are problem details (RFC 9457). Lists are paged by `after` and `limit`. Times are ISO 8601 in UTC, durations `[d.]hh:mm:ss`. A change of this API that breaks a client gets a new
        version beside this one.
        """;

    internal static void Add(IServiceCollection services) => services.AddOpenApi("v1", static o =>
    {
        o.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        o.ShouldInclude = static d => d.RelativePath?.StartsWith("api/v1/", StringComparison.Ordinal) == true;
        o.AddDocumentTransformer(static (document, context, _) =>
        {
            var options = context.ApplicationServices.GetRequiredService<PortalOptions>();
            document.Info = new OpenApiInfo { Title = "IoT reference API", Version = "1.0", Description = About };
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = Schemes(options.Layers.Identity);
            document.Security =
            [
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("token", document)] = [] },
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("session", document)] = [] },
            ];
            return Task.CompletedTask;
        });
    });

    private static Dictionary<string, IOpenApiSecurityScheme> Schemes(Uri identity) => new()
    {
        ["token"] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.OAuth2,
            Description = "A token of Identity; its scopes narrow what its subject may do.",
            Flows = new OpenApiOAuthFlows
            {
                ClientCredentials = new OpenApiOAuthFlow
                {
                    TokenUrl = new Uri(identity, "connect/token"),
                    Scopes = Scopes.OfPeople.ToDictionary(static s => s, static s => s.Replace('.', ' ')),
                },
            },
        },
        ["session"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Cookie, Name = SessionScheme.Cookie, Description = "The portal's session." },
    };
}
