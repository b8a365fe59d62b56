using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Tests;

/// <summary>A device manager at a real broker, with an <c>Identity</c> of a few lines; Olga is an operator.</summary>
internal sealed class Installation : IAsyncDisposable
{
    public const string Operator = "olga";

    private static readonly string _everything = string.Join(' ', Scopes.OfPeople);

    private readonly Func<DeviceManagerOptions, DeviceManagerOptions>? _change;

    private Installation(FakeIssuer issuer, MqttBroker broker, Func<DeviceManagerOptions, DeviceManagerOptions>? change) =>
        (Issuer, Broker, _change) = (issuer, broker, change);

    public FakeIssuer Issuer { get; }

    public MqttBroker Broker { get; }

    public Uri Bus => new($"mqtt://127.0.0.1:{Broker.Port}");

    public string Folder { get; } = Directory.CreateTempSubdirectory("device-manager").FullName;

    public DeviceManagerLayer Manager { get; private set; } = null!;

    public HttpClient Olga { get; private set; } = null!;

    public static async Task<Installation> StartAsync(Func<DeviceManagerOptions, DeviceManagerOptions>? change = null)
    {
        var installation = new Installation(
            await FakeIssuer.StartAsync(),
            await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0, MaxPendingMessagesPerClient = 50_000, Security = new ListenerSecurity { Password = KnowAsync } }),
            change);
        installation.Issuer.Permit(Operator, Actions.Administer, Resources.Jobs);
        await installation.OpenAsync();
        return installation;
    }

    public async Task OpenAsync()
    {
        var options = new DeviceManagerOptions { Identity = Issuer.Address, Service = FakeIssuer.Service, Bus = Bus, DataFolder = Folder, Port = 0 };
        Manager = await DeviceManagerLayer.StartAsync(_change?.Invoke(options) ?? options);
        Olga = As(Operator);
    }

    public async Task CloseAsync()
    {
        Olga.Dispose();
        await Manager.DisposeAsync();
    }

    public HttpClient As(string person, string? scopes = null, SubjectKind kind = SubjectKind.Person)
    {
        var client = new HttpClient { BaseAddress = Manager.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Issuer.Token(person, scope: scopes ?? _everything, kind: kind));
        return client;
    }

    /// <summary>Lets Olga do everything with a device, and makes it known.</summary>
    public async Task<Registered> RegisterAsync(string id, string? owner = "anna", string type = "pi", string? group = null)
    {
        MayAll(Operator, id);
        return await PostAsync(Olga, "v1/devices", new RegisterRequest(id, type, owner, group), WireJson.Default.RegisterRequest, WireJson.Default.Registered);
    }

    public void MayAll(string person, string device)
    {
        foreach (string action in (string[])[Actions.Read, Actions.Command, Actions.Manage])
        {
            Issuer.Permit(person, action, Resources.Device(device));
        }
    }

    public static async Task<TAnswer> PostAsync<T, TAnswer>(HttpClient client, string path, T body, JsonTypeInfo<T> json, JsonTypeInfo<TAnswer> answer)
    {
        using var response = await client.PostAsJsonAsync(path, body, json);
        return await ReadAsync(response, answer);
    }

    public async Task<CommandRecord> DoAsync(string path, string? body = null)
    {
        using var content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await Olga.PostAsync(new Uri(path, UriKind.Relative), content);
        return await ReadAsync(response, WireJson.Default.CommandRecord);
    }

    public Task<CommandRecord> CommandAsync(string device, CommandRequest request) =>
        PostAsync(Olga, $"v1/devices/{device}/commands", request, WireJson.Default.CommandRequest, WireJson.Default.CommandRecord);

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> json)
    {
        using var response = await Olga.GetAsync(new Uri(path, UriKind.Relative));
        return await ReadAsync(response, json);
    }

    public Task<DeviceRecord> DeviceAsync(string id) => GetAsync("v1/devices/" + id, WireJson.Default.DeviceRecord);

    public async Task<CommandRecord> CommandOfAsync(string device, string id) =>
        (await GetAsync($"v1/devices/{device}/commands?limit=1000", WireJson.Default.ListCommandRecord)).Single(c => c.Id == id);

    public async Task<CommandRecord> BecomesAsync(CommandRecord command, CommandState state)
    {
        await Wait.Until(async () => (await CommandOfAsync(command.Device, command.Id)).State == state);
        return await CommandOfAsync(command.Device, command.Id);
    }

    public async Task<JobRecord> EndOfAsync(string job)
    {
        await Wait.Until(async () => (await GetAsync("v1/jobs/" + job, WireJson.Default.JobRecord)).State is not JobState.Running);
        return await GetAsync("v1/jobs/" + job, WireJson.Default.JobRecord);
    }

    public Task PresenceAsync(string device, bool isOnline) => Broker.PublishAsync(
        Topics.Of(Topics.Presence, device),
        JsonSerializer.SerializeToUtf8Bytes(new Presence(device, isOnline, "mqtt", TimeProvider.System.GetUtcNow()), WireJson.Default.Presence), MqttQualityOfService.AtLeastOnce, retained: true);

    public Task AckAsync(string device, CommandAck ack) => Broker.PublishAsync(
        Topics.Of(Topics.Acks, device), JsonSerializer.SerializeToUtf8Bytes(ack, WireJson.Default.CommandAck), MqttQualityOfService.AtLeastOnce);

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await Broker.DisposeAsync();
        await Issuer.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    // Devices are believed here; the manager must prove itself.
    private static ValueTask<Identity?> KnowAsync(string user, string secret) => new(
        user != FakeIssuer.Service.Id || secret == FakeIssuer.Service.Secret ? new Identity(user, AuthenticationMethod.Password) : null);

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> json)
    {
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync(json))!;
    }
}
