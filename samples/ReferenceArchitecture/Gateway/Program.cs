using System.Net;

using IoT.Reference.Contracts;
using IoT.Reference.Gateway;

LayerOption[] options =
[
    new("id", "ID", "the gateway's id at the bus", "gateway-1"),
    new("secret", "TEXT", "its secret"),
    new("devices", "LIST", "the devices behind it, separated by commas"),
    new("addresses", "LIST", "radio addresses: 0x4f21=s-1,0x00124b0001abcdef=s-2"),
    new("bus", "URI", "the bus", "mqtt://127.0.0.1:5183"),
    new("datagrams", "IP:PORT", "where sensors send datagrams", "127.0.0.1:5190"),
    new("lines", "IP:PORT", "where field devices send lines", "127.0.0.1:5191"),
    new("data", "FOLDER", "what waits for the uplink", "reference-data"),
];
return await LayerProgram.RunAsync(args, "A gateway of the reference architecture.", options, async (given, stop) =>
{
    var gateway = await GatewayLayer.StartAsync(
        new GatewayOptions
        {
            Id = given["id"]!,
            Secret = given["secret"] ?? throw new FormatException("--secret is what the device manager gave when the gateway was registered."),
            Devices = (given["devices"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries),
            Addresses = (given["addresses"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(a => a.Split('=')).ToDictionary(a => a[0].ToLowerInvariant(), a => a[1]),
            Bus = given.Address("bus"),
            Datagrams = IPEndPoint.Parse(given["datagrams"]!),
            Lines = IPEndPoint.Parse(given["lines"]!),
            DataFolder = Path.Combine(given["data"]!, given["id"]!),
        },
        stop);
    return (gateway, [$"datagrams  {gateway.DatagramPort}", $"lines      {gateway.LinePort}"]);
});
