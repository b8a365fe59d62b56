using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Limits;
using IoT.Reference.ApiGateway.Subscriptions;
using IoT.Reference.Contracts;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>Somebody at the developer page.</summary>
/// <param name="Csrf">What requests with the cookie that change something carry beside it.</param>
internal sealed record DeveloperSession(Subject Person, string Csrf, DateTimeOffset Ends);

/// <summary>
/// Log-ins at <c>Identity</c> by code with PKCE, and who is signed in. The person's token is used once, to learn who it is and what may be given to apps, and is not kept; the browser has a random id
/// only. Both tables are in memory and bounded; the oldest give way.
/// </summary>
internal sealed class DeveloperSessions(ApiGatewayOptions options, AccessPoint access, IdentityClient identity, TokenBuckets buckets)
{
    internal const string Cookie = "iot-developer", CsrfHeader = "X-CSRF-Token", Callback = "/signin";

    private const string LoginCookie = "iot-developer-login";
    private const int MaxEntries = 10_000;

    private static readonly TimeSpan _timeToLogIn = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly OrderedDictionary<string, DeveloperSession> _sessions = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, (string Verifier, DateTimeOffset Ends)> _logins = new(StringComparer.Ordinal);

    internal void Map(WebApplication app)
    {
        app.MapGet("/developers/login", LogInAsync);
        app.MapGet(Callback, ReturnAsync);
        app.MapPost("/developers/logout", LogOut);
    }

    /// <summary>Who asks: by the session's cookie, or a person's bearer token. Null where nobody proved who he is.</summary>
    internal async ValueTask<DeveloperSession?> FindAsync(HttpContext context)
    {
        string? authorization = context.Request.Headers.Authorization;
        if (authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true)
        {
            return await access.AuthenticateAsync(authorization["Bearer ".Length..].Trim()) is { Kind: SubjectKind.Person } person ? new DeveloperSession(person, "", DateTimeOffset.MaxValue) : null;
        }

        lock (_gate)
        {
            return context.Request.Cookies[Cookie] is { } id && _sessions.TryGetValue(Hash(id), out var session) && session.Ends > options.TimeProvider.GetUtcNow() ? session : null;
        }
    }

    /// <summary>Whether a request that changes something comes from this site's own page; one with a bearer token need not, since no browser sends that by itself.</summary>
    internal static bool IsFromHere(HttpContext context, DeveloperSession session) =>
        session.Csrf.Length == 0
        || (context.Request.Headers["Sec-Fetch-Site"].ToString() is "" or "same-origin"
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(session.Csrf), Encoding.UTF8.GetBytes(context.Request.Headers[CsrfHeader].ToString())));

    /// <summary>Ends the sessions of somebody whose tokens are void.</summary>
    internal void End(string person)
    {
        lock (_gate)
        {
            foreach (string id in _sessions.Where(s => s.Value.Person.Id == person).Select(s => s.Key).ToList())
            {
                _sessions.Remove(id);
            }
        }
    }

    private async Task LogInAsync(HttpContext context)
    {
        if (await Gate.RefusesStrangerAsync(context, options, buckets))
        {
            return;
        }

        string state = Random(), verifier = Random();
        lock (_gate)
        {
            Put(_logins, Hash(state), (verifier, options.TimeProvider.GetUtcNow() + _timeToLogIn));
        }

        context.Response.Cookies.Append(LoginCookie, state, CookieOf(context, Callback));
        KeyValuePair<string, string?>[] asked =
        [
            new("response_type", "code"), new("client_id", options.Service.Id), new("redirect_uri", Redirect(context).AbsoluteUri), new("scope", string.Join(' ', Scopes.OfPeople)),
            new("state", state), new("code_challenge", Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))), new("code_challenge_method", "S256"),
        ];
        context.Response.Redirect(new Uri(options.Identity, "connect/authorize").AbsoluteUri + QueryString.Create(asked));
    }

    private async Task ReturnAsync(HttpContext context)
    {
        string state = context.Request.Query["state"].ToString(), code = context.Request.Query["code"].ToString();
        context.Response.Cookies.Delete(LoginCookie, CookieOf(context, Callback));
        bool isKnown = false;
        string verifier = "";
        lock (_gate)
        {
            // Only the browser that began it: the cookie and the address agree, once.
            if (state.Length > 0 && context.Request.Cookies[LoginCookie] == state && _logins.Remove(Hash(state), out var login))
            {
                (isKnown, verifier) = (login.Ends > options.TimeProvider.GetUtcNow(), login.Verifier);
            }
        }

        Subject? person = null;
        try
        {
            if (isKnown && code.Length is > 0 and < 4_096 && await identity.TokenOfCodeAsync(code, verifier, Redirect(context), context.RequestAborted) is { } token)
            {
                person = await access.AuthenticateAsync(token.Value);
            }
        }
        catch (HttpRequestException)
        {
            // As any log-in that failed: the page says so.
        }

        if (person is not { Kind: SubjectKind.Person })
        {
            context.Response.Redirect("/developers?failed=1");
            return;
        }

        string id = Random();
        lock (_gate)
        {
            Put(_sessions, Hash(id), new DeveloperSession(person, Random(), options.TimeProvider.GetUtcNow() + options.SessionLifetime));
        }

        context.Response.Cookies.Append(Cookie, id, CookieOf(context, "/developers"));
        context.Response.Redirect("/developers");
    }

    private async Task LogOut(HttpContext context)
    {
        if (await FindAsync(context) is { } session && IsFromHere(context, session) && context.Request.Cookies[Cookie] is { } id)
        {
            lock (_gate)
            {
                _sessions.Remove(Hash(id));
            }

            context.Response.Cookies.Delete(Cookie, CookieOf(context, "/developers"));
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private CookieOptions CookieOf(HttpContext context, string path) => new()
    {
        HttpOnly = true,
        Secure = options.Certificate is not null || context.Request.IsHttps,

        // Lax: the way back from the log-in comes from another site.
        SameSite = SameSiteMode.Lax,
        Path = path,
        IsEssential = true,
    };

    private static Uri Redirect(HttpContext context) => new($"{context.Request.Scheme}://{context.Request.Host}{Callback}");

    private static void Put<T>(OrderedDictionary<string, T> table, string id, T value)
    {
        if (table.Count == MaxEntries)
        {
            table.RemoveAt(0);
        }

        table[id] = value;
    }

    private static string Random() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    private static string Hash(string id) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
}
