using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Cep;

/// <summary>MQTT over WebSocket, as browsers and devices behind a firewall speak it, at a path of a web application.</summary>
public static class MqttEndpointExtensions
{
    private const string SubProtocol = "mqtt";

    /// <summary>Maps an embedded broker: <c>app.MapMqtt("/mqtt", broker)</c>. Who connects and may do what is for the broker's own options to say.</summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="path">Where.</param>
    /// <param name="broker">The broker; it must be there as long as the application runs.</param>
    /// <param name="allowedOrigins">Pages of other sites that may connect, as <c>https://portal.example</c>; a page of this application always may.</param>
    /// <returns>The endpoint: <c>.RequireAuthorization()</c>, <c>.RequireHost(...)</c>.</returns>
    public static IEndpointConventionBuilder MapMqtt(this IEndpointRouteBuilder endpoints, string path, MqttBroker broker, params string[] allowedOrigins)
    {
        ArgumentNullException.ThrowIfNull(broker);
        return Map(endpoints, path, allowedOrigins, (context, socket) =>
        {
            var remote = RemoteOf(context);
            return broker.ServeAsync(
                socket, remote is null ? null : new IPEndPoint(remote, context.Connection.RemotePort), context.Request.IsHttps, context.Connection.ClientCertificate);
        });
    }

    /// <summary>Maps an ingest endpoint: <c>app.MapMqtt("/mqtt", endpoint)</c>. A bearer token of the request proves who connects, where CONNECT brings none.</summary>
    /// <param name="endpoints">The application, or a group of it.</param>
    /// <param name="path">Where.</param>
    /// <param name="endpoint">The ingest endpoint.</param>
    /// <param name="allowedOrigins">Pages of other sites that may connect, as <c>https://portal.example</c>; a page of this application always may.</param>
    /// <returns>The endpoint: <c>.RequireAuthorization()</c>, <c>.RequireHost(...)</c>.</returns>
    public static IEndpointConventionBuilder MapMqtt(this IEndpointRouteBuilder endpoints, string path, MqttIngestEndpoint endpoint, params string[] allowedOrigins)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return Map(endpoints, path, allowedOrigins, (context, socket) =>
        {
            string? authorization = context.Request.Headers.Authorization;
            return endpoint.AcceptAsync(socket, new MqttIngestPeer(RemoteOf(context), context.Request.IsHttps)
            {
                Certificate = context.Connection.ClientCertificate,
                Token = authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true ? authorization[7..].Trim() : null,
            });
        });
    }

    private static IEndpointConventionBuilder Map(
        IEndpointRouteBuilder endpoints, string path, string[] allowedOrigins, Func<HttpContext, WebSocket, Task> serve)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(allowedOrigins);
        return endpoints.MapMethods(path, ["GET", "CONNECT"], HttpEndpointExtensions.WithWebSockets(endpoints, async context =>
        {
            if (!context.WebSockets.IsWebSocketRequest || !context.WebSockets.WebSocketRequestedProtocols.Contains(SubProtocol))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync("This is MQTT over WebSocket: connect with the subprotocol 'mqtt'.", context.RequestAborted).ConfigureAwait(false);
                return;
            }

            if (!HttpAccess.IsFromHere(context.Request, allowedOrigins))
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync(SubProtocol).ConfigureAwait(false);
            await serve(context, socket).ConfigureAwait(false);
        }));
    }

    // A proxy on this machine speaks for others: what comes through it is of nobody on this machine.
    private static IPAddress? RemoteOf(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } remote && (!IPAddress.IsLoopback(remote) || HttpAccess.IsLocal(context)) ? remote : null;
}
