using System.Net;

using IoT.Reference.Bus;
using IoT.Reference.Contracts;

LayerOption[] options =
[
    .. LayerArguments.Common,
    new("mqtt-port", "PORT", "MQTT", "5183"),
    new("http-port", "PORT", "HTTP, and MQTT over WebSocket at /mqtt", "5180"),
    new("coap-port", "PORT", "CoAP", "5683"),
    new("broker", "HOST:PORT", "another MQTT broker in place of the embedded one"),
];
return await LayerProgram.RunAsync(args, "The bus of the reference architecture.", options, async (given, stop) =>
{
    var bus = await BusLayer.StartAsync(
        new BusOptions
        {
            Identity = given.Address("identity"),
            Service = given.Service("bus"),
            DataFolder = Path.Combine(given["data"]!, "bus"),
            Address = IPAddress.Parse(given["address"]!),
            MqttPort = given.Port("mqtt-port"),
            HttpPort = given.Port("http-port"),
            CoapPort = given.Port("coap-port"),
            Broker = given["broker"] is { } broker ? new Uri("mqtt://" + broker) : null,
            Certificate = given.Certificate(),
        },
        stop);
    return (bus, [$"mqtt  {bus.Mqtt}", $"http  {bus.Http}", $"coap  {bus.Coap}"]);
});
