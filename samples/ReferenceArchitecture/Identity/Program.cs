using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Reference.Contracts;
using IoT.Reference.Identity;

LayerOption[] options =
[
    new("address", "IP", "where to listen; beyond loopback only with --certificate", "127.0.0.1"),
    new("port", "PORT", "the port; 0 chooses one", "5101"),
    new("data", "FOLDER", "what it keeps", "reference-data"),
    new("portal", "URI", "where the portal's log-in returns to", "http://127.0.0.1:5100/signin"),
    new("api-gateway", "URI", "where the developer page's log-in returns to", "http://127.0.0.1:5108/signin"),
    new("issuer", "URI", "what it calls itself in tokens, behind a proxy"),
    new("certificate", "FILE", "a certificate with its key (PFX), to listen with TLS"),
];
return await LayerProgram.RunAsync(args, "Identity of the reference architecture: OAuth2/OIDC, credentials, decisions, shares.", options, async (given, stop) =>
{
    var layer = await IdentityLayer.StartAsync(
        new IdentityOptions
        {
            DataFolder = given["data"]!,
            Address = IPAddress.Parse(given["address"]!),
            Port = given.Port("port"),
            PortalRedirects = [given.Address("portal")],
            ApiGatewayRedirects = [given.Address("api-gateway")],
            Issuer = given["issuer"] is null ? null : given.Address("issuer"),
            Certificate = given["certificate"] is { } file ? X509CertificateLoader.LoadPkcs12FromFile(file, null) : null,
        },
        stop);
    return (layer, ["Identity " + layer.Address, .. layer.FirstPasswords.Select(static p => $"  {p.Key}: {p.Value}   (told this once)")]);
});
