using System.Net;
using System.Text.Json;
using IoT.Reference.Contracts;
using IoT.Reference.Identity.OAuth;
using IoT.Reference.Identity.Store;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using OpenIddict.Server;

namespace IoT.Reference.Identity;

/// <summary>Who somebody is and what he may do: OAuth2/OIDC, credentials, the policy decision point, shares, personal data. Calls nobody.</summary>
public sealed class IdentityLayer : IAsyncDisposable
{
    internal const string TokenLimit = "tokens", LoginLimit = "logins";

    private static readonly TimeSpan _lookAtKeys = TimeSpan.FromHours(1);

    private readonly WebApplication _app;
    private readonly ITimer _keyTimer;

    private IdentityLayer(WebApplication app, IReadOnlyDictionary<string, string> passwords, IReadOnlyList<ServiceCredential> layers)
    {
        (_app, FirstPasswords, Services) = (app, passwords, layers);
        var options = app.Services.GetRequiredService<IdentityOptions>();
        _keyTimer = options.TimeProvider.CreateTimer(_ => LookAtKeys(), null, _lookAtKeys, _lookAtKeys);
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/");

    /// <summary>The passwords of the first people, by name, where the data folder is new; told this once. Empty otherwise.</summary>
    public IReadOnlyDictionary<string, string> FirstPasswords { get; }

    /// <summary>What the layers prove themselves with: the content of <c>services.json</c>.</summary>
    public IReadOnlyList<ServiceCredential> Services { get; }

    /// <summary>Opens or makes the data folder and listens.</summary>
    /// <param name="options">Where.</param>
    /// <param name="stop">Ends the start.</param>
    /// <exception cref="InvalidOperationException">The address can be reached by others and there is no certificate.</exception>
    /// <exception cref="IOException">The folder or the port can't be used.</exception>
    public static async Task<IdentityLayer> StartAsync(IdentityOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IPAddress.IsLoopback(options.Address) && options.Certificate is null)
        {
            throw new InvalidOperationException($"{options.Address} can be reached by others, and passwords would cross the network in clear text: give a certificate, or listen on loopback.");
        }

        PrivateFiles.CreateFolder(options.DataFolder);
        var app = IdentityServer.Build(options);
        try
        {
            await OAuthServer.PrepareAsync(app.Services, options, stop);
            var passwords = FirstPeople(app.Services.GetRequiredService<People>());
            var layers = FirstServices(app.Services.GetRequiredService<Credentials>(), options.DataFolder);
            await app.StartAsync(stop);
            return new IdentityLayer(app, passwords, layers);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a new signing key now: new tokens are signed with it, those of before hold to their end.</summary>
    public void RotateSigningKey()
    {
        _app.Services.GetRequiredService<KeyRing>().Rotate();
        ForgetKeys();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _keyTimer.DisposeAsync();
        _app.Services.GetRequiredService<ChangeFeed>().End();
        await _app.StopAsync();
        await _app.DisposeAsync();

        // OpenIddict's connections wait in a pool, and hold the file.
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
    }

    private void LookAtKeys()
    {
        if (_app.Services.GetRequiredService<KeyRing>().RotateIfOld())
        {
            ForgetKeys();
        }
    }

    // OpenIddict makes its options again, with the keys there are now.
    private void ForgetKeys() => _app.Services.GetRequiredService<IOptionsMonitorCache<OpenIddictServerOptions>>().TryRemove(Options.DefaultName);

    private static Dictionary<string, string> FirstPeople(People people)
    {
        var passwords = new Dictionary<string, string>(StringComparer.Ordinal);
        if (people.List(null, 1).Count > 0)
        {
            return passwords;
        }

        (string Id, string Name, string[] Roles)[] first =
            [("alice", "Alice Owner", []), ("bob", "Bob Owner", []), ("olga", "Olga Operator", [Roles.Operator]), ("ada", "Ada Administrator", [Roles.Administrator])];
        foreach (var (id, name, roles) in first)
        {
            passwords[id] = People.RandomPassword();
            people.Add(id, name, roles, passwords[id]);
        }

        return passwords;
    }

    // The file is what the layers are given; the database has hashes only. Where one of them is lost, both are made anew.
    private static List<ServiceCredential> FirstServices(Credentials credentials, string folder)
    {
        string path = Path.Combine(folder, LayerArguments.ServicesFile);
        var known = File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), WireJson.Default.ListServiceCredential) ?? [] : [];
        var layers = new List<ServiceCredential>();
        foreach (string layer in ServiceScopes.Layers)
        {
            var found = known.Find(k => k.Id == layer);
            bool isRight = found is not null && credentials.Verify(layer, found.Secret) is not null && credentials.Find(layer)!.Scopes.SequenceEqual(ServiceScopes.Of(layer));
            layers.Add(isRight ? found! : new ServiceCredential(layer, credentials.Issue(new CredentialRequest(layer, SubjectKind.Service, ServiceScopes.Of(layer)))!));
        }

        PrivateFiles.Write(path, JsonSerializer.SerializeToUtf8Bytes(layers, WireJson.Default.ListServiceCredential));
        return layers;
    }
}
