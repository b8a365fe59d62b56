using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Catalog;
using IoT.Reference.ApiGateway.Limits;
using IoT.Reference.ApiGateway.Subscriptions;
using IoT.Reference.Contracts;
using Yarp.ReverseProxy;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>What the developer page, and programs in its place, ask for.</summary>
internal sealed class DeveloperEndpoints(
    CatalogFile catalog, SubscriptionBook book, SubscriptionStore store, DeveloperSessions sessions, IProxyStateLookup proxy, TokenBuckets buckets, ApiGatewayOptions options)
{
    private const int MaxName = 64;
    private const double LongestOverlap = 30 * 24;

    private static readonly object _person = new();

    internal void Map(WebApplication app)
    {
        app.MapGet("/developers/api/apis", Offered).AddEndpointFilter(ChargeAsync);
        var own = app.MapGroup("/developers/api").AddEndpointFilter(ChargeAsync).AddEndpointFilter(SignedInAsync);
        own.MapGet("/session", (HttpContext c) => Results.Json(new SignedIn(Of(c).Person.Id, Of(c).Csrf, Of(c).Person.Scopes ?? []), GatewayJson.Default.SignedIn));
        own.MapGet("/subscriptions", (HttpContext c) => Subscriptions(c));
        own.MapPost("/subscriptions", SubscribeAsync);
        own.MapDelete("/subscriptions/{app}", UnsubscribeAsync);
        own.MapPost("/subscriptions/{app}/keys", RotateAsync);
        own.MapDelete("/subscriptions/{app}/keys/{name}", RevokeKey);
        own.MapGet("/subscriptions/{app}/usage", UsageOf);
        app.MapGet("/v1/people/{user}/export", Export).AddEndpointFilter(ChargeAsync).AddEndpointFilter(SignedInAsync);
        app.MapDelete("/v1/people/{user}", EraseAsync).AddEndpointFilter(ChargeAsync).AddEndpointFilter(SignedInAsync);
    }

    // People at a page ask seldom: all of it is charged to the address, signed in or not.
    private async ValueTask<object?> ChargeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        context.HttpContext.Response.Headers.CacheControl = "no-store";
        return await Gate.RefusesStrangerAsync(context.HttpContext, options, buckets) ? Results.Empty : await next(context);
    }

    private async ValueTask<object?> SignedInAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (await sessions.FindAsync(http) is not { } session)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return Problems.Of(StatusCodes.Status401Unauthorized, "Not known", "Sign in at /developers/login, or send a person's token.");
        }

        if (!HttpMethods.IsGet(http.Request.Method) && !DeveloperSessions.IsFromHere(http, session))
        {
            return Problems.Of(StatusCodes.Status403Forbidden, "Not from this page", $"The header {DeveloperSessions.CsrfHeader} is missing.");
        }

        http.Items[_person] = session;
        return await next(context);
    }

    private static DeveloperSession Of(HttpContext context) => (DeveloperSession)context.Items[_person]!;

    private IResult Offered()
    {
        var current = catalog.Current;
        var apis = current.Apis.Select(a => new OfferedApi(a.Id, a.Title, a.Description, a.Scopes, [.. a.Versions.Select(v => Describe(a, v))])).ToList();
        var plans = current.Plans.Select(p => new OfferedPlan(p.Key, p.Value.PerSecond, p.Value.Burst, p.Value.PerDay)).ToList();
        return Results.Json(new Offer(apis, plans), GatewayJson.Default.Offer);
    }

    private OfferedVersion Describe(Api api, ApiVersion version)
    {
        proxy.TryGetCluster(ProxyRoutes.ClusterOf(api, version), out var cluster);
        string? document = version.OpenApi is null || version.State == VersionState.Retired ? null : $"/developers/documents/{api.Id}/{version.Version}";
        return new OfferedVersion(
            version.Version, version.State.ToString().ToLowerInvariant(), version.Path, document, version.Deprecated, version.Sunset, version.Successor,
            cluster?.DestinationsState.AllDestinations.Count ?? 0, cluster?.DestinationsState.AvailableDestinations.Count ?? 0);
    }

    private IResult Subscriptions(HttpContext context) =>
        Results.Json([.. book.Of(Of(context).Person.Id).Select(Show)], GatewayJson.Default.ListShownSubscription);

    private async Task<IResult> SubscribeAsync(HttpContext context, SubscribeRequest request)
    {
        var person = Of(context).Person;
        var api = catalog.Current.Apis.FirstOrDefault(a => a.Id == request.Api);
        IReadOnlyList<string> scopes = request.Scopes ?? api?.Scopes.Intersect(person.Scopes ?? []).ToList() ?? [];
        string? wrong = api is null || api.Versions.All(v => v.State == VersionState.Retired) ? "There is no such API."
            : string.IsNullOrWhiteSpace(request.Name) || request.Name.Length > MaxName || request.Name.Any(char.IsControl) ? $"Give the app a name of at most {MaxName} characters."
            : !catalog.Current.Plans.ContainsKey(request.Plan ?? "") ? "There is no such plan."
            : scopes.Count == 0 || scopes.Except(api.Scopes).Any() ? "Choose scopes of the API."
            : scopes.Except(person.Scopes ?? []).Any() ? "Your own token has not these scopes, and nobody gives what he has not."
            : null;
        if (wrong is not null)
        {
            return Problems.Of(StatusCodes.Status400BadRequest, "Not valid", wrong);
        }

        return await AskIdentityAsync(async () => await book.AddAsync(person.Id, api!, request.Name.Trim(), request.Plan!, [.. scopes.Distinct()], context.RequestAborted) is { } issued
            ? Results.Json(Show(issued), GatewayJson.Default.ShownSecrets, statusCode: StatusCodes.Status201Created)
            : Problems.Of(StatusCodes.Status409Conflict, "Full", $"At most {options.MaxSubscriptionsPerPerson} for a person: end one first."));
    }

    private Task<IResult> UnsubscribeAsync(HttpContext context, string app) => OwnAsync(context, app, s => AskIdentityAsync(async () =>
    {
        await book.RemoveAsync(s, context.RequestAborted);
        return Results.NoContent();
    }));

    private Task<IResult> RotateAsync(HttpContext context, string app, RotateKeyRequest request) => OwnAsync(context, app, async s =>
        !(request.OverlapHours is >= 0 and <= LongestOverlap) ? Problems.Of(StatusCodes.Status400BadRequest, "Not valid", "The overlap is 0 to 720 hours.")
        : await AskIdentityAsync(async () => Results.Json(
            Show(await book.RotateAsync(s, TimeSpan.FromHours(request.OverlapHours), context.RequestAborted)), GatewayJson.Default.ShownSecrets, statusCode: StatusCodes.Status201Created)));

    private Task<IResult> RevokeKey(HttpContext context, string app, string name) =>
        OwnAsync(context, app, s => Task.FromResult(book.RevokeKey(s.App, name) ? Results.NoContent() : Problems.Of(StatusCodes.Status404NotFound, "There is no such key")));

    private Task<IResult> UsageOf(HttpContext context, string app, int hours = 24) => OwnAsync(context, app, s => Task.FromResult(Results.Json(
        [
            .. store.Calls(s.App, options.TimeProvider.GetUtcNow().AddHours(-Math.Clamp(hours, 1, 720)))
                .Select(h => new ShownHour(h.Hour, h.Calls, h.Errors, h.Refused, Math.Round(h.Milliseconds / Math.Max(1, h.Calls), 2))),
        ],
        GatewayJson.Default.ListShownHour)));

    private IResult Export(HttpContext context, string user) => MayActFor(context, user)
        ? Results.Json([.. book.Of(user).Select(Show)], GatewayJson.Default.ListShownSubscription)
        : Problems.Of(StatusCodes.Status403Forbidden, "Not allowed", "One's own, or an administrator's to see.");

    private async Task<IResult> EraseAsync(HttpContext context, string user) => !MayActFor(context, user)
        ? Problems.Of(StatusCodes.Status403Forbidden, "Not allowed", "One's own, or an administrator's to erase.")
        : await AskIdentityAsync(async () =>
        {
            foreach (var subscription in book.Of(user))
            {
                await book.RemoveAsync(subscription, context.RequestAborted);
            }

            store.Compact();
            return Results.NoContent();
        });

    private static bool MayActFor(HttpContext context, string user)
    {
        var person = Of(context).Person;
        return person.Id == user || (person.Roles?.Contains(Roles.Administrator) == true && person.Scopes?.Contains(Scopes.ManagePeople) == true);
    }

    // Another's is not told apart from one that is not there.
    private Task<IResult> OwnAsync(HttpContext context, string app, Func<Subscription, Task<IResult>> work) =>
        book.Find(app) is { } subscription && subscription.Owner == Of(context).Person.Id ? work(subscription) : Task.FromResult(Problems.Of(StatusCodes.Status404NotFound, "There is no such subscription"));

    private static async Task<IResult> AskIdentityAsync(Func<Task<IResult>> work)
    {
        try
        {
            return await work();
        }
        catch (HttpRequestException e)
        {
            return e.StatusCode is { } status && (int)status is >= 400 and < 500
                ? Problems.Of(StatusCodes.Status409Conflict, "Not done", $"Identity refused it ({(int)status}).")
                : Problems.Of(StatusCodes.Status503ServiceUnavailable, "Not now", "Identity does not answer; try again.");
        }
    }

    private ShownSubscription Show(Subscription s) =>
        new(s.App, s.Api, s.Name, s.Plan, s.Scopes, s.Created, [.. book.KeysOf(s.App).Select(k => new ShownKey(k.Name, k.Created, k.Ends))]);

    private static ShownSecrets Show(Issued i) => new(i.Subscription.App, i.Secret, i.Key, i.OldValidUntil);
}
