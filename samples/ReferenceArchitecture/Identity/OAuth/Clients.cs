using System.Text.Json;
using IoT.Reference.Identity.Store;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;
using Client = OpenIddict.EntityFrameworkCore.Models.OpenIddictEntityFrameworkCoreApplication;

namespace IoT.Reference.Identity.OAuth;

/// <summary>
/// Who may ask for tokens: applications with a log-in are rows of OpenIddict's; devices, gateways, services and apps without one are found among <see cref="Credentials"/>, so that ten thousand of
/// them are no rows of two tables.
/// </summary>
internal sealed class ClientStore(
    IMemoryCache cache, IOpenIddictEntityFrameworkCoreContext context, IOptionsMonitor<OpenIddictEntityFrameworkCoreOptions> options, Credentials credentials)
    : OpenIddictEntityFrameworkCoreApplicationStore<Client, OpenIddictEntityFrameworkCoreAuthorization, OpenIddictEntityFrameworkCoreToken, string>(cache, context, options)
{
    // Machines first: it costs no look into the database, which OpenIddict asks for several times in a request. The portal and the API gateway are both, and their log-in is in the row.
    public override ValueTask<Client?> FindByClientIdAsync(string identifier, CancellationToken cancellationToken) =>
        !OAuthServer.HasLogIn(identifier) && credentials.Find(identifier) is { } credential ? new ValueTask<Client?>(ToClient(credential)) : base.FindByClientIdAsync(identifier, cancellationToken);

    private static Client ToClient(Credential credential)
    {
        string[] permissions =
        [
            Permissions.Endpoints.Token, Permissions.Endpoints.Revocation, Permissions.GrantTypes.ClientCredentials, .. credential.Scopes.Select(static s => Permissions.Prefixes.Scope + s),
        ];
        return new Client
        {
            Id = "credential:" + credential.Subject,
            ClientId = credential.Subject,
            ClientType = ClientTypes.Confidential,
            ApplicationType = ApplicationTypes.Web,
            ConsentType = ConsentTypes.Implicit,
            Permissions = JsonSerializer.Serialize(permissions, ClientJson.Default.StringArray),

            // Never compared: the manager below asks the credentials. OpenIddict wants a confidential client to have one.
            ClientSecret = "-",
        };
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string[]))]
internal sealed partial class ClientJson : System.Text.Json.Serialization.JsonSerializerContext;

/// <summary>Secrets of clients are those of <see cref="Credentials"/>, with rotation and overlap, whatever kind of client.</summary>
internal sealed class ClientManager(
    IOpenIddictApplicationCache<Client> cache, ILogger<OpenIddictApplicationManager<Client>> logger, IOptionsMonitor<OpenIddictCoreOptions> options, IOpenIddictApplicationStore<Client> store,
    Credentials credentials, WrongSecrets wrong)
    : OpenIddictApplicationManager<Client>(cache, logger, options, store)
{
    public override ValueTask<bool> ValidateClientSecretAsync(Client application, string secret, CancellationToken cancellationToken = default)
    {
        string id = application.ClientId ?? "";
        bool isRight = credentials.Verify(id, secret) is not null;
        wrong.Count(id, isRight);
        return new ValueTask<bool>(isRight);
    }
}

/// <summary>Tokens of machines are no rows: they live an hour, and are void by time of revocation.</summary>
internal sealed class NoRowsForMachines : IOpenIddictServerHandler<GenerateTokenContext>
{
    internal static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<GenerateTokenContext>()
        .UseSingletonHandler<NoRowsForMachines>()
        .SetOrder(OpenIddictServerHandlers.Protection.CreateTokenEntry.Descriptor.Order - 1)
        .SetType(OpenIddictServerHandlerType.Custom)
        .Build();

    public ValueTask HandleAsync(GenerateTokenContext context)
    {
        if (context.Request?.IsClientCredentialsGrantType() == true)
        {
            context.CreateTokenEntry = false;
            context.PersistTokenPayload = false;
        }

        return ValueTask.CompletedTask;
    }
}
