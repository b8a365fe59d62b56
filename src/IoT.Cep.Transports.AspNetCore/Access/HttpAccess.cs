using System.Net;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace IoT.Cep;

/// <summary>Who a request is from, and whether it may do what it wants; answers those that may not.</summary>
/// <param name="options">The server's options.</param>
/// <param name="clock">The clock.</param>
internal sealed class HttpAccess(HttpServerOptions options, TimeProvider clock)
{
    private readonly ListenerSecurity _security = options.Security;
    private readonly long _remembered = (long)(options.AccessRemembered.TotalSeconds * clock.TimestampFrequency);
    private readonly PrincipalGate _gate = new(options.Security.Limits, options.MaxPrincipals, clock);
    private long _refused;

    /// <summary>How many requests were refused: not known, not allowed, from a foreign page.</summary>
    internal long Refused => Interlocked.Read(ref _refused);

    internal PrincipalLimits Limits => _gate.Limits;

    /// <summary>Lets a request in, or answers it.</summary>
    /// <returns>Null where it was answered.</returns>
    internal ValueTask<HttpPeer.IdentityMemo?> EnterAsync(HttpContext context, HttpPeer peer, AccessAction action, TopicTemplate template, string resource)
    {
        if (peer.Identity is { } known && peer.Allowed is { } allowed)
        {
            long now = clock.GetTimestamp();
            if (known.Until > now && allowed.Until > now && allowed.Action == action && ReferenceEquals(allowed.Identity, known.Identity)
                && (ReferenceEquals(allowed.Resource, resource) || allowed.Resource == resource) && IsSame(context, known))
            {
                return new ValueTask<HttpPeer.IdentityMemo?>(known);
            }
        }

        return FindOutAsync(context, peer, action, template, resource);
    }

    private async ValueTask<HttpPeer.IdentityMemo?> FindOutAsync(HttpContext context, HttpPeer peer, AccessAction action, TopicTemplate template, string resource)
    {
        if (!IsFromHere(context.Request))
        {
            return Refuse(context, StatusCodes.Status403Forbidden);
        }

        var memo = peer.Identity;
        if (memo is null || memo.Until <= clock.GetTimestamp() || !IsSame(context, memo))
        {
            bool isLocal = IsLocal(context);
            if (await AuthenticateAsync(context, isLocal).ConfigureAwait(false) is not { } identity || identity.Expires <= clock.GetUtcNow())
            {
                return Refuse(context, _security.Authenticates ? StatusCodes.Status401Unauthorized : StatusCodes.Status403Forbidden);
            }

            if (_gate.Find(identity, isLocal) is not { } account)
            {
                return Refuse(context, StatusCodes.Status503ServiceUnavailable);
            }

            memo = new HttpPeer.IdentityMemo(context.Request.Headers.Authorization, isLocal, identity, account, Until(identity));
            peer.Identity = memo;
        }

        if (!await MayAsync(context, memo, action, template, resource).ConfigureAwait(false))
        {
            return Refuse(context, StatusCodes.Status403Forbidden);
        }

        peer.Allowed = new HttpPeer.AllowedMemo(memo.Identity, action, resource, clock.GetTimestamp() + _remembered);
        return memo;
    }

    // A proof that ends sooner is not remembered past its end.
    private long Until(Identity identity)
    {
        double left = identity.Expires is { } expires ? (expires - clock.GetUtcNow()).TotalSeconds * clock.TimestampFrequency : double.MaxValue;
        return clock.GetTimestamp() + (long)Math.Min(_remembered, left);
    }

    private async ValueTask<bool> MayAsync(HttpContext context, HttpPeer.IdentityMemo who, AccessAction action, TopicTemplate template, string resource)
    {
        // Without a function that says who may do what, only this machine may; an application that authenticates its users says it by its own policies.
        bool isDecided = _security.Authorize is not null || who.IsLocal || UserOf(context) is { IsAuthenticated: true };
        return isDecided && _security.MaySpeakFor(who.Identity, template, resource)
            && await _security.AuthorizeAsync(who.Identity, action, resource).ConfigureAwait(false);
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
            context.Response.Headers.RetryAfter = "60";
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
