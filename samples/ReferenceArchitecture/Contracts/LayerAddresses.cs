namespace IoT.Reference.Contracts;

/// <summary>Where the layers listen; those of a machine of one's own by default.</summary>
public sealed record LayerAddresses
{
    public Uri Portal { get; init; } = Local(5100);
    public Uri Identity { get; init; } = Local(5101);
    public Uri DeviceManager { get; init; } = Local(5102);
    public Uri Analytics { get; init; } = Local(5103);
    public Uri ApiGateway { get; init; } = Local(5108);

    /// <summary>The bus by HTTP.</summary>
    public Uri BusHttp { get; init; } = Local(5180);

    /// <summary>The bus by MQTT: <c>mqtt://host:port</c> or <c>mqtts://host:port</c>.</summary>
    public Uri BusMqtt { get; init; } = new("mqtt://127.0.0.1:5183");

    /// <summary>The bus by CoAP.</summary>
    public Uri BusCoap { get; init; } = new("coap://127.0.0.1:5683");

    private static Uri Local(int port) => new($"http://127.0.0.1:{port}");
}

/// <summary>What a service proves itself with to <c>Identity</c>: one for each layer, made when the data folder is, readable by its user only.</summary>
/// <param name="Id">The layer's name: <c>bus</c>, <c>analytics</c>, <c>device-manager</c>, <c>portal</c>, <c>api-gateway</c>.</param>
public sealed record ServiceCredential(string Id, string Secret);
