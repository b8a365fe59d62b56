using System.Buffers;
using System.Text.Json;

using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>Which way messages go: what comes by HTTP and CoAP goes to the broker's topics, and what is for devices comes from them.</summary>
internal static class BusRoutes
{
    private const int MaxMessageBytes = 64 * 1024;

    public static HttpServer Declare(
        CepEngine engine, BusOptions options, Uri broker, int coapPort, ListenerSecurity security, BusAudit audit, out LatestMessages desired)
    {
        engine.Mqtt(o =>
        {
            (o.Host, o.Port) = (broker.Host, broker.Port);
            o.ClientId = "bus";
            if (options.Broker is null)
            {
                // The bus is a client of its own broker, and proves itself like any other.
                (o.UserName, o.Password, o.AllowPlainTextPassword) = (options.Service.Id, options.Service.Secret, options.Certificate is null);
                o.Tls = options.Certificate is null ? null : BusCertificates.Trust(options.Certificate, options.DataFolder);
            }
        });
        engine.CoapListener(o =>
        {
            (o.Address, o.Security, o.MaxBodyBytes) = (options.Address, security, MaxMessageBytes);
            o.Port = options.Certificate is null ? coapPort : null;
            o.TlsPort = options.Certificate is null ? null : coapPort;
            o.Certificate = options.Certificate;
        });
        HttpServer http = engine.HttpServer(o => o.Security = security);

        FromDevices(engine, http);
        ToDevices(engine, http);
        desired = Desired(engine);
        engine.From(Source.FromObservable(audit.Entries, "audit")).To(Mqtt.Publish(_ => Topics.Of(Topics.Audit, "bus"), WireJson.Default.AuditEntry));
        return http;
    }

    private static void FromDevices(CepEngine engine, HttpServer http)
    {
        var toBroker = Mqtt.PublishMessages();
        foreach (string topic in Topics.FromDevices)
        {
            engine.From(http.Receive("/" + topic, Message.Decode(MaxMessageBytes), configure: o =>
            {
                o.MaxBytes = MaxMessageBytes;
                o.Headers.Add("traceparent");
            })).To(toBroker, name: "http-" + topic[..topic.IndexOf('/', StringComparison.Ordinal)]);
            engine.From(Coap.Listen(topic, Message.Decode(MaxMessageBytes))).To(toBroker, name: "coap-" + topic[..topic.IndexOf('/', StringComparison.Ordinal)]);
        }
    }

    // A device asks by HTTP, observes by CoAP, or has subscribed by MQTT: the command waits at all three, and the device that gets it twice knows it by its id.
    private static void ToDevices(CepEngine engine, HttpServer http)
    {
        var commands = engine.From(Mqtt.Subscribe(Topics.Filter(Topics.Commands), Message.Decode(MaxMessageBytes))).Where(IsCommand);
        commands.To(http.Commands<Message>("/" + Topics.Commands, DeviceOf, Write, contentType: "application/json"), name: "commands-http");
        commands.To(Coap.Resource<Message>(m => m.Topic, Write, "application/json", new CoapResourceOptions { Awaited = Topics.Commands }), name: "commands-coap");
    }

    private static LatestMessages Desired(CepEngine engine)
    {
        var latest = new LatestMessages();
        var desired = engine.From(Mqtt.Subscribe(Topics.Filter(Topics.Desired), Message.Decode(MaxMessageBytes)));
        desired.To(Coap.Resource<Message>(m => m.Topic, Write, "application/json", new CoapResourceOptions { Awaited = Topics.Desired }), name: "desired-coap");
        desired.Subscribe(latest.Set);
        return latest;
    }

    private static bool IsCommand(Message message)
    {
        try
        {
            return JsonSerializer.Deserialize(message.Body.Span, WireJson.Default.DeviceCommand) is { Id.Length: > 0 };
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string DeviceOf(Message message) => message.Topic[(message.Topic.IndexOf('/', StringComparison.Ordinal) + 1)..];

    private static void Write(Message message, IBufferWriter<byte> output) => output.Write(message.Body.Span);
}
