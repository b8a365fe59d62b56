using System.Net.Http.Headers;
using System.Text;
using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>A bus on free ports, whose decision point says what a test tells it to. The bus itself and a watcher, who hears everything, are known.</summary>
internal sealed class RunningBus : IAsyncDisposable
{
    internal const string Watcher = "watcher";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bus");
    private readonly HttpClient _http = new(new SocketsHttpHandler { ActivityHeadersPropagator = null });
    private readonly List<IAsyncDisposable> _clients = [];

    private RunningBus(FakeIssuer issuer) => Issuer = issuer;

    internal FakeIssuer Issuer { get; }

    internal BusLayer Layer { get; private set; } = null!;

    internal static async Task<RunningBus> StartAsync(Uri? broker = null, FakeIssuer? issuer = null)
    {
        var running = new RunningBus(issuer ?? await FakeIssuer.StartAsync());
        running.Know(FakeIssuer.Service.Id, SubjectKind.Service, FakeIssuer.Service.Secret, "*");
        running.Know(Watcher, SubjectKind.Service, "secret", "*");
        foreach (string service in new[] { FakeIssuer.Service.Id, Watcher })
        {
            running.Permit(service, "*", "d1", "d2", "gw-1");
            running.Issuer.Permit(service, Actions.Subscribe, "topic:" + Topics.Of(Topics.Audit, "bus"));
            running.Issuer.Permit(service, Actions.Publish, "topic:" + Topics.Of(Topics.Audit, "bus"));
        }

        running.Layer = await BusLayer.StartAsync(new BusOptions
        {
            Identity = running.Issuer.Address,
            Service = FakeIssuer.Service,
            DataFolder = running._folder.FullName,
            MqttPort = 0,
            HttpPort = 0,
            CoapPort = 0,
            Broker = broker,
        });
        running._http.BaseAddress = running.Layer.Http;
        return running;
    }

    /// <summary>A device that may do what devices may, with its own topics and those of the devices behind it.</summary>
    internal void AddDevice(string id, params string[] behind)
    {
        Know(id, SubjectKind.Device, "secret", behind);
        Permit(id, [id, .. behind]);
    }

    internal void Permit(string subject, params string[] devices)
    {
        foreach (string device in devices)
        {
            Issuer.Permit(subject, Actions.Publish, Resources.Device(device));
            Issuer.Permit(subject, Actions.Subscribe, Resources.Device(device));
        }
    }

    internal async Task<MqttPeer> ConnectAsync(string id, bool overWebSocket = false)
    {
        var peer = await MqttPeer.ConnectAsync(overWebSocket ? WebSocket("/mqtt") : Layer.Mqtt, id);
        _clients.Add(peer);
        return peer;
    }

    /// <summary>A watcher of topics.</summary>
    internal async Task<MqttPeer> WatchAsync(string filter)
    {
        var peer = await ConnectAsync(Watcher);
        Assert.True(await peer.TrySubscribeAsync(filter));
        return peer;
    }

    internal CoapRequests Coap(string id, CoapMethod method = CoapMethod.Post)
    {
        var requests = CoapRequests.Open(Layer.Coap.AbsoluteUri, CoapOptions(id), new CoapRequestOptions { Method = _ => method, QueryHeaders = ["traceparent"] });
        _clients.Add(requests);
        return requests;
    }

    internal CoapOptions CoapOptions(string id) => new() { Token = _ => new(Issuer.Token(id, kind: SubjectKind.Device)) };

    internal async Task<Observing> ObserveAsync(string id, string path)
    {
        var observing = await Observing.StartAsync(new Uri(Layer.Coap, path), Issuer, id);
        _clients.Add(observing);
        return observing;
    }

    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string id, string? body = null, string contentType = "application/json", string? trace = null, string secret = "secret")
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{id}:{secret}")));
        if (body is not null)
        {
            request.Content = new StringContent(body, new MediaTypeHeaderValue(contentType));
        }

        if (trace is not null)
        {
            request.Headers.Add("traceparent", trace);
        }

        return await _http.SendAsync(request);
    }

    internal async Task<int> StatusAsync(HttpMethod method, string path, string id, string? body = null)
    {
        using var response = await SendAsync(method, path, id, body);
        return (int)response.StatusCode;
    }

    internal Uri WebSocket(string path) => new UriBuilder(Layer.Http) { Scheme = "ws", Path = path }.Uri;

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }

        _http.Dispose();
        await Layer.DisposeAsync();
        await Issuer.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void Know(string id, SubjectKind kind, string secret, params string[] speaksFor)
    {
        Issuer.Secrets[$"{id}:{secret}"] = new VerifiedSubject(id, kind, [], speaksFor);
        Issuer.Permit(id, Actions.Connect, Resources.Bus);
    }
}
