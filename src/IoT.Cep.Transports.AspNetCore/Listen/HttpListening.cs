using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep;

/// <summary>An <see cref="HttpServer"/> that listens by itself, until it is disposed of.</summary>
public sealed class HttpListening : IAsyncDisposable
{
    /// <summary>A request line and its header fields: what devices send has a few hundred bytes, and a token a few thousand.</summary>
    private const int MaxRequestLineBytes = 4096, MaxHeaderBytes = 16 * 1024, MaxHeaders = 40;

    private readonly WebApplication _app;

    private HttpListening(WebApplication app, Uri address) => (_app, Address) = (app, address);

    /// <summary>Where it listens: <c>http://127.0.0.1:8080/</c>.</summary>
    public Uri Address { get; }

    /// <summary>The port.</summary>
    public int Port => Address.Port;

    /// <summary>Takes no more requests, lets those under way end, and closes the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync().ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    internal static async Task<HttpListening> StartAsync(HttpServer server, HttpListenOptions options, CancellationToken stop)
    {
        options.Validate();
        server.Options.Security.ThrowIfUnsafe("HTTP", options.Address, options.Certificate is not null);

        // Empty: neither a file nor an environment variable may open another port.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore();
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, server, options));
        var app = builder.Build();
        try
        {
            app.UseRouting();
            app.MapCep(server);
            if (options.OpenApiPath is { } path)
            {
                app.MapCepOpenApi(path, server);
            }

            await app.StartAsync(stop).ConfigureAwait(false);
            string address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
            return new HttpListening(app, new Uri(address));
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static void Configure(KestrelServerOptions kestrel, HttpServer server, HttpListenOptions options)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        limits.MaxConcurrentConnections = options.MaxConnections;
        limits.MaxConcurrentUpgradedConnections = options.MaxConnections;
        limits.MaxRequestLineSize = MaxRequestLineBytes;
        limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        limits.MaxRequestHeaderCount = MaxHeaders;
        limits.RequestHeadersTimeout = options.HeaderTimeout;
        limits.KeepAliveTimeout = options.KeepAlive;
        limits.MinRequestBodyDataRate = new MinDataRate(options.MinBytesPerSecond, TimeSpan.FromSeconds(5));
        kestrel.Listen(options.Address, options.Port, listen =>
        {
            if (options.Certificate is { } certificate)
            {
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = certificate;
                    if (server.Options.Security.Certificate is not null)
                    {
                        // Asked for, not demanded: others may bring a token. What is in it, the function that knows certificates checks.
                        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                        https.AllowAnyClientCertificate();
                    }
                });
            }
        });
    }
}
