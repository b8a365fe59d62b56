using System.Net;
using System.Security.Cryptography.X509Certificates;

using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager;

return await LayerProgram.RunAsync(
    args,
    "The device manager: registry, desired state, commands, jobs, updates and the audit of devices.",
    [
        .. LayerArguments.Common,
        new LayerOption("port", "PORT", "where to listen; 0 for any that is free", "5102"),
        new LayerOption("bus", "URI", "the bus by MQTT", "mqtt://127.0.0.1:5183"),
        new LayerOption("bus-ca", "FILE", "the certificate of the bus, where it is a development certificate"),
        new LayerOption("makers-key", "FILE", "the public key (PEM) of those who sign software; without it this layer signs"),
    ],
    async (given, stop) =>
    {
        var layer = await DeviceManagerLayer.StartAsync(
            new DeviceManagerOptions
            {
                Identity = given.Address("identity"),
                Service = given.Service("device-manager"),
                Bus = given.Address("bus"),
                BusCaFile = given["bus-ca"],
                DataFolder = Path.Combine(given["data"]!, "device-manager"),
                Address = IPAddress.Parse(given["address"]!),
                Port = given.Port("port"),
                Certificate = given["certificate"] is { } file ? X509CertificateLoader.LoadPkcs12FromFile(file, null) : null,
                MakersKey = given["makers-key"] is { } key ? await File.ReadAllTextAsync(key, stop) : null,
            },
            stop);
        return (layer, [$"device manager: {layer.Address}"]);
    });
