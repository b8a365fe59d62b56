using System.IO.Pipelines;
using System.Net;
using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

/// <summary>Gives a byte at a time.</summary>
internal sealed class Trickle(byte[] bytes) : MemoryStream(bytes)
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(buffer.Length, Position < 16 ? 1 : 5000)], cancellationToken);
}

/// <summary>Two links joined by pipes, which writes down the codes that pass.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PipeFrames _clientFrames;
    private readonly Task _clientRun;

    internal Wire(Answering handler, bool blockwise = false, bool clientSpeaks = true, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        var up = new Pipe();
        var down = new Pipe();
        _clientFrames = new PipeFrames(down.Reader, up.Writer);
        ServerFrames = new PipeFrames(up.Reader, down.Writer);
        ICoapHandler server = blockwise ? new CoapBlockwise(handler, new CoapTransferSettings(), time) : handler;
        var settings = new CoapStreamSettings { IdleTimeout = TimeSpan.FromMinutes(10) };
        Server = new CoapStreamLink(ServerFrames, new CoapRemote(new IPEndPoint(IPAddress.Loopback, 1)), server, settings, time, new CoapRandom());
        Client = new CoapStreamLink(_clientFrames, new CoapRemote(new IPEndPoint(IPAddress.Loopback, 2)), null, settings with { IdleTimeout = null }, time, new CoapRandom());
        ServerRun = Server.RunAsync(_stop.Token);
        _clientRun = clientSpeaks ? Client.RunAsync(_stop.Token) : Task.CompletedTask;
    }

    internal CoapStreamLink Server { get; }

    internal CoapStreamLink Client { get; }

    internal Task ServerRun { get; }

    private PipeFrames ServerFrames { get; }

    internal List<CoapCode> SentByClient => _clientFrames.Sent;

    internal List<CoapCode> SentByServer => ServerFrames.Sent;

    internal ValueTask RawAsync(byte[] bytes) => _clientFrames.RawAsync(bytes);

    internal async Task UntilServerSentAsync(CoapCode code)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!SentByServer.ToArray().Contains(code))
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(ServerRun, _clientRun).WaitAsync(Collector.Patience);
        await Client.DisposeAsync();
        await Server.DisposeAsync();
        _stop.Dispose();
    }
}

/// <summary>Frames over a pipe.</summary>
internal sealed class PipeFrames(PipeReader reader, PipeWriter writer) : ICoapFrames
{
    private readonly CoapStreamFrames _inner = new(reader.AsStream());

    internal List<CoapCode> Sent { get; } = [];

    public bool HasLength => true;

    public ValueTask<(int TokenLength, ReadOnlyMemory<byte> Bytes)?> ReadAsync(int maxBytes, CancellationToken stop) => _inner.ReadAsync(maxBytes, stop);

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken stop)
    {
        CoapFrame.TryMeasure(frame.Span, out int headerLength, out _);
        Sent.Add((CoapCode)frame.Span[headerLength]);
        await writer.WriteAsync(frame, stop);
    }

    internal async ValueTask RawAsync(byte[] bytes) => await writer.WriteAsync(bytes);

    public async ValueTask DisposeAsync()
    {
        await writer.CompleteAsync();
        await _inner.DisposeAsync();
    }
}

/// <summary>A web server with CoAP over WebSocket.</summary>
internal sealed class WebServer : IAsyncDisposable
{
    private readonly HttpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    internal WebServer(CoapListenerOptions options)
    {
        while (true)
        {
            Port = Random.Shared.Next(20_000, 60_000);
            _listener = new HttpListener();
            _listener.Prefixes.Add($"http://localhost:{Port}/.well-known/coap/");
            try
            {
                _listener.Start();
                break;
            }
            catch (HttpListenerException)
            {
                // Somebody has that port.
            }
        }

        _run = ServeAsync(options);
    }

    internal int Port { get; }

    private async Task ServeAsync(CoapListenerOptions options)
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                var accepted = await context.AcceptWebSocketAsync("coap");
                serving.Add(options.AcceptAsync(accepted.WebSocket, context.Request.RemoteEndPoint, null, isEncrypted: false, _stop.Token));
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            await Task.WhenAll(serving);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Close();
        await _run.WaitAsync(Collector.Patience);
        _stop.Dispose();
    }
}
