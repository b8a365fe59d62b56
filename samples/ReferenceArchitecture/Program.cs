using System.Globalization;

using IoT.Reference.Contracts;
using IoT.Reference.Host;
using IoT.Reference.Host.Tour;

if (args is ["tour", .. string[] rest])
{
    return await TourCommand.RunAsync(rest);
}

return await LayerProgram.RunAsync(args, "The reference architecture in one process. 'tour' walks through it by itself.", HostOptions.Known, async (given, stop) =>
{
    var options = HostOptions.From(given);
    if (given.Has("reset") && Directory.Exists(options.DataFolder))
    {
        Directory.Delete(options.DataFolder, recursive: true);
    }

    Installation installation = await Installation.StartAsync(options, layer => Console.Error.WriteLine($"  {layer}"), stop);
    return (new RunningHost(installation), Lines(installation));
});

static string[] Lines(Installation installation)
{
    LayerAddresses at = installation.Addresses;
    var lines = new List<string>
    {
        string.Create(CultureInfo.InvariantCulture, $"Started in {installation.StartUp.TotalSeconds:0.0} s. Look at:"),
        $"  portal           {at.Portal}",
        $"  developer page   {new Uri(at.ApiGateway, "/developers")}",
        $"  OpenAPI          {new Uri(at.Portal, "/openapi/v1.json")}",
        $"  metrics          {new Uri(at.Analytics, "/metrics")}",
        $"  devices send to  {installation.Bus.Mqtt}  {installation.Bus.Http}  {installation.Bus.Coap}",
    };
    if (installation.Identity.FirstPasswords.Count > 0)
    {
        lines.Add("People, with passwords that are told this once:");
        lines.AddRange(installation.Identity.FirstPasswords.Select(static p => $"  {p.Key,-8} {p.Value}"));
    }

    return [.. lines, "Ctrl-C stops everything, devices first."];
}
