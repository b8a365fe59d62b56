using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep;

/// <summary>Declares an HTTP server beside queries, and maps it into an application.</summary>
public static class HttpEndpointExtensions
{
    private static readonly string[] _post = ["POST"];
    private static readonly string[] _get = ["GET", "CONNECT"];
    private static readonly string[] _commands = ["GET", "DELETE"];

    /// <summary>
    /// The HTTP server of an engine: <c>var http = cep.HttpServer(); cep.From(http.Receive("/t/{sensor}", decoder))</c>. The same one for the same name; the first call sets the options.
    /// </summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="name">The server's name, where there are several.</param>
    /// <exception cref="InvalidOperationException">It has options already.</exception>
    public static HttpServer HttpServer(this ICep cep, Action<HttpServerOptions>? configure = null, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(cep);
        if (cep.Connections.Find<HttpServer>(name) is { } known)
        {
            return configure is null ? known : throw new InvalidOperationException($"The HTTP server '{name}' has its options already: give them at the first call.");
        }

        var options = new HttpServerOptions();
        configure?.Invoke(options);
        var server = new HttpServer(options);
        cep.Connections.Set(server, name);
        return server;
    }

    /// <summary>
    /// Maps all that was declared on the engine's HTTP server: <c>app.MapCep()</c>, or <c>app.MapGroup("/iot").MapCep()</c>. Declares the queries of <c>AddCep</c>, if that has not been done.
    /// </summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="name">The server's name.</param>
    /// <returns>All its endpoints: <c>.RequireAuthorization()</c>, <c>.RequireHost(...)</c>.</returns>
    /// <exception cref="InvalidOperationException">There is no engine, or it has no such server.</exception>
    public static IEndpointConventionBuilder MapCep(this IEndpointRouteBuilder endpoints, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapCep(Find(endpoints, name));
    }

    /// <summary>Maps all that was declared on an HTTP server.</summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="server">The server.</param>
    /// <returns>All its endpoints.</returns>
    public static IEndpointConventionBuilder MapCep(this IEndpointRouteBuilder endpoints, HttpServer server)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(server);
        server.Freeze();
        var group = endpoints.MapGroup("");
        foreach (var ingest in server.Ingests)
        {
            string pattern = Pattern(ingest.Template);
            group.MapMethods(pattern, _post, ingest.HandleAsync);
            group.MapMethods(pattern, _get, WithWebSockets(endpoints, ingest.HandleAsync));
        }

        foreach (var feed in server.Feeds)
        {
            group.MapMethods(Pattern(feed.Path), _get, WithWebSockets(endpoints, feed.HandleAsync));
        }

        foreach (var mediation in server.Mediations)
        {
            group.MapMethods(Pattern(mediation.Template), _post, mediation.HandleAsync);
        }

        foreach (var commands in server.CommandEndpoints)
        {
            group.MapMethods(Pattern(commands.Template), _commands, commands.HandleAsync);
        }

        return group;
    }

    /// <summary>Maps the OpenAPI document of the engine's HTTP server.</summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="path">Where.</param>
    /// <param name="name">The server's name.</param>
    public static IEndpointConventionBuilder MapCepOpenApi(this IEndpointRouteBuilder endpoints, string path = "/openapi.json", string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapCepOpenApi(path, Find(endpoints, name));
    }

    /// <summary>Maps the OpenAPI document of an HTTP server.</summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="path">Where.</param>
    /// <param name="server">The server.</param>
    public static IEndpointConventionBuilder MapCepOpenApi(this IEndpointRouteBuilder endpoints, string path, HttpServer server)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(server);
        server.Freeze();
        byte[] document = OpenApiDocument.Write(server);
        return endpoints.MapMethods(path, ["GET"], async (HttpContext context) =>
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = document.Length;
            await context.Response.Body.WriteAsync(document, context.RequestAborted).ConfigureAwait(false);
        });
    }

    /// <summary>Adds the engine to the application's health: unhealthy where a query has failed, degraded where a source has no connection or a sink fails at present.</summary>
    /// <param name="checks">The application's checks.</param>
    /// <param name="name">The check's name.</param>
    public static IHealthChecksBuilder AddCep(this IHealthChecksBuilder checks, string name = "cep")
    {
        ArgumentNullException.ThrowIfNull(checks);
        return checks.Add(new Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckRegistration(
            name, static services => new CepHealthCheck(services.GetRequiredService<CepEngine>()), failureStatus: null, tags: null));
    }

    private static HttpServer Find(IEndpointRouteBuilder endpoints, string name)
    {
        var engine = endpoints.ServiceProvider.GetService<CepEngine>()
            ?? throw new InvalidOperationException("There is no engine to map: call services.AddCep(cep => ...) first.");
        return engine.Connections.Find<HttpServer>(name)
            ?? throw new InvalidOperationException($"The engine has no HTTP server '{name}': declare one in AddCep, as in 'var http = cep.HttpServer();'.");
    }

    /// <summary>WebSockets for these endpoints alone: the application need not have them.</summary>
    internal static RequestDelegate WithWebSockets(IEndpointRouteBuilder endpoints, RequestDelegate handle)
    {
        var pipeline = endpoints.CreateApplicationBuilder();

        // A pong must follow a ping, so that a peer that has gone without a word is found out.
        pipeline.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(30), KeepAliveTimeout = TimeSpan.FromSeconds(30) });
        pipeline.Run(handle);
        return pipeline.Build();
    }

    /// <summary>A template as ASP.NET's routing writes it: its places need names.</summary>
    private static string Pattern(TopicTemplate template)
    {
        string[] levels = template.ToString().Split('/');
        for (int i = 0; i < levels.Length; i++)
        {
            levels[i] = levels[i] switch
            {
                "+" => $"{{level{i}}}",
                "#" => "{*rest}",
                var level => level,
            };
        }

        return "/" + string.Join('/', levels);
    }
}
