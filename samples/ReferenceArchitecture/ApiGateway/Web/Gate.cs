using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Security.Cryptography;
using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Catalog;
using IoT.Reference.ApiGateway.Limits;
using IoT.Reference.ApiGateway.Subscriptions;
using IoT.Reference.ApiGateway.Usage;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>What each call passes before it is sent on: is the version still there, whose subscription is it, is it within its plan. Whatever comes of it is told as usage.</summary>
internal sealed class Gate(CatalogFile catalog, SubscriptionBook book, AccessPoint access, TokenBuckets buckets, Quotas quotas, UsageReporter usage, ApiGatewayOptions options)
{
    internal const string KeyHeader = "X-Api-Key";

    private const int MaxPathCharacters = 256;

    private static readonly Counter<long> _requests = ReferenceTelemetry.Meter.CreateCounter<long>("iot_reference_gateway_requests", "{request}", "Calls of APIs, by API, version and class of status.");
    private static readonly Histogram<double> _duration = ReferenceTelemetry.Meter.CreateHistogram<double>("iot_reference_gateway_duration", "s", "How long calls of APIs took.");

    // A table of their own: a flood of strange addresses takes no room from those who have a plan.
    private readonly TokenBuckets _plans = new(options.MaxSubscriptions, options.TimeProvider);

    internal async Task PassAsync(HttpContext context, RequestDelegate next)
    {
        var metadata = context.GetReverseProxyFeature().Route.Config.Metadata!;
        if (catalog.Current.Find(metadata[ProxyRoutes.Api], metadata[ProxyRoutes.Version]) is not var (api, version))
        {
            await Problems.WriteAsync(context, StatusCodes.Status404NotFound, "There is no such API");
            return;
        }

        if (metadata[ProxyRoutes.Open] == "true")
        {
            context.Request.Headers.Remove("Authorization");
            if (!await RefusesStrangerAsync(context, options, buckets))
            {
                await next(context);
            }

            return;
        }

        long from = Stopwatch.GetTimestamp();
        string client = "-";
        try
        {
            Announce(context, version, api);
            if (version.State == VersionState.Retired)
            {
                if (!await RefusesStrangerAsync(context, options, buckets))
                {
                    await Problems.WriteAsync(context, StatusCodes.Status410Gone, "Retired", $"Version {version.Version} is no more; use {version.Successor ?? "a newer one"}.");
                }
            }
            else if (await AdmitAsync(context, api) is { } subscription)
            {
                client = subscription.App;
                if (await IsWithinPlanAsync(context, subscription))
                {
                    await next(context);
                    await ExplainAsync(context);
                }
            }
        }
        finally
        {
            Tell(context, api, version, client, Stopwatch.GetElapsedTime(from));
        }
    }

    /// <summary>Charges the address of somebody who proves nothing.</summary>
    /// <returns>Whether that was one request too many, which is answered.</returns>
    internal static async ValueTask<bool> RefusesStrangerAsync(HttpContext context, ApiGatewayOptions options, TokenBuckets buckets)
    {
        var wait = buckets.Take(context.Connection.RemoteIpAddress?.ToString() ?? "", options.StrangersPerSecond, options.StrangersPerSecond * 3);
        if (wait == TimeSpan.Zero)
        {
            return false;
        }

        await WriteTooManyAsync(context, wait, "This address asks too often without a key or token.");
        return true;
    }

