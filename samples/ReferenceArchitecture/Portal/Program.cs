using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Reference.Contracts;
using IoT.Reference.Portal;

LayerOption[] options =
[
    .. LayerArguments.Common,
    new("port", "PORT", "the port; 0 chooses one", "5100"),
    new("device-manager", "URI", "the device manager", "http://127.0.0.1:5102"),
    new("analytics", "URI", "analytics", "http://127.0.0.1:5103"),
    new("issuer", "URI", "what Identity calls itself in tokens, behind a proxy"),
    new("pages", "FOLDER", "serve the pages from this folder, to work on them"),
];
return await LayerProgram.RunAsync(args, "The web portal and API of the reference architecture; needs Identity, DeviceManager and Analytics behind it.", options, async (given, stop) =>
{
    var layer = await PortalLayer.StartAsync(
        new PortalOptions
        {
            DataFolder = Path.Combine(given["data"]!, "portal"),
            Service = given.Service("portal"),
            Layers = new LayerAddresses { Identity = given.Address("identity"), DeviceManager = given.Address("device-manager"), Analytics = given.Address("analytics") },
            Issuer = given["issuer"] is null ? null : given.Address("issuer"),
            Address = IPAddress.Parse(given["address"]!),
            Port = given.Port("port"),
            Certificate = given["certificate"] is { } file ? ReadCertificate(file) : null,
            PagesFolder = given["pages"],
        },
        stop);
    return (layer, [$"Portal {layer.Address}", $"API    {layer.Address}api/v1   described in {layer.Address}openapi/v1.json"]);
});

static X509Certificate2 ReadCertificate(string file) => Path.GetExtension(file).ToUpperInvariant() is ".PFX" or ".P12"
    ? X509CertificateLoader.LoadPkcs12FromFile(file, null)
    : X509Certificate2.CreateFromPemFile(file);
