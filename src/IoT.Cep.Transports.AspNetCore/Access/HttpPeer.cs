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

    /// <param name="Authorization">The credential, as the header field had it.</param>
    /// <param name="IsLocal">Whether it was a program on this machine.</param>
    /// <param name="Identity">Who it is.</param>
    /// <param name="Budget">What it may use.</param>
    /// <param name="Until">How long that is believed.</param>
    /// <param name="Revocations">How often a right had been withdrawn when it was found out: it holds only until the next time.</param>
    internal sealed record IdentityMemo(string? Authorization, bool IsLocal, Identity Identity, PrincipalBudget Budget, long Until, int Revocations);

    /// <param name="Path">The path as the server gave it; the same object while a connection's requests have the same path.</param>
    /// <param name="Topic">What follows the group's prefix, without a slash in front.</param>
    internal sealed record TopicMemo(string Path, string Topic);
}
