using System.Net;
using System.Text.Json;

using IoT.Reference.Contracts;
using IoT.Reference.Devices;
using IoT.Reference.Devices.Fleet;

LayerOption[] options =
[
    new("devices", "FILE", "the fleet: a JSON list of id, kind, secret", "reference-data/fleet.json"),
    new("mqtt", "URI", "the bus by MQTT", "mqtt://127.0.0.1:5183"),
    new("http", "URI", "the bus by HTTP", "http://127.0.0.1:5180"),
    new("coap", "URI", "the bus by CoAP", "coap://127.0.0.1:5683"),
    new("identity", "URI", "where devices that speak CoAP get their tokens", "http://127.0.0.1:5101"),
    new("gateway", "IP:PORT", "the gateway, for the sensors behind it"),
    new("seed", "N", "the same seed gives the same readings and faults", "2026"),
    new("interval", "SECONDS", "how often a device sends", "10"),
    new("update-key", "FILE", "the public key that signs software, in PEM"),
];
return await LayerProgram.RunAsync(args, "Simulated devices of the reference architecture.", options, async (given, stop) =>
{
    if (!File.Exists(given["devices"]))
    {
        throw new FormatException($"There is no {given["devices"]}: --devices names a list such as [{{\"id\":\"pi-1\",\"kind\":\"Pi\",\"secret\":\"...\"}}].");
    }

    var layer = await DevicesLayer.StartAsync(
        new DevicesOptions
        {
            Devices = JsonSerializer.Deserialize(File.ReadAllBytes(given["devices"]!), FleetJson.Default.ListSimulatedDevice)!,
            Addresses = new LayerAddresses { BusMqtt = given.Address("mqtt"), BusHttp = given.Address("http"), BusCoap = given.Address("coap"), Identity = given.Address("identity") },
            Gateway = given["gateway"] is { } gateway ? IPEndPoint.Parse(gateway) : null,
            Seed = (ulong)given.Number("seed"),
            Interval = TimeSpan.FromSeconds(given.Number("interval")),
            UpdateKey = given["update-key"] is { } key ? File.ReadAllText(key) : null,
        },
        stop);
    return (layer, [$"{layer.Count} devices send"]);
});
