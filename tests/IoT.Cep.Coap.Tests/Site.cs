using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

/// <summary>A whole server (blocks, router, resources) and a client of it on one network.</summary>
internal sealed class Site
{
    private readonly Pair _pair;

    internal Site(
        int seed = 1, CoapTransferSettings? transfers = null, int clientPayload = 1024, int serverPayload = 1024, int maxBody = 1 << 20, ICoapHandler? inner = null,
        CoapTransmission? transmission = null)
    {
        var network = new VirtualNetwork(seed);
        Blockwise = new CoapBlockwise(inner ?? Router, transfers ?? new CoapTransferSettings(), network.Time);
        _pair = Pair.Create(Blockwise, seed, new CoapEndpointSettings { MaxAmplification = 0, MaxPayload = serverPayload, Transmission = transmission ?? new CoapTransmission() },
            new CoapEndpointSettings { MaxPayload = clientPayload, Transmission = transmission ?? new CoapTransmission(), ResponseTimeout = TimeSpan.FromMinutes(10) }, network);
        Client = new CoapClient(_pair.Client, _pair.Remote, maxBody, new CoapRandom(new Random(seed)));
    }

    internal CoapRouter Router { get; } = new();

    internal CoapBlockwise Blockwise { get; }

    internal CoapClient Client { get; }

    internal VirtualNetwork Network => _pair.Network;

    internal CoapEndpoint ClientEnd => _pair.Client;

    internal CoapEndpoint ServerEnd => _pair.Server;

    internal CoapRemote Server => _pair.Remote;

    internal CoapStateResource AddState(string path, CoapStateSettings? settings = null, int format = 0)
    {
        var resource = new CoapStateResource(path, format, settings ?? new CoapStateSettings(), Blockwise, Network.Time, static _ => default);
        Router.Add(resource);
        return resource;
    }

    internal CoapMessage Send(CoapMessage request, double withinSeconds = 3000) => Network.Run(Client.SendAsync(request, CancellationToken.None), withinSeconds);

    internal CoapMessage SendOne(CoapMessage request) => Network.Run(ClientEnd.ExchangeAsync(Server, request, null, CancellationToken.None));

    internal Watching Watch(string path) => new(this, path);
}

/// <summary>A running observation.</summary>
internal sealed class Watching : IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    internal Watching(Site site, string path)
    {
        Watch = new CoapWatch(site.Client, Pair.Request(CoapCode.Get, path), site.Network.Time, new CoapRandom(new Random(3)));
        Run = Watch.RunAsync(state =>
        {
            States.Add(Pair.Text(state));
            return ValueTask.CompletedTask;
        }, _stop.Token);
    }

    internal CoapWatch Watch { get; }

    internal Task Run { get; }

    internal List<string> States { get; } = [];

    internal void Stop() => _stop.Cancel();

    public void Dispose() => _stop.Dispose();
}
