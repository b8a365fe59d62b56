using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Health;

namespace IoT.Reference.ApiGateway.Catalog;

/// <summary>The catalogue as YARP's configuration.</summary>
internal static class ProxyRoutes
{
    /// <summary>Names of a route's metadata.</summary>
    internal const string Api = "api", Version = "version", Open = "open";

    internal static string ClusterOf(Api api, ApiVersion version) => $"{api.Id} {version.Version}";

    internal static List<RouteConfig> Routes(ApiCatalog catalog)
    {
        var routes = new List<RouteConfig>();
        foreach (var api in catalog.Apis)
        {
            foreach (var version in api.Versions)
            {
                string cluster = ClusterOf(api, version);
                routes.Add(Route(cluster, api, version, version.Path + "/{**rest}", isOpen: false));
                if (version.OpenApi is { } document && version.State != VersionState.Retired)
                {
                    routes.Add(Route(cluster + " document", api, version, $"/developers/documents/{api.Id}/{version.Version}", isOpen: true) with
                    {
                        Transforms = [.. Headers, new Dictionary<string, string> { ["PathSet"] = document }],
                    });
                }
            }
        }

        return routes;
    }

    internal static List<ClusterConfig> Clusters(ApiCatalog catalog, ApiGatewayOptions options) =>
        [.. catalog.Apis.SelectMany(a => a.Versions.Select(v => Cluster(a, v, options)))];

    // What says who somebody is ends here: instances get a token and nothing else. An address that a caller claims to come from is not passed on.
    private static IReadOnlyList<IReadOnlyDictionary<string, string>> Headers { get; } =
    [
        new Dictionary<string, string> { ["RequestHeaderRemove"] = "Cookie" },
        new Dictionary<string, string> { ["RequestHeaderRemove"] = "X-Api-Key" },
        new Dictionary<string, string> { ["X-Forwarded"] = "Set" },
    ];

    private static RouteConfig Route(string id, Api api, ApiVersion version, string path, bool isOpen) => new()
    {
        RouteId = id,
        ClusterId = ClusterOf(api, version),
        Match = new RouteMatch { Path = path, Methods = isOpen ? ["GET"] : null },
        Transforms = Headers,
        Metadata = new Dictionary<string, string> { [Api] = api.Id, [Version] = version.Version, [Open] = isOpen ? "true" : "false" },
    };

    private static ClusterConfig Cluster(Api api, ApiVersion version, ApiGatewayOptions options) => new()
    {
        ClusterId = ClusterOf(api, version),
        LoadBalancingPolicy = version.Balance,
        Destinations = (version.Backends ?? []).Index().ToDictionary(b => $"{b.Index}", b => new DestinationConfig { Address = b.Item.AbsoluteUri }),
        HealthCheck = version.State == VersionState.Retired ? null : new HealthCheckConfig
        {
            // Not "or panic": calls that fail one after the other help nobody, 503 says what is.
            AvailableDestinationsPolicy = HealthCheckConstants.AvailableDestinations.HealthyAndUnknown,
            Active = new ActiveHealthCheckConfig
            {
                Enabled = true,
                Interval = options.HealthInterval,
                Timeout = TimeSpan.FromSeconds(5),
                Policy = HealthCheckConstants.ActivePolicy.ConsecutiveFailures,
                Path = version.Health,
            },
            Passive = new PassiveHealthCheckConfig
            {
                Enabled = true,
                Policy = HealthCheckConstants.PassivePolicy.TransportFailureRate,
                ReactivationPeriod = options.Rest,
            },
        },
    };
}
