using System.Diagnostics;
using System.Diagnostics.Metrics;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace IoT.Reference.Observability;

/// <summary>
/// What every layer shows of itself: metrics for Prometheus at <c>/metrics</c>, health at <c>/health</c> and <c>/health/ready</c>, traces.
/// A process has one collection, however many layers run in it: counters are the process's own.
/// </summary>
/// <remarks>With the variable <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> traces and metrics go to that collector as well.</remarks>
public static class ReferenceTelemetry
{
    /// <summary>The name of <see cref="Source"/> and <see cref="Meter"/>.</summary>
    public const string Name = "IoT.Reference";

    private static readonly Lock _building = new();
    private static Providers? _providers;

    /// <summary>Where layers begin their spans.</summary>
    public static ActivitySource Source { get; } = new(Name);

    /// <summary>Where layers count.</summary>
    public static Meter Meter { get; } = new(Name);

    /// <summary>The latest spans of this process, to look a trace up without a collector.</summary>
    public static RecentTraces Traces { get; } = new();

    /// <summary>Begins to collect, once in a process, and adds the health checks.</summary>
    /// <param name="builder">The layer's application.</param>
    /// <param name="layer">The layer's name, a word of the resource <c>service.name</c> of the first that asks.</param>
    public static IHealthChecksBuilder AddReferenceTelemetry(this WebApplicationBuilder builder, string layer)
    {
        ArgumentNullException.ThrowIfNull(builder);
        Collect(layer);
        return builder.Services.AddHealthChecks();
    }

    /// <summary>Begins to collect, for a process without a web server; once in a process.</summary>
    /// <param name="layer">The layer's name.</param>
    public static void Collect(string layer)
    {
        lock (_building)
        {
            _providers ??= new Providers(layer);
        }
    }

    /// <summary>Maps <c>/metrics</c>, <c>/health</c> (the process lives) and <c>/health/ready</c> (its checks pass).</summary>
    /// <param name="app">The layer's application, which <see cref="AddReferenceTelemetry"/> has prepared.</param>
    public static void MapReferenceTelemetry(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        Providers providers = _providers ?? throw new InvalidOperationException("Call AddReferenceTelemetry before the application is built.");
        app.UseOpenTelemetryPrometheusScrapingEndpoint(providers.Metrics, context => context.Request.Path == "/metrics", null, null, null);
        app.MapHealthChecks("/health", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous();
        app.MapHealthChecks("/health/ready", new HealthCheckOptions { ResponseWriter = WriteAsync }).AllowAnonymous();
    }

    /// <summary>A span that goes on where a W3C trace context says; a new trace where there is none, or none that can be read.</summary>
    /// <param name="name">What is done.</param>
    /// <param name="kind">Which side of a call it is.</param>
    /// <param name="traceParent">The context that came with a message, as <c>traceparent</c>.</param>
    public static Activity? Continue(string name, ActivityKind kind, string? traceParent) =>
        ActivityContext.TryParse(traceParent, null, isRemote: true, out ActivityContext parent)
            ? Source.StartActivity(name, kind, parent)
            : Source.StartActivity(name, kind);

    private static async Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(report.Status.ToString() + "\n");
        foreach ((string name, HealthReportEntry entry) in report.Entries)
        {
            await context.Response.WriteAsync($"{name}: {entry.Status} {entry.Description}\n");
        }
    }

    private sealed class Providers
    {
        public Providers(string layer)
        {
            bool exports = Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 };
            ResourceBuilder resource = ResourceBuilder.CreateDefault().AddService(layer, Name);
            MeterProviderBuilder metrics = Sdk.CreateMeterProviderBuilder()
                .SetResourceBuilder(resource)
                .AddMeter(Name, "IoT.Cep", "IoT.Cep.*", "Microsoft.AspNetCore.*", "System.Net.Http", "System.Runtime")
                .AddPrometheusExporter();
            TracerProviderBuilder traces = Sdk.CreateTracerProviderBuilder()
                .SetResourceBuilder(resource)
                .AddSource(Name)
                .AddAspNetCoreInstrumentation(o => o.Filter = IsTraced)
                .AddHttpClientInstrumentation()
                .AddProcessor(new SimpleActivityExportProcessor(Traces.Exporter));
            if (exports)
            {
                metrics.AddOtlpExporter();
                traces.AddOtlpExporter();
            }

            Metrics = metrics.Build();
            Spans = traces.Build();
        }

        public MeterProvider Metrics { get; }

        public TracerProvider Spans { get; }

        // Scrapes, health checks and streams that stay open would be most of all spans, and tell nothing.
        private static bool IsTraced(HttpContext context) =>
            !context.Request.Path.StartsWithSegments("/metrics") && !context.Request.Path.StartsWithSegments("/health")
            && context.Request.Headers.Accept != "text/event-stream";
    }
}
