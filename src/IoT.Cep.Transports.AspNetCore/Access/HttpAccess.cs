using System.Net;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace IoT.Cep;

/// <summary>Who a request is from, and whether it may do what it wants; answers those that may not.</summary>
/// <param name="options">The server's options.</param>
internal sealed class HttpAccess(HttpServerOptions options)
{
    /// <summary>A full table of identities has room again when one of them has rested for an hour; most have no such luck.</summary>
    private const string RetryWhenFull = "60";

    /// <summary>Shorter than a budget rests before it is forgotten: what a connection remembers is the one that others use.</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(30);

    private static readonly TimeSpan _retryConnections = TimeSpan.FromSeconds(1);

    private readonly ListenerSecurity _security = options.Security;
    private readonly TimeProvider _clock = options.Security.TimeProvider;
    private readonly long _remembered = (long)(Math.Min(options.Security.DecisionLifetime.TotalSeconds, _longest.TotalSeconds) * options.Security.TimeProvider.TimestampFrequency);
    private long _refused;

    /// <summary>How many requests were refused: not known, not allowed, from a foreign page.</summary>
    internal long Refused => Interlocked.Read(ref _refused);

    internal PrincipalLimits Limits => _security.Limits;

    /// <summary>Lets a request in, or answers it.</summary>
    /// <returns>Null where it was answered.</returns>
    internal ValueTask<HttpPeer.IdentityMemo?> EnterAsync(HttpContext context, HttpPeer peer, AccessAction action, TopicTemplate template, string resource)
    {
        if (peer.Identity is not { } known || !IsBelieved(context, known))
        {
            return FindOutAsync(context, peer, action, template, resource);
        }

        // The decision itself is remembered by the security of all listeners, which forgets it when a right is withdrawn.
        var may = MayAsync(context, known, action, template, resource);
        return may.IsCompletedSuccessfully ? new ValueTask<HttpPeer.IdentityMemo?>(may.Result ? known : Refuse(context, StatusCodes.Status403Forbidden))
            : WhereItMayAsync(context, known, may);
    }

    /// <summary>Counts a request that stays as a connection of its sender, or answers it: 429 where it has too many, 401 where its right was withdrawn since it was looked at.</summary>
    /// <returns>Null where it was answered.</returns>
    internal async ValueTask<Admission?> StayAsync(HttpContext context, HttpPeer.IdentityMemo who)
    {
        var admission = _security.Admit(who.Identity);
        if (!admission.IsAdmitted)
        {
            await Answers.TooManyAsync(context, _retryConnections).ConfigureAwait(false);
        }
        else if (who.Revocations != _security.Revocations || admission.HasEnded)
        {
            Refuse(context, StatusCodes.Status401Unauthorized);
        }
        else
        {
            return admission;
        }

        admission.Dispose();
        return null;
    }

    /// <summary>Answers a request whose right ended while it waited.</summary>
    internal void RefuseEnded(HttpContext context) => Refuse(context, StatusCodes.Status401Unauthorized);

    private async ValueTask<HttpPeer.IdentityMemo?> FindOutAsync(HttpContext context, HttpPeer peer, AccessAction action, TopicTemplate template, string resource)
    {
        if (!IsFromHere(context.Request))
        {
            return Refuse(context, StatusCodes.Status403Forbidden);
        }

        // Before it is looked at: what it proves may be withdrawn meanwhile.
        int revocations = _security.Revocations;
        bool isLocal = IsLocal(context);
        if (await AuthenticateAsync(context, isLocal).ConfigureAwait(false) is not { } identity || identity.Expires <= _clock.GetUtcNow())
        {
            return Refuse(context, _security.Authenticates ? StatusCodes.Status401Unauthorized : StatusCodes.Status403Forbidden);
        }

        if (_security.BudgetOf(identity) is not { } budget)
        {
            return Refuse(context, StatusCodes.Status503ServiceUnavailable);
        }

        var memo = new HttpPeer.IdentityMemo(context.Request.Headers.Authorization, isLocal, identity, budget, Until(identity), revocations);
        peer.Identity = memo;
        return await WhereItMayAsync(context, memo, MayAsync(context, memo, action, template, resource)).ConfigureAwait(false);
    }

    private async ValueTask<HttpPeer.IdentityMemo?> WhereItMayAsync(HttpContext context, HttpPeer.IdentityMemo who, ValueTask<bool> may) =>
        await may.ConfigureAwait(false) ? who : Refuse(context, StatusCodes.Status403Forbidden);

    private bool IsBelieved(HttpContext context, HttpPeer.IdentityMemo known) =>
        known.Until > _clock.GetTimestamp() && known.Revocations == _security.Revocations && IsSame(context, known);

    // A proof that ends sooner is not remembered past its end.
    private long Until(Identity identity)
    {
        double left = identity.Expires is { } expires ? (expires - _clock.GetUtcNow()).TotalSeconds * _clock.TimestampFrequency : double.MaxValue;
        return _clock.GetTimestamp() + (long)Math.Min(_remembered, left);
    }

