using System.Net;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.CoapTests;

/// <summary>A network in memory under virtual time: it loses, repeats and delays datagrams by a seeded chance, so that they also overtake each other.</summary>
internal sealed class VirtualNetwork
{
    private readonly Dictionary<IPEndPoint, VirtualDatagrams> _attached = [];
    private readonly Random _random;
    private readonly List<ITimer> _timers = [];
    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(20);

    internal VirtualNetwork(int seed = 1)
    {
        // What the library awaits goes on where it was completed: each test runs on one thread, in one order.
        SynchronizationContext.SetSynchronizationContext(null);
        _random = new Random(seed);
    }

    internal FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    internal double Loss { get; set; }

    internal double Repeat { get; set; }

    internal TimeSpan Delay { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>On top of <see cref="Delay"/>, by chance: more than the time between two datagrams makes them overtake each other.</summary>
    internal TimeSpan Jitter { get; set; }

    /// <summary>Decides about a datagram on its own; true: it is lost.</summary>
    internal Func<CoapSeen, bool>? Loses { get; set; }

    internal List<CoapSeen> Seen { get; } = [];

    internal VirtualDatagrams Attach(int port, string address = "10.0.0.1")
    {
        var datagrams = new VirtualDatagrams(this, new IPEndPoint(IPAddress.Parse(address), port));
        _attached.Add(datagrams.LocalEndPoint, datagrams);
        return datagrams;
    }

    internal void Carry(ReadOnlySpan<byte> datagram, IPEndPoint from, IPEndPoint to)
    {
        byte[] bytes = datagram.ToArray();
        CoapDatagram.Parse(bytes, out var message);
        var seen = new CoapSeen(Time.GetUtcNow(), from, to, message.Type, message.Code, message.MessageId, message.Token, bytes);
        Seen.Add(seen);
        if (Loses?.Invoke(seen) == true || _random.NextDouble() < Loss)
        {
            return;
        }

        Deliver(bytes, from, to);
        if (_random.NextDouble() < Repeat)
        {
            Deliver(bytes, from, to);
        }
    }

    /// <summary>Lets time pass until something is done.</summary>
    internal T Run<T>(Task<T> task, double withinSeconds = 3000)
    {
        Until(() => task.IsCompleted, withinSeconds);
        return task.GetAwaiter().GetResult();
    }

    internal void Until(Func<bool> condition, double withinSeconds = 3000)
    {
        var end = Time.GetUtcNow() + TimeSpan.FromSeconds(withinSeconds);
        while (!condition())
        {
            Assert.True(Time.GetUtcNow() < end, "It does not happen.");
            Time.Advance(_step);
        }
    }

    internal void Pass(double seconds)
    {
        // In steps: a timer that is set by another one is due at its own time and not at the end.
        for (var end = Time.GetUtcNow() + TimeSpan.FromSeconds(seconds); Time.GetUtcNow() < end;)
        {
            var left = end - Time.GetUtcNow();
            Time.Advance(left < _step ? left : _step);
        }
    }

    private void Deliver(byte[] bytes, IPEndPoint from, IPEndPoint to)
    {
        var delay = Delay + (Jitter * _random.NextDouble());
        _timers.Add(Time.CreateTimer(_ => _attached.GetValueOrDefault(to)?.Receiver?.OnDatagram(bytes, new CoapRemote(from)), null, delay, Timeout.InfiniteTimeSpan));
    }
}

/// <summary>A datagram that went out.</summary>
internal sealed record CoapSeen(
    DateTimeOffset At, IPEndPoint From, IPEndPoint To, CoapType Type, CoapCode Code, ushort MessageId, CoapToken Token, byte[] Bytes);

/// <summary>One socket of the network in memory.</summary>
internal sealed class VirtualDatagrams(VirtualNetwork network, IPEndPoint local) : ICoapDatagrams
{
    internal ICoapDatagramReceiver? Receiver { get; set; }

    public IPEndPoint LocalEndPoint => local;

    public void Send(ReadOnlySpan<byte> datagram, CoapRemote remote) => network.Carry(datagram, local, remote.Address);

    public ValueTask<CoapRemote> ConnectAsync(IPEndPoint address, string host, CancellationToken stop) => new(new CoapRemote(address));

    public Task RunAsync(ICoapDatagramReceiver receiver, CancellationToken stop) => throw new NotSupportedException("The network calls.");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A handler made of a function.</summary>
internal sealed class Answering(Func<CoapRequest, ValueTask<CoapMessage?>> answer) : ICoapHandler
{
    internal Answering(Func<CoapRequest, CoapMessage?> answer)
        : this(r => ValueTask.FromResult(answer(r)))
    {
    }

    internal List<CoapRequest> Requests { get; } = [];

    internal List<CoapToken> Rejected { get; } = [];

    public ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        Requests.Add(request);
        return answer(request);
    }

    public void OnRejected(ICoapLink link, CoapRemote remote, CoapToken token) => Rejected.Add(token);

    public void OnGone(ICoapLink link, CoapRemote remote)
    {
    }
}

/// <summary>A client and a server on one network.</summary>
internal sealed class Pair
{
    private Pair(VirtualNetwork network, CoapEndpoint client, CoapEndpoint server, CoapRemote remote, VirtualDatagrams clientDatagrams)
    {
        Network = network;
        Client = client;
        Server = server;
        Remote = remote;
        ClientDatagrams = clientDatagrams;
    }

    internal VirtualNetwork Network { get; }

    internal CoapEndpoint Client { get; }

    internal CoapEndpoint Server { get; }

    internal CoapRemote Remote { get; }

    internal VirtualDatagrams ClientDatagrams { get; }

    internal static Pair Create(ICoapHandler handler, int seed = 1, CoapEndpointSettings? server = null, CoapEndpointSettings? client = null, VirtualNetwork? network = null)
    {
        network ??= new VirtualNetwork(seed);
        var serverSide = network.Attach(5683);
        var clientSide = network.Attach(40_000, "10.0.0.2");
        var serverEnd = new CoapEndpoint(serverSide, handler, server ?? new CoapEndpointSettings(), network.Time, new CoapRandom(new Random(seed)));
        var clientEnd = new CoapEndpoint(clientSide, null, client ?? new CoapEndpointSettings(), network.Time, new CoapRandom(new Random(seed + 1)));
        serverSide.Receiver = serverEnd;
        clientSide.Receiver = clientEnd;
        return new Pair(network, clientEnd, serverEnd, new CoapRemote(serverSide.LocalEndPoint), clientSide);
    }

    internal CoapMessage Get(string path = "time") => Network.Run(Client.ExchangeAsync(Remote, Request(CoapCode.Get, path), null, CancellationToken.None));

    internal Task<CoapMessage> Start(CoapCode code, string path = "time", string payload = "") =>
        Client.ExchangeAsync(Remote, Request(code, path, payload), null, CancellationToken.None);

    internal static CoapMessage Request(CoapCode code, string path, string payload = "")
    {
        var options = new CoapOptionBuilder();
        foreach (string segment in path.Split('/'))
        {
            options.Add(CoapOptionNumber.UriPath, segment);
        }

        return new CoapMessage(code, options.ToArray(), System.Text.Encoding.UTF8.GetBytes(payload));
    }

    internal static CoapMessage Content(string payload) => new(CoapCode.Content, default, System.Text.Encoding.UTF8.GetBytes(payload));

    internal static string Text(CoapMessage message) => System.Text.Encoding.UTF8.GetString(message.Payload.Span);
}
