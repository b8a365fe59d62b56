using System.Security.Cryptography;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;

namespace IoT.Reference.Portal.Sessions;

/// <summary>Keeps who is logged in, and the tokens, on this side: the browser's cookie has a random id only.</summary>
internal sealed class SessionStore(SessionDatabase database, IDataProtectionProvider protection, PortalOptions options) : ITicketStore
{
    /// <summary>Names of what a session has beside the tokens.</summary>
    internal const string Id = "session.id", Csrf = "session.csrf";

    private readonly IDataProtector _protector = protection.CreateProtector("IoT.Reference.Portal.Sessions.v1");

    /// <summary>What a session needs before it is kept.</summary>
    internal static void Prepare(AuthenticationProperties properties)
    {
        properties.Items[Id] = RandomNumberGenerator.GetHexString(64, lowercase: true);
        properties.Items[Csrf] = RandomNumberGenerator.GetHexString(64, lowercase: true);
    }

    public Task<string> StoreAsync(AuthenticationTicket ticket)
    {
        string id = ticket.Properties.Items[Id] ?? throw new InvalidOperationException("The session was not prepared.");
        Put(id, ticket);
        return Task.FromResult(id);
    }

    public Task RenewAsync(string key, AuthenticationTicket ticket)
    {
        // Only what is still there: a session that was ended in another tab must not come back. And with the tokens of now: this request may have read the session before another renewed them.
        if (Find(key) is { } current)
        {
            ticket.Properties.StoreTokens(current.Properties.GetTokens());
            Put(key, ticket);
        }

        return Task.CompletedTask;
    }

    public Task<AuthenticationTicket?> RetrieveAsync(string key) => Task.FromResult(Find(key));

    public Task RemoveAsync(string key)
    {
        database.Delete(key);
        return Task.CompletedTask;
    }

    internal AuthenticationTicket? Find(string id)
    {
        try
        {
            return database.Find(id, options.TimeProvider.GetUtcNow()) is { } content ? TicketSerializer.Default.Deserialize(_protector.Unprotect(content)) : null;
        }
        catch (CryptographicException)
        {
            // The keys are gone: nobody is logged in any more.
            return null;
        }
    }

    internal void Put(string id, AuthenticationTicket ticket)
    {
        var now = options.TimeProvider.GetUtcNow();
        database.Put(id, _protector.Protect(TicketSerializer.Default.Serialize(ticket)), ticket.Properties.ExpiresUtc ?? now + options.SessionLifetime, now);
    }

    internal bool TryClaim(string id, TimeSpan time)
    {
        var now = options.TimeProvider.GetUtcNow();
        return database.TryClaim(id, now, now + time);
    }

    internal void Release(string id) => database.Release(id);
}