    private ValueTask<bool> MayAsync(HttpContext context, HttpPeer.IdentityMemo who, AccessAction action, TopicTemplate template, string resource)
    {
        // Without a function that says who may do what, only this machine may; an application that authenticates its users says it by its own policies.
        bool isDecided = _security.Authorize is not null || who.IsLocal || UserOf(context) is { IsAuthenticated: true };
        return isDecided && _security.MaySpeakFor(who.Identity, template, resource)
            ? _security.AuthorizeAsync(who.Identity, action, resource) : new ValueTask<bool>(false);
    }

    private ValueTask<Identity?> AuthenticateAsync(HttpContext context, bool isLocal)
    {
        // A proxy on this machine speaks for others: what comes through it is not of this machine.
        var remote = context.Connection.RemoteIpAddress;
        var credentials = new ClientCredentials(remote is not null && IPAddress.IsLoopback(remote) && !isLocal ? null : remote, context.Request.IsHttps)
        {
            Certificate = _security.Certificate is null ? null : context.Connection.ClientCertificate,
            Proven = UserOf(context) is { IsAuthenticated: true, Name: { Length: > 0 } name } ? new Identity(name, AuthenticationMethod.Token) : null,
        };
        string? authorization = context.Request.Headers.Authorization;
        if (authorization is null)
        {
            return _security.AuthenticateAsync(credentials);
        }

        if (authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return _security.AuthenticateAsync(credentials with { Token = authorization[7..].Trim() });
        }

        return TryReadBasic(authorization, out string? user, out string? password)
            ? _security.AuthenticateAsync(credentials with { UserName = user, Password = password })
            : new ValueTask<Identity?>((Identity?)null);
    }

    private HttpPeer.IdentityMemo? Refuse(HttpContext context, int status)
    {
        Interlocked.Increment(ref _refused);
        context.Response.StatusCode = status;
        if (status == StatusCodes.Status401Unauthorized)
        {
            string challenge = _security.Token is not null && _security.Password is not null ? "Bearer, Basic realm=\"cep\", charset=\"UTF-8\""
                : _security.Password is not null ? "Basic realm=\"cep\", charset=\"UTF-8\"" : "Bearer";
            context.Response.Headers.WWWAuthenticate = challenge;
        }
        else if (status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = RetryWhenFull;
        }

        return null;
    }

    // Not HttpContext.User, which makes one where there is none.
    private static System.Security.Principal.IIdentity? UserOf(HttpContext context) => context.Features.Get<IHttpAuthenticationFeature>()?.User?.Identity;

    private static bool IsSame(HttpContext context, HttpPeer.IdentityMemo known)
    {
        string? authorization = context.Request.Headers.Authorization;
        return (ReferenceEquals(authorization, known.Authorization) || authorization == known.Authorization)
            && context.Request.Headers.Origin.Count == 0 && (!known.IsLocal || IsLocal(context)) && UserOf(context) is not { IsAuthenticated: true };
    }

    /// <summary>
    /// Whether it is a program on this machine, by its address and by the name that it called: a page whose name was bent to this machine's address calls that name,
    /// and a proxy on this machine passes on the outer one.
    /// </summary>
    internal static bool IsLocal(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is not { } remote || !IPAddress.IsLoopback(remote) || context.Request.Headers.ContainsKey("X-Forwarded-For")
            || context.Request.Headers.ContainsKey("Forwarded"))
        {
            return false;
        }

        string host = context.Request.Host.Value ?? "";
        return host.Length == 0 || IsLoopbackName(host);
    }

    private static bool IsLoopbackName(string host)
    {
        var name = host.AsSpan();
        int port = name.LastIndexOf(':');
        name = port >= 0 && !name.EndsWith("]") ? name[..port] : name;
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || name is "127.0.0.1" or "[::1]";
    }

    private bool IsFromHere(HttpRequest request) => IsFromHere(request, options.AllowedOrigins);

    /// <summary>Whether no foreign page in a browser has sent it: devices and programs have no origin.</summary>
    internal static bool IsFromHere(HttpRequest request, IEnumerable<string> allowedOrigins)
    {
        string? origin = request.Headers.Origin;
        return origin is null || allowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase)
            || string.Equals(origin, $"{request.Scheme}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase);
    }

    private static bool TryReadBasic(string authorization, out string? user, out string? password)
    {
        (user, password) = (null, null);
        if (!authorization.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[512];
        if (!Convert.TryFromBase64Chars(authorization.AsSpan(6).Trim(), bytes, out int length))
        {
            return false;
        }

        int colon = bytes[..length].IndexOf((byte)':');
        if (colon < 0)
        {
            return false;
        }

        user = Encoding.UTF8.GetString(bytes[..colon]);
        password = Encoding.UTF8.GetString(bytes[(colon + 1)..length]);
        return true;
    }
}
