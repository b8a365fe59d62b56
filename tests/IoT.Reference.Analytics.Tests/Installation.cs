using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Reactive.Subjects;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace IoT.Reference.Analytics.Tests;

/// <summary>The layer with what it talks to, over sockets: a broker, an issuer and decision point, a device manager that takes commands.</summary>
internal sealed class Installation : IAsyncDisposable
{
    public const string All = "readings.read alerts.manage queries.deploy people.manage decide";

    private readonly TempFolder _folder = new();
    private readonly Subject<Message> _messages = new();
    private readonly HttpClient _client = new();
    private MqttBroker _broker = null!;
    private CepEngine _device = null!;
    private WebApplication _manager = null!;

    public FakeIssuer Issuer { get; private set; } = null!;

    public AnalyticsLayer Layer { get; private set; } = null!;

    public string Folder => _folder.Path;

    /// <summary>What the device manager was sent.</summary>
    public ConcurrentQueue<(string Device, CommandRequest Request, string? Token)> Commands { get; } = new();

    /// <summary>What was audited since <see cref="HearAsync"/>.</summary>
    public ConcurrentQueue<AuditEntry> Audits { get; } = new();

    public async Task<IAsyncDisposable> HearAsync()
    {
        var engine = new CepEngine();
        var audits = engine.From(_broker.Subscribe("audit/{layer}", Json.Decode((ref f) => new AuditEntry(
            f.Time("time"u8), f.Text("layer"u8), f.Text("subject"u8), f.Text("action"u8), f.Text("resource"u8), f.Text("outcome"u8)))));
        audits.WithArrivalTime().Subscribe(Audits.Enqueue);
        await engine.StartAsync();
        return engine;
    }

    public static async Task<Installation> StartAsync()
    {
        var all = new Installation { Issuer = await FakeIssuer.StartAsync() };
        all._broker = await MqttBroker.StartAsync(new MqttBrokerOptions
        {
            Port = 0,
            Security = new ListenerSecurity
            {
                Password = (user, password) => new(password is "a-secret" ? new Identity(user, AuthenticationMethod.Password) : null),
            },
        });
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        all._manager = builder.Build();
        all._manager.MapGet("/v1/devices", () => Results.Content("[]", "application/json"));
        all._manager.MapPost("/v1/devices/{id}/commands", async context =>
        {
            var request = await context.Request.ReadFromJsonAsync(WireJson.Default.CommandRequest);
            all.Commands.Enqueue(((string)context.Request.RouteValues["id"]!, request!, context.Request.Headers.Authorization));
            context.Response.StatusCode = StatusCodes.Status202Accepted;
        });
        await all._manager.StartAsync();

        all._device = new CepEngine();
        all._device.Mqtt(o => (o.Port, o.UserName, o.Password, o.AllowPlainTextPassword) = (all._broker.Port, "devices", "a-secret", true));
        all._device.From(Source.FromObservable(all._messages)).WithArrivalTime().To(Mqtt.PublishMessages());
        await all._device.StartAsync();
        await all.StartLayerAsync();
        return all;
    }

    public async Task StartLayerAsync()
    {
        Layer = await AnalyticsLayer.StartAsync(new AnalyticsOptions
        {
            Identity = Issuer.Address,
            Service = FakeIssuer.Service,
            Bus = new Uri($"mqtt://127.0.0.1:{_broker.Port}"),
            DeviceManager = new Uri(_manager.Urls.First()),
            DataFolder = _folder.Path,
            Disorder = TimeSpan.Zero,
        });
        await Wait.Until(() => Layer.IsConnected);
    }

    public void Publish(string topic, string body, string? trace = null)
    {
        var message = new Message(topic, Encoding.UTF8.GetBytes(body)) { ContentType = "application/json" };
        _messages.OnNext(trace is null ? message : message.WithHeader("traceparent", trace));
    }

    public void Permit(string subject, string device, params string[] actions)
    {
        foreach (string action in actions)
        {
            Issuer.Permit(subject, action, Resources.Device(device));
        }
    }

    public async Task<(int Status, string Body)> SendAsync(HttpMethod method, string path, string? subject, string? body = null, string scope = All, string mediaType = "application/json")
    {
        using var request = new HttpRequestMessage(method, new Uri(Layer.Address, path));
        if (subject is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Issuer.Token(subject, scope: scope));
        }

        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, mediaType);
        using var response = await _client.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async Task<T> GetAsync<T>(string path, string subject, JsonTypeInfo<T> type)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, path, subject);
        Assert.True(status == 200, $"{status} {body}");
        return JsonSerializer.Deserialize(body, type)!;
    }

    public async Task<StreamReader> LiveAsync(string path, string subject)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Layer.Address, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Issuer.Token(subject, scope: All));
        var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(200, (int)response.StatusCode);
        return new StreamReader(await response.Content.ReadAsStreamAsync());
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await Layer.DisposeAsync();
        await _device.DisposeAsync();
        await _broker.DisposeAsync();
        await _manager.DisposeAsync();
        await Issuer.DisposeAsync();
        _messages.Dispose();
        _folder.Dispose();
    }
}
