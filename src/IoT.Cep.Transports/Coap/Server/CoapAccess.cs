namespace IoT.Cep;

/// <summary>Asks a listener's security for each request: who, and may they (4.01, 4.03).</summary>
/// <param name="security">Who may do what.</param>
/// <param name="authorization">Knows whose tokens were shown; null: none are taken.</param>
internal sealed class CoapAccess(ListenerSecurity security, CoapAuthorization? authorization)
{
    /// <summary>Where nobody can say when there will be room: soon, and not at once.</summary>
    private const int RetrySeconds = 2;

    internal ListenerSecurity Security => security;

    /// <summary>Who sends; null: the response says that they may not.</summary>
    /// <param name="request">The request.</param>
    internal ValueTask<Identity?> IdentifyAsync(CoapRequest request)
    {
        var remote = request.Remote;
        return security.AuthenticateAsync(new ClientCredentials(remote.Address.Address, remote.IsEncrypted) { Proven = remote.Identity ?? authorization?.Find(request.Link, remote) });
    }

    /// <summary>The response that refuses a request; null: it is allowed.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="path">On what.</param>
    internal async ValueTask<CoapMessage?> RefuseAsync(Identity? identity, AccessAction action, string path) =>
        identity is null ? CoapMessage.Error(CoapCode.Unauthorized, authorization is null ? "Say who you are: by DTLS or TLS." : "Say who you are: by a token to authz-info.")
        : await security.AuthorizeAsync(identity, action, path).ConfigureAwait(false) ? null
        : CoapMessage.Error(CoapCode.Forbidden);

    /// <summary>Refuses reading, also of who reads too often.</summary>
    /// <param name="request">The request.</param>
    internal async ValueTask<CoapMessage?> RefuseReadingAsync(CoapRequest request)
    {
        var identity = await IdentifyAsync(request).ConfigureAwait(false);
        if (await RefuseAsync(identity, AccessAction.Subscribe, request.Message.Path).ConfigureAwait(false) is { } refused)
        {
            return refused;
        }

        return security.BudgetOf(identity!) is not { } budget ? TooMany("Too many clients.", TimeSpan.FromSeconds(RetrySeconds))
            : budget.TryTakeMessage(out var wait) ? null : TooMany("Too many requests.", wait);
    }

    /// <summary>4.29 with the time to wait (RFC 8516).</summary>
    /// <param name="what">What there are too many of.</param>
    /// <param name="wait">How long to wait.</param>
    internal static CoapMessage TooMany(string what, TimeSpan wait) => new(
        CoapCode.TooManyRequests, new CoapOptionBuilder().Add(CoapOptionNumber.MaxAge, (uint)Math.Clamp(Math.Ceiling(wait.TotalSeconds), 1, 86_400)).ToArray(),
        System.Text.Encoding.UTF8.GetBytes(what));
}
