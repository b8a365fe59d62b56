using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using IoT.Reference.Access;
using IoT.Reference.Portal.Sessions;

namespace IoT.Reference.Portal.Web;

/// <summary>How often who may ask: each session or token, and each address. Before tokens are looked at, so that wrong ones cost little.</summary>
internal static class PortalLimits
{
    internal const string Logins = "logins";

    internal static void Add(IServiceCollection services, PortalOptions options) => services.AddRateLimiter(o =>
    {
        o.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        o.OnRejected = (rejected, _) =>
        {
            double seconds = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? Math.Ceiling(after.TotalSeconds) : 1;
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Max(1, seconds).ToString(CultureInfo.InvariantCulture);
            return new ValueTask(Problems.WriteAsync(rejected.HttpContext, StatusCodes.Status429TooManyRequests, "Too many requests", "Wait as long as Retry-After says."));
        };
        o.AddPolicy(Logins, c => RateLimitPartition.GetSlidingWindowLimiter(
            Origin(c), _ => new SlidingWindowRateLimiterOptions { PermitLimit = options.LoginsPerMinute, Window = TimeSpan.FromMinutes(1), SegmentsPerWindow = 6 }));
        o.GlobalLimiter = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(c => Bucket(Origin(c), options.RequestsPerSecondOfAddress, 2)),
            PartitionedRateLimiter.Create<HttpContext, string>(c => Credential(c) is { } who ? Bucket(who, options.RequestsPerSecond, 5) : RateLimitPartition.GetNoLimiter("")));
    });

    private static RateLimitPartition<string> Bucket(string key, int perSecond, int burst) => RateLimitPartition.GetTokenBucketLimiter(
        key, _ => new TokenBucketRateLimiterOptions { TokenLimit = perSecond * burst, TokensPerPeriod = perSecond, ReplenishmentPeriod = TimeSpan.FromSeconds(1) });

    private static string Origin(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    // A hash: the limiter's table must not be a list of tokens.
    private static string? Credential(HttpContext context)
    {
        string given = context.Request.Headers.Authorization.ToString();
        given = given.Length > 0 ? given : context.Request.Cookies[SessionScheme.Cookie] ?? "";
        return given.Length == 0 ? null : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(given)).AsSpan(0, 16));
    }
}
