using IoT.Cep;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace IoT.Reference.Bus;

/// <summary>The bus by HTTP: what the engine declared, the desired state, MQTT over WebSocket, metrics and health.</summary>
internal sealed class BusEndpoints : IAsyncDisposable
{
    private readonly WebApplication _app;

    private BusEndpoints(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public static async Task<BusEndpoints> StartAsync(
        BusOptions options, HttpServer http, MqttBroker? broker, LatestMessages desired, ListenerSecurity security, CancellationToken stop)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton(options.Logging);

        // WebSockets stay open as long as their devices like: they are waited for only so long.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.AddReferenceTelemetry("bus");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;   // The ingest endpoints have limits of their own, for bodies that are streams.
            kestrel.Limits.MaxConcurrentConnections = options.MaxClients;
            kestrel.Listen(options.Address, options.HttpPort, listen =>
            {
                if (options.Certificate is not null)
                {
                    listen.UseHttps(options.Certificate);
                }
            });
        });
        var app = builder.Build();
        app.MapReferenceTelemetry();
        app.MapCep(http);
        app.MapCepOpenApi("/openapi.json", http);
        app.MapGet("/" + Topics.Desired, (HttpContext context, string device) => DesiredAsync(context, device, desired, security));
        if (broker is not null)
        {
            app.MapMqtt("/mqtt", broker);
        }

        await app.StartAsync(stop);
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new BusEndpoints(app) { Address = new Uri(address) };
    }

    /// <summary>Refuses new connections, so that the queries can finish.</summary>
    public Task StopTakingAsync() => _app.StopAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task<IResult> DesiredAsync(HttpContext context, string device, LatestMessages desired, ListenerSecurity security)
    {
        Identity? identity = await BusCredentials.ProveAsync(context, security);
        if (identity is null)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer, Basic realm=\"iot\"";
            return Results.Problem(statusCode: StatusCodes.Status401Unauthorized);
        }

        string topic = Topics.Of(Topics.Desired, device);
        if (!DeviceIds.IsValid(device) || !await security.AuthorizeAsync(identity, AccessAction.Subscribe, topic))
        {
            return Results.Problem(statusCode: StatusCodes.Status403Forbidden);
        }

        return desired.Find(topic) is { } body ? Results.Bytes(body, "application/json") : Results.NoContent();
    }
}
