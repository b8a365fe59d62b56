using System.Net;
using IoT.Reference.Access;
using IoT.Reference.ApiGateway.Catalog;
using IoT.Reference.ApiGateway.Usage;
using IoT.Reference.ApiGateway.Web;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace IoT.Reference.ApiGateway;

/// <summary>The front door of the API: who calls proves a subscription, is held to its plan, reaches an instance that is well, and is counted. Developers help themselves at <c>/developers</c>.</summary>
public sealed class ApiGatewayLayer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly AccessPoint _access;

    private ApiGatewayLayer(WebApplication app, AccessPoint access) => (_app, _access) = (app, access);

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/");

    /// <summary>Usage events that were lost: the queue was full, or analytics refused them.</summary>
    public long DroppedUsage => _app.Services.GetRequiredService<UsageReporter>().Dropped;

    /// <summary>Opens or makes the data folder and listens. The layers behind it may start later.</summary>
    /// <param name="options">Where.</param>
    /// <param name="stop">Ends the start.</param>
    /// <exception cref="InvalidOperationException">The address can be reached by others and there is no certificate, or the catalogue can't be read.</exception>
    /// <exception cref="IOException">The folder or the port can't be used.</exception>
    public static async Task<ApiGatewayLayer> StartAsync(ApiGatewayOptions options, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!IPAddress.IsLoopback(options.Address) && options.Certificate is null)
        {
            throw new InvalidOperationException($"{options.Address} can be reached by others, and keys would cross the network in clear text: give a certificate, or listen on loopback.");
        }

        var access = await AccessPoint.StartAsync(
            new AccessOptions
            {
                Identity = options.Identity,
                Service = options.Service,
                Issuer = options.Issuer,
                Handler = options.Handler,
                TimeProvider = options.TimeProvider,
                Logger = options.LoggerFactory.CreateLogger("IoT.Reference.ApiGateway.Access"),
            },
            stop);
        WebApplication? app = null;
        try
        {
            app = GatewayServer.Build(options, access);
            await app.StartAsync(stop);
            app.Services.GetRequiredService<CatalogFile>().Watch();
            return new ApiGatewayLayer(app, access);
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

    /// <summary>Takes no more calls, tells of those it had, and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _access.DisposeAsync();
    }
}
