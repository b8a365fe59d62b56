using IoT.Reference.Contracts;
using IoT.Reference.Identity.Store;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictExtensions;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace IoT.Reference.Identity.OAuth;

/// <summary>An access token that its holder revokes is void at every entrance at once: layers read tokens themselves, and don't ask.</summary>
internal sealed class RevokedTokens(RevocationList revocations, ChangeFeed changes, TimeProvider time) : IOpenIddictServerHandler<HandleRevocationRequestContext>
{
    internal static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<HandleRevocationRequestContext>()
        .UseSingletonHandler<RevokedTokens>()
        .SetOrder(OpenIddictServerHandlers.Revocation.RevokeToken.Descriptor.Order - 1)
        .SetType(OpenIddictServerHandlerType.Custom)
        .Build();

    public ValueTask HandleAsync(HandleRevocationRequestContext context)
    {
        // Tokens of one answer share their log-in: whoever gives up one of them does not want the others used.
        var principal = context.GenericTokenPrincipal;
        if (principal.GetClaim("jti") is { Length: > 0 and <= 128 } id)
        {
            var now = time.GetUtcNow().AddMilliseconds(1);
            revocations.Add(LocalAccess.TokenName(id), now);
            changes.Tell(ChangeKinds.Revoked, LocalAccess.TokenName(id), now);
        }

        return ValueTask.CompletedTask;
    }
}
