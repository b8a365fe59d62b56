using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Cep.Extensibility;

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

    /// <summary>How much each identity may ask.</summary>
    public PrincipalLimits Limits { get; init; } = PrincipalLimits.Default;

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

    /// <summary>Whether an identity may do something: its proof has not ended, and <see cref="Authorize"/> allows it.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="resource">On what.</param>
    public ValueTask<bool> AuthorizeAsync(Identity identity, AccessAction action, string resource)
    {
        ArgumentNullException.ThrowIfNull(identity);
        return Authorize is { } authorize ? authorize(identity, action, resource) : new ValueTask<bool>(true);
    }

    /// <summary>Whether an identity may speak for the device that a topic names. Allocates nothing.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="template">The template that took the topic.</param>
    /// <param name="topic">The topic.</param>
    public bool MaySpeakFor(Identity identity, TopicTemplate template, ReadOnlySpan<char> topic)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(template);
        if (DevicePlace is null)
        {
            return true;
        }

        Span<Range> values = stackalloc Range[Math.Max(1, template.Names.Count)];
        for (int i = 0; i < template.Names.Count; i++)
        {
            if (template.Names[i] == DevicePlace)
            {
                return template.TryMatch(topic, values) && identity.MaySpeakFor(topic[values[i]]);
            }
        }

        return true;
    }
}

/// <summary>What a client of a listener brought to show who it is.</summary>
/// <param name="Remote">Where it connects from; null where that is not known.</param>
/// <param name="IsEncrypted">Whether the connection is encrypted.</param>
public sealed record ClientCredentials(IPAddress? Remote, bool IsEncrypted)
{
    /// <summary>A user's name; null: none.</summary>
    public string? UserName { get; init; }

    /// <summary>A password; null: none.</summary>
    public string? Password { get; init; }

    /// <summary>A bearer token; null: none.</summary>
    public string? Token { get; init; }

    /// <summary>A certificate; null: none.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Who the transport's own handshake has proved: DTLS with a pre-shared key. Null: nobody.</summary>
    public Identity? Proven { get; init; }

    // Passwords and tokens must not get into logs.
    private bool PrintMembers(System.Text.StringBuilder text)
    {
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Remote = {Remote}, IsEncrypted = {IsEncrypted}");
        return true;
    }
}
