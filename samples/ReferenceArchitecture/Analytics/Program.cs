using System.Net;

using IoT.Reference.Analytics;
using IoT.Reference.Contracts;

LayerOption[] options =
[
    .. LayerArguments.Common,
    new("port", "PORT", "HTTP", "5103"),
    new("bus", "URI", "the bus by MQTT", "mqtt://127.0.0.1:5183"),
    new("device-manager", "URI", "where commands go", "http://127.0.0.1:5102"),
    new("web-hook", "URI", "told of every change of an alert by POST"),
    new("disorder", "SECONDS", "how much a device's readings may be out of order", "2"),
];
return await LayerProgram.RunAsync(args, "Event processing and analytics of the reference architecture.", options, async (given, stop) =>
{
    var layer = await AnalyticsLayer.StartAsync(
        new AnalyticsOptions
        {
            Identity = given.Address("identity"),
            Service = given.Service("analytics"),
            Bus = given.Address("bus"),
            DeviceManager = given.Address("device-manager"),
            DataFolder = Path.Combine(given["data"]!, "analytics"),
            Address = IPAddress.Parse(given["address"]!),
            Port = given.Port("port"),
            Certificate = given.Certificate(),
            WebHook = given.Has("web-hook") ? given.Address("web-hook") : null,
            Disorder = TimeSpan.FromSeconds(given.Number("disorder")),
        },
        stop);
    return (new Reporting(layer), [$"http  {layer.Address}"]);
});

/// <summary>Says at the end what was measured.</summary>
internal sealed class Reporting(AnalyticsLayer layer) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        var latency = layer.Latency;
        await Console.Out.WriteLineAsync(FormattableString.Invariant(
            $"{layer.Readings} readings; from arrival to action: median {latency.MedianMilliseconds:0.0} ms, p99 {latency.P99Milliseconds:0.0} ms of {latency.Count}"));
        await layer.DisposeAsync();
    }
}
