using System.Globalization;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.Endpoints;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;
using Microsoft.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;

namespace IoT.Reference.Identity;

/// <summary>
/// A person's data here: all of it as one document, or none any more. The name is taken out of every row, also of the audit, whose entries stay without it; files are written anew, so that it is in no
/// page that is free now.
/// </summary>
internal sealed class Erasure(
    Database database, People people, ResourceDirectory resources, Credentials credentials, RevocationList revocations, ChangeFeed changes, AuditLog audit, IServiceScopeFactory scopes, IdentityOptions options)
{
    internal PersonExport? Export(string user)
    {
        if (people.Find(user) is not { } person)
        {
            return null;
        }

        return new PersonExport(
            new PersonInfo(person.Id, person.Name, person.Roles, person.Created),
            [.. resources.OfOwner(user).Order(StringComparer.Ordinal)],
            [.. resources.SharesWith(user)],
            [.. credentials.OfOwner(user).Select(static c => c.Subject)],
            Consents(user),
            audit.Of(user));
    }

    internal async Task EraseAsync(string user, CancellationToken stop)
    {
        // First nothing of this person's counts any more, then it goes.
        var now = options.TimeProvider.GetUtcNow().AddMilliseconds(1);
        revocations.AddErased(user, now);
        foreach (string app in credentials.OfOwner(user).Select(static c => c.Subject).ToArray())
        {
            credentials.Delete(app);
            revocations.Add(app, now);
            changes.Tell(ChangeKinds.Revoked, app, now);
        }

        changes.Tell(ChangeKinds.Revoked, user, now);
        foreach (string share in resources.SharesWith(user).Select(static s => s.Id).ToArray())
        {
            resources.DeleteShare(share);
            changes.Tell(ChangeKinds.Share, share);
        }

        foreach (string device in resources.OfOwner(user).ToArray())
        {
            resources.Put(device, resources.Find(device)! with { Owner = null });
            changes.Tell(ChangeKinds.Resource, device);
        }

        database.Together(() =>
        {
            database.Execute("delete from people where id = $id", ("$id", user));
            database.Execute("update audit set subject = 'erased' where subject = $id", ("$id", user));
            database.Execute("update audit set resource = 'person:erased' where resource = $resource", ("$resource", Resources.Person(user)));
            database.Execute("update audit set detail = null, origin = null where subject = 'erased' or resource = 'person:erased'");
            database.Execute("update audit set detail = null where detail like $with escape '\\'", ("$with", "%with " + Escaped(user) + ":%"));
            database.Execute("update policies set by_whom = 'erased' where by_whom = $id", ("$id", user));
        });
        database.Compact();
        await ForgetTokensAsync(user, stop);
    }

    private static string Escaped(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal);

    private List<string> Consents(string user)
    {
        using var scope = scopes.CreateScope();
        var tokens = scope.ServiceProvider.GetRequiredService<TokenDatabase>();
        return [.. tokens.Set<OpenIddictEntityFrameworkCoreToken>().AsNoTracking().Where(t => t.Subject == user).OrderByDescending(t => t.CreationDate).Take(1_000)
            .Select(static t => new { t.Type, t.CreationDate, t.ExpirationDate }).AsEnumerable()
            .Select(static t => string.Create(CultureInfo.InvariantCulture, $"{t.Type} {t.CreationDate:o} to {t.ExpirationDate:o}"))];
    }

    private async Task ForgetTokensAsync(string user, CancellationToken stop)
    {
        await using var scope = scopes.CreateAsyncScope();
        var tokens = scope.ServiceProvider.GetRequiredService<TokenDatabase>();
        await tokens.Set<OpenIddictEntityFrameworkCoreToken>().Where(t => t.Subject == user).ExecuteDeleteAsync(stop);
        await tokens.Set<OpenIddictEntityFrameworkCoreAuthorization>().Where(a => a.Subject == user).ExecuteDeleteAsync(stop);
        await tokens.Database.ExecuteSqlRawAsync("vacuum", stop);
        await tokens.Database.ExecuteSqlRawAsync("pragma wal_checkpoint(truncate)", stop);
    }
}
