using IoT.Reference.Contracts;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Reference.Access;

/// <summary>The enforcement point of a web server.</summary>
public static class AccessEndpoints
{
    /// <summary>Gives the enforcement point to <see cref="UseAccess"/>.</summary>
    /// <param name="services">The server's.</param>
    /// <param name="access">The enforcement point.</param>
    public static IServiceCollection AddAccess(this IServiceCollection services, IAccess access) => services.AddSingleton(access);

    /// <summary>
    /// Knows who asks by the bearer token, and lets through what <see cref="Requires"/> of the endpoint allows. Deny by default: an endpoint that says neither <see cref="Requires"/> nor
    /// <c>AllowAnonymous()</c> is refused.
    /// </summary>
    /// <param name="app">The server.</param>
    public static IApplicationBuilder UseAccess(this IApplicationBuilder app) => app.Use(EnforceAsync);

    /// <summary>Who may call an endpoint: a token with this scope, whose subject may do this with that resource.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="scope">The scope that its token must have.</param>
    /// <param name="action">What the decision point is asked: one of <see cref="Actions"/>.</param>
    /// <param name="resource">On what, from the request; null: the scope is enough, and the endpoint itself filters what it gives by <see cref="AccessPoint.FilterAsync"/>.</param>
    public static TBuilder Requires<TBuilder>(this TBuilder endpoint, string scope, string action, Func<HttpContext, string>? resource = null)
        where TBuilder : IEndpointConventionBuilder
    {
        endpoint.Add(b => b.Metadata.Add(new Requirement(scope, action, resource)));
        return endpoint;
    }

    /// <summary>Says that an endpoint fulfils an obligation: <see cref="Obligations.Mask"/>. Where nobody does, a permission with it is none.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="obligation">The part before the colon.</param>
    public static TBuilder Fulfils<TBuilder>(this TBuilder endpoint, string obligation)
        where TBuilder : IEndpointConventionBuilder
    {
        endpoint.Add(b => b.Metadata.Add(new Fulfilment(obligation)));
        return endpoint;
    }

    /// <summary>What the endpoint must do: those of its decision.</summary>
    /// <param name="context">The request.</param>
    public static IReadOnlyList<string> GetObligations(this HttpContext context) => context.Features.Get<ObligationFeature>()?.Obligations ?? [];

    /// <summary>Who asks.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="InvalidOperationException">Nobody proved who he is, and the endpoint is open.</exception>
    public static Subject GetSubject(this HttpContext context) =>
        context.FindSubject() ?? throw new InvalidOperationException("Nobody proved who he is: does the endpoint say Requires?");

    /// <summary>Who asks; null: nobody proved who he is.</summary>
    /// <param name="context">The request.</param>
    public static Subject? FindSubject(this HttpContext context) => context.Features.Get<SubjectFeature>()?.Subject;

    /// <summary>Says who asks, where something else than a bearer token proved it: the portal's session. Before <see cref="UseAccess"/>.</summary>
    /// <param name="context">The request.</param>
    /// <param name="subject">Who.</param>
    public static void SetSubject(this HttpContext context, Subject subject) => context.Features.Set(new SubjectFeature(subject));

    private static async Task EnforceAsync(HttpContext context, RequestDelegate next)
    {
        var access = context.RequestServices.GetRequiredService<IAccess>();
        if (!await IdentifyAsync(context, access))
        {
            return;
        }

        var endpoint = context.GetEndpoint();
        if (endpoint is null || (endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null && endpoint.Metadata.GetMetadata<Requirement>() is null))
        {
            await next(context);
            return;
        }

        var requirements = endpoint.Metadata.GetOrderedMetadata<Requirement>();
        if (requirements.Count == 0)
        {
            await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Nobody may", "This address does not say who may use it.");
            return;
        }

        foreach (var requirement in requirements)
        {
            if (!await MayAsync(context, access, requirement))
            {
                return;
            }
        }

        await next(context);
    }

    private static async ValueTask<bool> IdentifyAsync(HttpContext context, IAccess access)
    {
        string? authorization = context.Request.Headers.Authorization;
        if (authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) != true)
        {
            return true;
        }

        if (await access.AuthenticateAsync(authorization["Bearer ".Length..].Trim()) is { } subject)
        {
            context.SetSubject(subject);
            return true;
        }

        access.Refused(null, context.Request.Method, context.Request.Path, "invalid token", Origin(context));
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        await Problems.WriteAsync(context, StatusCodes.Status401Unauthorized, "Not known", "The token is not valid: it has ended, was revoked, or is meant for another service.");
        return false;
    }

    private static async ValueTask<bool> MayAsync(HttpContext context, IAccess access, Requirement requirement)
    {
        if (context.FindSubject() is not { } subject)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            await Problems.WriteAsync(context, StatusCodes.Status401Unauthorized, "Not known", "Say who you are: Authorization: Bearer and a token.");
            return false;
        }

        string resource = requirement.Resource?.Invoke(context) ?? context.Request.Path.ToString();
        if (subject.Scopes is { } scopes && !scopes.Contains(requirement.Scope, StringComparer.Ordinal))
        {
            access.Refused(subject, requirement.Action, resource, "scope " + requirement.Scope, Origin(context));
            context.Response.Headers.WWWAuthenticate = $"Bearer error=\"insufficient_scope\", scope=\"{requirement.Scope}\"";
            await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Not allowed", $"The token has not the scope {requirement.Scope}.");
            return false;
        }

        return requirement.Resource is null || await IsPermittedAsync(context, access, subject, requirement.Action, resource);
    }

    private static async ValueTask<bool> IsPermittedAsync(HttpContext context, IAccess access, Subject subject, string action, string resource)
    {
        var decision = await access.DecideAsync(subject, action, resource);
        string? refusal = !decision.Permitted ? "no policy permits it"
            : Obligations.NotUnderstood(decision, context.GetEndpoint()!.Metadata.GetOrderedMetadata<Fulfilment>().Select(static f => f.Obligation)) is { } unknown ? "nobody fulfils " + unknown
            : null;
        if (refusal is not null)
        {
            access.Refused(subject, action, resource, refusal, Origin(context));
            await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Not allowed", "No policy permits it.");
            return false;
        }

        if (Obligations.WantsAudit(decision))
        {
            access.Permitted(subject, action, resource, Origin(context));
        }

        if (decision.Obligations is { Count: > 0 } obligations)
        {
            context.Features.Set(new ObligationFeature([.. context.GetObligations(), .. obligations]));
        }

        return true;
    }

    private static string? Origin(HttpContext context) => context.Connection.RemoteIpAddress?.ToString();

    private sealed record Requirement(string Scope, string Action, Func<HttpContext, string>? Resource);

    private sealed record Fulfilment(string Obligation);

    private sealed record ObligationFeature(IReadOnlyList<string> Obligations);

    private sealed record SubjectFeature(Subject Subject);
}
