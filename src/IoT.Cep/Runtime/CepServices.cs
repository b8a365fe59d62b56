using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>An engine in a host.</summary>
public static class CepServices
{
    /// <summary>
    /// Adds an engine that starts and drains with the host. It takes the host's clock, log and configuration (section <c>IoT.Cep</c>), and can
    /// be injected as <see cref="CepEngine"/>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="queries">Declares the queries; called once, when the host starts.</param>
    /// <param name="configure">How the engine runs.</param>
    public static IServiceCollection AddCep(this IServiceCollection services, Action<ICep> queries, Action<CepEngineOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(queries);
        if (services.Any(service => service.ServiceType == typeof(CepEngine)))
        {
            throw new InvalidOperationException("AddCep was called before, and an application has one engine: declare all queries in one call.");
        }

        services.AddSingleton(provider => Make(provider, queries, configure));
        services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<CepEngine>());
        return services;
    }

    private static CepEngine Make(IServiceProvider provider, Action<ICep> queries, Action<CepEngineOptions>? configure)
    {
        var options = new CepEngineOptions
        {
            TimeProvider = provider.GetService<TimeProvider>() ?? TimeProvider.System,
            LoggerFactory = provider.GetService<ILoggerFactory>(),
            Configuration = provider.GetService<IConfiguration>()?.GetSection("IoT.Cep"),
        };
        configure?.Invoke(options);
        return new CepEngine(queries, options);
    }
}
