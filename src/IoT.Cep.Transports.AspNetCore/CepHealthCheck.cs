using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Cep;

/// <summary>An engine's health: what has failed for good, and what is away for now. Names only; what a device sent is not in it.</summary>
/// <param name="engine">The engine.</param>
internal sealed class CepHealthCheck(CepEngine engine) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        var details = new Dictionary<string, object>();
        var status = HealthStatus.Healthy;
        string what = "";
        foreach (var source in engine.Sources)
        {
            details["source " + source.Name] = source.IsConnected ? "connected" : "not connected";
            if (!source.IsConnected && status == HealthStatus.Healthy)
            {
                (status, what) = (HealthStatus.Degraded, $"Source '{source.Name}' is not connected.");
            }
        }

        foreach (var query in engine.Queries)
        {
            details["query " + query.Name] = query.State.ToString();
            if (query.State == QueryState.Failed)
            {
                (status, what) = (context.Registration.FailureStatus, $"Query '{query.Name}' has failed.");
            }
            else if (query.Sink?.LastError is not null && status == HealthStatus.Healthy)
            {
                (status, what) = (HealthStatus.Degraded, $"The sink of query '{query.Name}' fails at present.");
            }
        }

        return Task.FromResult(new HealthCheckResult(status, what, data: details));
    }
}
