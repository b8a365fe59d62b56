using System.Globalization;
using System.Net;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>What a device posts.</summary>
[Event]
public readonly partial record struct Posted([EventKey] string Sensor, double V);

/// <summary>
/// A process of its own that serves HTTP, by the library or by an endpoint of ASP.NET that only reads the body, and says what that cost between the lines <c>begin</c> and <c>end</c> of its input.
/// </summary>
internal static class HttpServing
{
    internal const string Command = "http-serve";

    internal static async Task<int> RunAsync(string[] args)
    {
        await (args[0] == "cep" ? ByLibraryAsync() : ByAspNetAsync());
        return 0;
    }

    private static async Task ByLibraryAsync()
    {
        var sink = new CountingSink();
        await using var engine = new CepEngine();
        using var http = engine.HttpServer();
        engine.From(http.Receive("/t/{sensor}", Json.Decode<Posted>())).WithArrivalTime().To(sink);
        await engine.StartAsync();
        await using var listening = await http.ListenAsync();
        Measure(listening.Port, () => sink.Count);
    }

    private static async Task ByAspNetAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        await using var app = builder.Build();
        app.UseRouting();
        app.MapPost("/t/{sensor}", ReadAsync);
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        Measure(new Uri(address).Port, () => 0);
        await app.StopAsync();
    }

    private static async Task ReadAsync(HttpContext context)
    {
        while (true)
        {
            var result = await context.Request.BodyReader.ReadAsync();
            context.Request.BodyReader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                context.Response.StatusCode = 204;
                return;
            }
        }
    }

    private static void Measure(int port, Func<long> count)
    {
        Console.WriteLine(port.ToString(CultureInfo.InvariantCulture));
        while (Console.ReadLine() == "begin")
        {
            var cpu = Environment.CpuUsage.TotalTime;
            long allocated = GC.GetTotalAllocatedBytes();
            long before = count();
            Console.WriteLine("ready");
            Console.ReadLine();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{(Environment.CpuUsage.TotalTime - cpu).TotalSeconds:R} {GC.GetTotalAllocatedBytes() - allocated} {count() - before}"));
        }
    }

    private sealed class CountingSink : IInlineSink<Posted>
    {
        private long _count;

        public string Name => "count";

        internal long Count => Volatile.Read(ref _count);

        public void Write(in Batch<Posted> batch) => Volatile.Write(ref _count, _count + batch.Length);
    }
}
