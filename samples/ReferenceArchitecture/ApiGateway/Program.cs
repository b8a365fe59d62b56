using System.Net;
using IoT.Reference.ApiGateway;
using IoT.Reference.Contracts;

LayerOption[] options =
[
    .. LayerArguments.Common,
    new("port", "PORT", "the port; 0 chooses one", "5108"),
    new("analytics", "URI", "where usage events go", "http://127.0.0.1:5103"),
    new("backends", "URIS", "instances of the API, separated by commas, for a catalogue that has to be made", "http://127.0.0.1:5100"),
    new("apis", "FILE", "the catalogue of APIs (apis.json of the data folder)"),
    new("issuer", "URI", "what Identity calls itself in tokens, behind a proxy"),
];
return await LayerProgram.RunAsync(args, "The API gateway of the reference architecture; needs Identity, and instances of the API behind it.", options, async (given, stop) =>
{
    var layer = await ApiGatewayLayer.StartAsync(
        new ApiGatewayOptions
        {
            DataFolder = Path.Combine(given["data"]!, "api-gateway"),
            Service = given.Service("api-gateway"),
            Identity = given.Address("identity"),
            Issuer = given["issuer"] is null ? null : given.Address("issuer"),
            Analytics = given.Address("analytics"),
            CatalogFile = given["apis"],
            Backends = [.. given["backends"]!.Split(',', StringSplitOptions.TrimEntries).Select(b => Uri.TryCreate(b, UriKind.Absolute, out var uri) ? uri : throw new FormatException("--backends must be addresses."))],
            Address = IPAddress.Parse(given["address"]!),
            Port = given.Port("port"),
            Certificate = given.Certificate(),
        },
        stop);
    return (layer, [$"API gateway {layer.Address}", $"developers  {layer.Address}developers"]);
});
