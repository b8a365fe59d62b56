using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>
/// What is remembered of a connection between its requests, so that a device that sends again costs no authentication and no text. On HTTP/2 several requests run at
/// once: each memory is one immutable object, and the last one wins.
/// </summary>
internal sealed class HttpPeer
{
    internal IdentityMemo? Identity;
    internal AllowedMemo? Allowed;
    internal TopicMemo? Topic;

    internal static HttpPeer Of(HttpContext context, object owner)
    {
        var items = context.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is null)
        {
            return new HttpPeer();
        }

        lock (items)
        {
            if (items.TryGetValue(owner, out object? known))
            {
                return (HttpPeer)known!;
            }

            var peer = new HttpPeer();
            items[owner] = peer;
            return peer;
        }
    }

    internal sealed record IdentityMemo(string? Authorization, bool IsLocal, Identity Identity, PrincipalGate.Account Account, long Until);

    internal sealed record AllowedMemo(Identity Identity, AccessAction Action, string Resource, long Until);

    /// <param name="Path">The path as the server gave it; the same object while a connection's requests have the same path.</param>
    /// <param name="Topic">What follows the group's prefix, without a slash in front.</param>
    internal sealed record TopicMemo(string Path, string Topic);
}