    private static void Announce(HttpContext context, ApiVersion version, Api api)
    {
        if (version.State == VersionState.Current)
        {
            return;
        }

        // RFC 9745, RFC 8594. Set when the answer begins, since what is behind may have headers of its own.
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            if (version.Deprecated is { } since)
            {
                headers["Deprecation"] = "@" + since.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            }

            if (version.Sunset is { } sunset)
            {
                headers["Sunset"] = sunset.ToUniversalTime().ToString("r", CultureInfo.InvariantCulture);
            }

            if (api.Versions.FirstOrDefault(v => v.Version == version.Successor) is { } successor)
            {
                headers.Append("Link", $"<{successor.Path}>; rel=\"successor-version\"");
            }

            return Task.CompletedTask;
        });
    }

    private async ValueTask<Subscription?> AdmitAsync(HttpContext context, Api api)
    {
        string given = context.Request.Headers[KeyHeader].ToString();
        string? authorization = context.Request.Headers.Authorization;
        Subscription? subscription = null;
        if (given.Length > 0)
        {
            if (book.FindKey(given) is var (owner, stored))
            {
                if (await TokenAsync(context, owner, stored, given) is not { } token)
                {
                    return null;
                }

                context.Request.Headers.Authorization = "Bearer " + token;
                subscription = owner;
            }
        }
        else if (authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true && await access.AuthenticateAsync(authorization["Bearer ".Length..].Trim()) is { } subject)
        {
            subscription = book.Find(subject.Id);
            if (subscription is null)
            {
                await ForbidAsync(context, subject, api, "This app or person has no subscription: subscribe at /developers.");
                return null;
            }
        }

        if (subscription is null)
        {
            await AskWhoAsync(context, api);
            return null;
        }

        if (subscription.Api != api.Id)
        {
            await ForbidAsync(context, new Subject(subscription.App, SubjectKind.App), api, "The subscription is one of another API.");
            return null;
        }

        return subscription;
    }

    private async ValueTask<string?> TokenAsync(HttpContext context, Subscription subscription, StoredKey stored, string key)
    {
        try
        {
            if (await book.TokenAsync(subscription, stored, key, context.RequestAborted) is { } token)
            {
                return token;
            }

            await Problems.WriteAsync(context, StatusCodes.Status401Unauthorized, "Not known", "The app of this key is not known any more, or its secret was changed elsewhere.");
        }
        catch (Exception e) when (e is HttpRequestException or CryptographicException || (e is OperationCanceledException && !context.RequestAborted.IsCancellationRequested))
        {
            context.Response.Headers.RetryAfter = "5";
            await Problems.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "Not now", "A token for this key can't be had now.");
        }

        return null;
    }

    private async Task AskWhoAsync(HttpContext context, Api api)
    {
        if (await RefusesStrangerAsync(context, options, buckets))
        {
            return;
        }

        access.Refused(null, context.Request.Method, "api:" + api.Id, "no valid key or token", context.Connection.RemoteIpAddress?.ToString());
        context.Response.Headers.WWWAuthenticate = "Bearer";
        await Problems.WriteAsync(context, StatusCodes.Status401Unauthorized, "Not known", $"Send a key in {KeyHeader}, or the app's token in Authorization. Both are to be had at /developers.");
    }

    private async Task ForbidAsync(HttpContext context, Subject subject, Api api, string why)
    {
        if (await RefusesStrangerAsync(context, options, buckets))
        {
            return;
        }

        access.Refused(subject, context.Request.Method, "api:" + api.Id, "no subscription", context.Connection.RemoteIpAddress?.ToString());
        await Problems.WriteAsync(context, StatusCodes.Status403Forbidden, "Not subscribed", why);
    }

    private async ValueTask<bool> IsWithinPlanAsync(HttpContext context, Subscription subscription)
    {
        // A plan that was taken out of the catalogue: as little as any there is.
        var plans = catalog.Current.Plans;
        var plan = plans.GetValueOrDefault(subscription.Plan) ?? plans.Values.MinBy(p => p.PerSecond)!;
        var wait = _plans.Take(subscription.App, plan.PerSecond, plan.Burst);
        if (wait > TimeSpan.Zero)
        {
            await WriteTooManyAsync(context, wait, string.Create(CultureInfo.InvariantCulture, $"The plan has {plan.PerSecond} calls a second, {plan.Burst} at once."));
            return false;
        }

        wait = quotas.Take(subscription.App, plan.PerDay);
        if (wait > TimeSpan.Zero)
        {
            await WriteTooManyAsync(context, wait, string.Create(CultureInfo.InvariantCulture, $"The plan has {plan.PerDay} calls a day, which are used up."));
            return false;
        }

        return true;
    }

    private static Task WriteTooManyAsync(HttpContext context, TimeSpan wait, string why)
    {
        context.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return Problems.WriteAsync(context, StatusCodes.Status429TooManyRequests, "Too many requests", why + " Wait as long as Retry-After says.");
    }

    // What the proxy itself could not do has no body yet.
    private static Task ExplainAsync(HttpContext context)
    {
        bool isOurs = context.Response.StatusCode >= 500 && !context.Response.HasStarted && (context.GetForwarderErrorFeature() is not null || context.Response.StatusCode == 503);
        if (!isOurs)
        {
            return Task.CompletedTask;
        }

        context.Response.Headers.RetryAfter = "1";
        return Problems.WriteAsync(context, context.Response.StatusCode, "Not now", "No instance behind the gateway could answer.");
    }

    private void Tell(HttpContext context, Api api, ApiVersion version, string client, TimeSpan took)
    {
        int status = context.Response.StatusCode;
        string path = context.Request.Path.Value ?? "";
        usage.Tell(new UsageEvent(
            options.TimeProvider.GetUtcNow(), api.Id, version.Version, client, context.Request.Method, path.Length > MaxPathCharacters ? path[..MaxPathCharacters] : path, status,
            Math.Round(took.TotalMilliseconds, 3)));
        var tags = new TagList { { "api", api.Id }, { "version", version.Version }, { "status", status == 429 ? "429" : $"{status / 100}xx" } };
        _requests.Add(1, tags);
        _duration.Record(took.TotalSeconds, new TagList { { "api", api.Id }, { "version", version.Version } });
    }
}
