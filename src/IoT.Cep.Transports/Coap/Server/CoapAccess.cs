namespace IoT.Cep;

/// <summary>Asks a listener's security for each request: who, and may they (4.01, 4.03).</summary>
/// <param name="security">Who may do what.</param>
internal sealed class CoapAccess(ListenerSecurity security)
{
    internal ListenerSecurity Security => security;

    /// <summary>Who sends; null: the response says that they may not.</summary>
    /// <param name="request">The request.</param>
    internal ValueTask<Identity?> IdentifyAsync(CoapRequest request)
    {
        var remote = request.Remote;
        return security.AuthenticateAsync(new ClientCredentials(remote.Address.Address, remote.IsEncrypted) { Proven = remote.Identity });
    }

    /// <summary>The response that refuses a request; null: it is allowed.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="path">On what.</param>
    internal async ValueTask<CoapMessage?> RefuseAsync(Identity? identity, AccessAction action, string path) =>
        identity is null ? CoapMessage.Error(CoapCode.Unauthorized, "Say who you are: by DTLS or TLS.")
        : await security.AuthorizeAsync(identity, action, path).ConfigureAwait(false) ? null
        : CoapMessage.Error(CoapCode.Forbidden);

    /// <summary>Refuses reading.</summary>
    /// <param name="request">The request.</param>
    internal async ValueTask<CoapMessage?> RefuseReadingAsync(CoapRequest request) =>
        await RefuseAsync(await IdentifyAsync(request).ConfigureAwait(false), AccessAction.Subscribe, request.Message.Path).ConfigureAwait(false);
}
