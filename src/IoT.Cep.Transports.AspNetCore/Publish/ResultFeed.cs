using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Cep;

/// <summary>One endpoint that results go out by, to any number of clients: as server-sent events (WHATWG HTML), or by WebSocket.</summary>
/// <param name="server">The server.</param>
/// <param name="path">The path.</param>
/// <param name="options">Its options.</param>
internal sealed class ResultFeed(HttpServer server, TopicTemplate path, HttpPublishOptions options)
{
    /// <summary>How many results go out between two waits for the client.</summary>
    private const int ResultsAtOnce = 64;

    private int _clients;
    private long _lost;

    internal string Name { get; } = $"http /{path}";

    internal TopicTemplate Path => path;

    internal ResultRing Ring { get; } = new(options.KeptResults, options.KeptBytes);

    internal int Clients => Volatile.Read(ref _clients);

    internal long Lost => Interlocked.Read(ref _lost);

    internal async Task HandleAsync(HttpContext context)
    {
        if (await server.Access.EnterAsync(context, HttpPeer.Of(context, server), AccessAction.Subscribe, path, path.ToString()).ConfigureAwait(false) is not { } who)
        {
            return;
        }

        if (Ring.IsEnded)
        {
            await Answers.BusyAsync(context, "The engine is not running.").ConfigureAwait(false);
            return;
        }

        if (Interlocked.Increment(ref _clients) > options.MaxClients)
        {
            Interlocked.Decrement(ref _clients);
            await Answers.BusyAsync(context, "As many listen as may.").ConfigureAwait(false);
            return;
        }

        if (await server.Access.StayAsync(context, who).ConfigureAwait(false) is not { } admission)
        {
            Interlocked.Decrement(ref _clients);
            return;
        }

        try
        {
            using var ended = Stopping.OrGone(context, admission);
            await (context.WebSockets.IsWebSocketRequest ? SendToWebSocketAsync(context, ended) : SendEventsAsync(context, ended.Token)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or WebSocketException or OperationCanceledException)
        {
            // The client has gone.
        }
        finally
        {
            if (admission.HasEnded)
            {
                // At once, however much it has not read.
                context.Abort();
            }

            admission.Dispose();
            Interlocked.Decrement(ref _clients);
        }
    }

    private async Task SendEventsAsync(HttpContext context, CancellationToken stop)
    {
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";

        // A proxy that gathers would hold results back (nginx).
        response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        long place = Ring.PlaceAfter(context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } id ? id : context.Request.Query["last-event-id"].ToString());
        await response.StartAsync(stop).ConfigureAwait(false);
        await response.BodyWriter.FlushAsync(stop).ConfigureAwait(false);
        while (true)
        {
            var news = Ring.News;
            int sent = 0;
            while (sent < ResultsAtOnce && Ring.Read(ref place, out long lost) is { } result)
            {
                if (!Tell(response.BodyWriter, lost))
                {
                    return;
                }

                WriteEvent(response.BodyWriter, Ring.IdOf(place - 1), result);
                sent++;
            }

            if (sent == 0 && (Ring.IsEnded || !await WaitAsync(news, stop).ConfigureAwait(false)))
            {
                if (Ring.IsEnded)
                {
                    return;
                }

                response.BodyWriter.Write(":\n\n"u8);
            }

            await response.BodyWriter.FlushAsync(stop).ConfigureAwait(false);
        }
    }

    private bool Tell(PipeWriter output, long lost)
    {
        if (lost == 0)
        {
            return true;
        }

        Interlocked.Add(ref _lost, lost);
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"event: lost\ndata: {lost}\n\n"), output);
        return options.SlowClient == SlowClient.DropOldest;
    }

    /// <summary>One event; each line of the result is a data line, whichever way its line ends.</summary>
    private static void WriteEvent(IBufferWriter<byte> output, string id, ReadOnlySpan<byte> result)
    {
        output.Write("id: "u8);
        Encoding.UTF8.GetBytes(id, output);
        while (true)
        {
            output.Write("\ndata: "u8);
            int end = result.IndexOfAny((byte)'\n', (byte)'\r');
            output.Write(end < 0 ? result : result[..end]);
            if (end < 0)
            {
                break;
            }

            result = result[(end + (result[end..].StartsWith("\r\n"u8) ? 2 : 1))..];
        }

        output.Write("\n\n"u8);
    }

    private async Task SendToWebSocketAsync(HttpContext context, CancellationTokenSource ended)
    {
        long place = Ring.PlaceAfter(context.Request.Query["last-event-id"].ToString());
        using var socket = await context.WebSockets.AcceptWebSocketAsync().ConfigureAwait(false);
        var listening = ListenAsync(socket, ended);
        try
        {
            while (!(Ring.IsEnded && place == Ring.Next))
            {
                var news = Ring.News;
                while (Ring.Read(ref place, out long lost) is { } result)
                {
                    Interlocked.Add(ref _lost, lost);
                    if (lost > 0 && options.SlowClient == SlowClient.Disconnect)
                    {
                        await socket.CloseOutputAsync(WebSocketCloseStatus.PolicyViolation, "The client was too slow.", ended.Token).ConfigureAwait(false);
                        return;
                    }

                    await socket.SendAsync(result, WebSocketMessageType.Text, endOfMessage: true, ended.Token).ConfigureAwait(false);
                }

                await WaitAsync(news, ended.Token).ConfigureAwait(false);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, "", ended.Token).ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Reads what the client says, only to learn that it closes or has gone.</summary>
    private static async Task ListenAsync(WebSocket socket, CancellationTokenSource ended)
    {
        byte[] buffer = new byte[128];
        try
        {
            while ((await socket.ReceiveAsync(buffer.AsMemory(), ended.Token).ConfigureAwait(false)).MessageType != WebSocketMessageType.Close)
            {
            }
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <returns>False where nothing came until the next heartbeat.</returns>
    private async ValueTask<bool> WaitAsync(Task news, CancellationToken stop)
    {
        try
        {
            await news.WaitAsync(options.Heartbeat, server.Clock, stop).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
