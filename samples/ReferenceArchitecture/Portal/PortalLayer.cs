using System.Net;
using IoT.Reference.Access;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace IoT.Reference.Portal;

/// <summary>The web portal and the API <c>/api/v1</c>: pages for people, a session for browsers, tokens for programs. It keeps nothing but sessions.</summary>
public sealed class PortalLayer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly AccessPoint _access;

    private PortalLayer(WebApplication app, AccessPoint access) => (_app, _access) = (app, access);

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/");

    /// <summary>Opens or makes the data folder and listens. The layers behind it may start later.</summary>
    /// <param name="options">Where.</param>
    /// <param name="stop">Ends the start.</param>
    /// <exception cref="InvalidOperationException">The address can be reached by others and there is no certificate.</exception>
    /// <exception cref="IOException">The folder or the port can't be used.</exception>
    public static async Task<PortalLayer> StartAsync(PortalOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IPAddress.IsLoopback(options.Address) && options.Certificate is null)
        {
            throw new InvalidOperationException($"{options.Address} can be reached by others, and sessions would cross the network in clear text: give a certificate, or listen on loopback.");
        }

        var access = await AccessPoint.StartAsync(
            new AccessOptions
            {
                Identity = options.Layers.Identity,
                Service = options.Service,
                Issuer = options.Issuer,
                Handler = options.Handler,
                TimeProvider = options.TimeProvider,
                Logger = options.LoggerFactory.CreateLogger("IoT.Reference.Portal.Access"),
            },
            stop);
        WebApplication? app = null;
        try
        {
            app = Web.PortalServer.Build(options, access);
            await app.StartAsync(stop);
            return new PortalLayer(app, access);
        }
        catch
        {
            if (app is not null)
            {
                await app.DisposeAsync();
            }

            await access.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Live streams end by themselves when the server stops.
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _access.DisposeAsync();
    }
}
