using IoT.Reference.Identity.Store;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using Scopes = IoT.Reference.Contracts.Scopes;

namespace IoT.Reference.Identity.OAuth;

/// <summary>How OpenIddict is set up: code with PKCE, rotating refresh tokens, client credentials; signed access tokens that every layer reads by the key set.</summary>
internal static class OAuthServer
{
    internal const string Portal = "portal", ApiGateway = "api-gateway", CommandLine = "cli";

    /// <summary>Layers that people log in at, beside being services.</summary>
    internal static bool HasLogIn(string client) => client is Portal or ApiGateway;

    internal static void Add(IServiceCollection services, IdentityOptions options, string folder, KeyRing keys)
    {
        string database = PrivateFiles.Reserve(Path.Combine(folder, "tokens.db"));
        services.AddDbContext<TokenDatabase>(o => o.UseSqlite("Data Source=" + database).AddInterceptors(new SecureDelete()).UseOpenIddict());
        services.AddSingleton<IConfigureOptions<OpenIddictServerOptions>>(keys);
        services.AddOpenIddict()
            .AddCore(core =>
            {
                core.UseEntityFrameworkCore().UseDbContext<TokenDatabase>();
                core.ReplaceApplicationStore<OpenIddictEntityFrameworkCoreApplication, ClientStore>();
                core.ReplaceApplicationManager<OpenIddictEntityFrameworkCoreApplication, ClientManager>();

                // A rotated or revoked secret counts at once.
                core.DisableEntityCaching();
            })
            .AddServer(server =>
            {
                server.SetAuthorizationEndpointUris("connect/authorize")
                    .SetTokenEndpointUris("connect/token")
                    .SetRevocationEndpointUris("connect/revoke")
                    .SetEndSessionEndpointUris("connect/logout");
                server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange().AllowRefreshTokenFlow().AllowClientCredentialsFlow();
                server.RegisterScopes([.. Scopes.All, OpenIddictConstants.Scopes.OpenId, OpenIddictConstants.Scopes.Profile, OpenIddictConstants.Scopes.OfflineAccess]);
                server.RegisterAudiences(Contracts.Claims.Audience);
                server.DisableAccessTokenEncryption();
                server.SetAccessTokenLifetime(options.AccessTokenLifetime)
                    .SetRefreshTokenLifetime(options.RefreshTokenLifetime)
                    .SetAuthorizationCodeLifetime(TimeSpan.FromMinutes(2))
                    .SetRefreshTokenReuseLeeway(TimeSpan.Zero);
                server.Configure(o => o.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain));
                server.AddEventHandler(NoRowsForMachines.Descriptor);
                server.AddEventHandler(RevokedTokens.Descriptor);
                if (options.Issuer is { } issuer)
                {
                    server.SetIssuer(issuer);
                }

                var web = server.UseAspNetCore().EnableAuthorizationEndpointPassthrough().EnableTokenEndpointPassthrough().EnableEndSessionEndpointPassthrough();
                if (options.Certificate is null)
                {
                    web.DisableTransportSecurityRequirement();
                }
            });
    }

    /// <summary>Makes the tables, and the applications with a log-in: the portal, and command lines (no secret: PKCE and a return to this machine).</summary>
    internal static async Task PrepareAsync(IServiceProvider services, IdentityOptions options, CancellationToken stop)
    {
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<TokenDatabase>().Database.EnsureCreatedAsync(stop);
        var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
        await PutAsync(applications, new OpenIddictApplicationDescriptor
        {
            ClientId = Portal,
            ClientType = ClientTypes.Confidential,
            ClientSecret = "see the credentials",
            DisplayName = "IoT portal",
            ConsentType = ConsentTypes.Implicit,
        }, options.PortalRedirects, stop);
        await PutAsync(applications, new OpenIddictApplicationDescriptor
        {
            ClientId = ApiGateway,
            ClientType = ClientTypes.Confidential,
            ClientSecret = "see the credentials",
            DisplayName = "API gateway",
            ConsentType = ConsentTypes.Implicit,
        }, options.ApiGatewayRedirects, stop);
        await PutAsync(applications, new OpenIddictApplicationDescriptor
        {
            ClientId = CommandLine,
            ClientType = ClientTypes.Public,
            ApplicationType = ApplicationTypes.Native,
            DisplayName = "Command line",
            ConsentType = ConsentTypes.Explicit,
        }, [new Uri("http://127.0.0.1/signin"), new Uri("http://localhost/signin")], stop);
    }

    private static async Task PutAsync(IOpenIddictApplicationManager applications, OpenIddictApplicationDescriptor wanted, IReadOnlyList<Uri> redirects, CancellationToken stop)
    {
        wanted.RedirectUris.UnionWith(redirects);
        wanted.PostLogoutRedirectUris.UnionWith(redirects.Select(static r => new Uri(r, "/")));
        wanted.Permissions.UnionWith(
        [
            Permissions.Endpoints.Authorization, Permissions.Endpoints.Token, Permissions.Endpoints.Revocation, Permissions.Endpoints.EndSession,
            Permissions.GrantTypes.AuthorizationCode, Permissions.GrantTypes.RefreshToken, Permissions.ResponseTypes.Code, Permissions.Scopes.Profile,
            .. Scopes.OfPeople.Select(static s => Permissions.Prefixes.Scope + s),
        ]);
        if (HasLogIn(wanted.ClientId!))
        {
            wanted.Permissions.Add(Permissions.GrantTypes.ClientCredentials);
            wanted.Permissions.UnionWith(ServiceScopes.Of(wanted.ClientId!).Select(static s => Permissions.Prefixes.Scope + s));
        }

        object? found = await applications.FindByClientIdAsync(wanted.ClientId!, stop);
        if (found is null)
        {
            await applications.CreateAsync(wanted, stop);
        }
        else
        {
            await applications.UpdateAsync(found, wanted, stop);
        }
    }
}

/// <summary>What each layer may do with its own token: as little as it needs.</summary>
internal static class ServiceScopes
{
    internal static IReadOnlyList<string> Layers { get; } = ["bus", "analytics", "device-manager", "portal", "api-gateway"];

    internal static IReadOnlyList<string> Of(string layer) => layer switch
    {
        "bus" => [Scopes.Decide, Scopes.RelayBus],
        "analytics" => [Scopes.Decide, Scopes.RelayBus, Scopes.ReadDevices, Scopes.SendCommands],
        "device-manager" => [Scopes.Decide, Scopes.RelayBus, Scopes.ManageIdentity, Scopes.ReadDevices, Scopes.ReadReadings, Scopes.SendCommands, Scopes.ManagePeople],
        "portal" => [Scopes.Decide, Scopes.ReadDevices, Scopes.ManagePeople],
        "api-gateway" => [Scopes.Decide, Scopes.ManageIdentity],
        _ => [Scopes.Decide],
    };
}
