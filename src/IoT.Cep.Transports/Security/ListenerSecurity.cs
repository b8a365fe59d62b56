using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep;

/// <summary>
/// Who may do what at the listeners of a program: one object for all of them, MQTT, HTTP and CoAP. By default only this machine may connect, and may do everything; a listener on any other
/// address is refused at its start unless someone proves who connects and <see cref="Authorize"/> says what they may.
/// </summary>
/// <remarks>Thread-safe. Each of the functions is called on any thread, for many clients at once, and must not block.</remarks>
public sealed partial class ListenerSecurity
{
    /// <summary>Everyone on this machine may do everything; no listener is reachable from elsewhere.</summary>
    public static ListenerSecurity LoopbackOnly { get; } = new();

    /// <summary>Knows users by name and password; gives null for a wrong one. Null, the default: no passwords are taken.</summary>
    public Func<string, string, ValueTask<Identity?>>? Password { get; init; }

    /// <summary>Knows bearer tokens; gives null for one that is not valid. Null, the default: no tokens are taken.</summary>
    public Func<string, ValueTask<Identity?>>? Token { get; init; }

    /// <summary>Knows certificates, whose chain and dates are not checked before; gives null for a wrong one. Null, the default: no certificates are asked for.</summary>
    public Func<X509Certificate2, ValueTask<Identity?>>? Certificate { get; init; }

    /// <summary>Gives the key of an identity in DTLS; null for one that is not known. Null, the default: no pre-shared keys are taken.</summary>
    public Func<string, byte[]?>? PreSharedKey { get; init; }

    /// <summary>Decides what those who are known may do. Null, the default: everything, which only a listener on loopback accepts.</summary>
    public Authorize? Authorize { get; init; }

    /// <summary>Whether those who do not say who they are may connect from other machines. Default: no; on loopback they may where no way to prove an identity is set.</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Whether a password or token may cross a network without TLS. Default: no; on loopback it may.</summary>
    public bool AllowPlainTextPassword { get; init; }

    /// <summary>The place of topic templates that holds the device's name: who sends must be that device or speak for it. Null, the default: the topic is not looked at.</summary>
    public string? DevicePlace { get; init; }

    /// <summary>How much each identity may ask. On loopback, where no way to prove an identity is set, everyone is one and the same and the rates are not counted.</summary>
    public PrincipalLimits Limits { get; init; } = PrincipalLimits.Default;

    /// <summary>How many identities' use is remembered: one that was not used for an hour makes room; without room a new one is refused. Default: 100,000.</summary>
    public int MaxPrincipals { get; init; } = 100_000;

    /// <summary>How long a decision of <see cref="Authorize"/> is believed, unless <see cref="Revoke"/> comes first. Default: 10 s; zero asks each time.</summary>
    public TimeSpan DecisionLifetime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many decisions are remembered. Default: 65,536.</summary>
    public int MaxDecisions { get; init; } = 65_536;

    /// <summary>The clock of expiry, rates and decisions. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where refusals are told, at most once in 10 s, and revocations. Default: nowhere.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Whether anything proves who a client is.</summary>
    public bool Authenticates => Password is not null || Token is not null || Certificate is not null || PreSharedKey is not null;

    /// <summary>Refuses what is not safe, before a listener opens its port.</summary>
    /// <param name="listener">The listener's name, for the message.</param>
    /// <param name="address">Where it is to listen.</param>
    /// <param name="isEncrypted">Whether it speaks TLS or DTLS.</param>
    /// <exception cref="InvalidOperationException">The address can be reached by others, and not everything that this needs is set; the message says what.</exception>
    public void ThrowIfUnsafe(string listener, IPAddress address, bool isEncrypted)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (IPAddress.IsLoopback(address))
        {
            return;
        }

        string? problem =
            !Authenticates && !AllowAnonymous ? "nothing proves who connects: set Password, Token, Certificate or PreSharedKey"
            : Authorize is null ? "nothing says who may do what: set Authorize"
            : !isEncrypted && !AllowPlainTextPassword && (Password is not null || Token is not null) ? "passwords and tokens would cross the network in clear text: set a certificate, or AllowPlainTextPassword"
            : null;
        if (problem is not null)
        {
            throw new InvalidOperationException($"{listener}: {address} can be reached by others, and {problem}; or listen on loopback.");
        }
    }

    /// <summary>Finds out who a client is.</summary>
    /// <param name="credentials">What it brought.</param>
    /// <returns>Null where it may not connect.</returns>
    public async ValueTask<Identity?> AuthenticateAsync(ClientCredentials credentials)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        if (credentials.Proven is { } proven)
        {
            return proven;
        }

        bool isLocal = credentials.Remote is { } remote && IPAddress.IsLoopback(remote);
        bool mayShow = credentials.IsEncrypted || AllowPlainTextPassword || isLocal;
        try
        {
            var identity = await IdentifyAsync(credentials, mayShow, isLocal).ConfigureAwait(false);
            return identity is not null && HasExpired(identity) ? null : identity;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A function that fails must not let anyone in, nor end a listener.
            SecurityLog.Failed(Logger, e, "authenticating");
            return null;
        }
    }

    /// <summary>Whether an identity may do something: its proof has not ended, and <see cref="Authorize"/> allows it, or allowed it within <see cref="DecisionLifetime"/>.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="resource">On what.</param>
    /// <returns>Complete at once, and without allocating, where the decision is remembered.</returns>
    public ValueTask<bool> AuthorizeAsync(Identity identity, AccessAction action, string resource)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(resource);
        if (HasExpired(identity))
        {
            return new ValueTask<bool>(false);
        }

        if (Authorize is null)
        {
            // No listener that others can reach starts without it (ThrowIfUnsafe).
            return new ValueTask<bool>(true);
        }

        return RecentDecisions.Find(identity, action, resource) is { } decided ? new ValueTask<bool>(decided) : DecideAsync(identity, action, resource);
    }

    private async ValueTask<Identity?> IdentifyAsync(ClientCredentials credentials, bool mayShow, bool isLocal)
    {
        if (credentials.Token is { } token)
        {
            return Token is { } byToken && mayShow ? await byToken(token).ConfigureAwait(false) : null;
        }

        if (credentials.UserName is { } user && credentials.Password is { } password)
        {
            return Password is { } byPassword && mayShow ? await byPassword(user, password).ConfigureAwait(false) : null;
        }

        if (credentials.Certificate is { } certificate && Certificate is { } byCertificate)
        {
            return await byCertificate(certificate).ConfigureAwait(false);
        }

        return AllowAnonymous || (isLocal && !Authenticates) ? Identity.Anonymous : null;
    }

    private async ValueTask<bool> DecideAsync(Identity identity, AccessAction action, string resource)
    {
        // Asked for before a revocation, it may rest on what was true then.
        int generation = RecentDecisions.Generation;
        bool isAllowed;
        try
        {
            isAllowed = await Authorize!(identity, action, resource).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            SecurityLog.Failed(Logger, e, nameof(Authorize));
            return false;
        }

        if (DecisionLifetime > TimeSpan.Zero)
        {
            RecentDecisions.Keep(identity, action, resource, isAllowed, generation);
        }

        return isAllowed;
    }

    private bool HasExpired(Identity identity) => identity.Expires is { } expires && expires <= TimeProvider.GetUtcNow();
}

