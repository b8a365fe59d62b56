using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace IoT.Reference.Identity.OAuth;

/// <summary>What OpenIddict keeps: applications with a log-in, consents, codes and refresh tokens.</summary>
internal sealed class TokenDatabase(DbContextOptions<TokenDatabase> options) : DbContext(options);

/// <summary>What is deleted is overwritten; who finds the file locked waits.</summary>
internal sealed class SecureDelete : DbConnectionInterceptor
{
    private const string Pragmas = "pragma secure_delete=on; pragma busy_timeout=5000;";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Pragmas;
        command.ExecuteNonQuery();
    }

    public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = Pragmas;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
