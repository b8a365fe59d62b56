using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Listens to a server's events, and connects again behind the last one when the connection is lost.</summary>
/// <param name="uri">The address.</param>
/// <param name="options">Its options.</param>
internal sealed class HttpEventsTransport(Uri uri, HttpClientOptions options) : ITransport
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(500);

    private readonly string _topic = uri.Host + uri.AbsolutePath.TrimEnd('/');
    private readonly ServerEvents _events = new(options.MaxBytes);

    public string Name { get; } = $"events {HttpConnector.NameOf(uri)}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        using var client = HttpConnector.Create(options);
        var backoff = new Backoff(_firstPause, options.LongestPause);
        while (!stop.IsCancellationRequested)
        {
            string reason = "The server closed the connection.";
            var asked = TimeSpan.Zero;
            try
            {
                if (await ListenAsync(client, receiver, context, stop).ConfigureAwait(false))
                {
                    backoff.Reset();
                }
            }
            catch (HttpRetryException later)
            {
                (reason, asked) = (later.Message, later.After);
            }
            catch (Exception e) when (HttpConnector.IsTransient(e) && !stop.IsCancellationRequested)
            {
                reason = HttpConnector.Describe(e);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }

            var next = backoff.Next();
            next = _events.Retry > next ? _events.Retry.Value : next;
            var pause = asked > next ? asked : next;
            HttpLog.Lost(context.Logger, Name, reason, pause);
            receiver.ConnectionChanged(false, reason);
            await Task.Delay(pause, context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        receiver.ConnectionChanged(false, "stopped");
    }

    /// <returns>Whether it got anything: then the server is well, and is asked again soon.</returns>
    private async Task<bool> ListenAsync(HttpClient client, IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (_events.LastId.Length > 0)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", _events.LastId);
        }

        using var response = await HttpConnector.SendAsync(client, request, options, context.TimeProvider, stop).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK || response.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            throw HttpRetryException.Of(response, HttpConnector.RetryAfter(response, options.LongestPause, context.TimeProvider));
        }

        receiver.ConnectionChanged(true);
        _events.Begin();
        var reader = PipeReader.Create(await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false));
        try
        {
            return await ReadAsync(reader, receiver, context.TimeProvider, stop).ConfigureAwait(false);
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    private async Task<bool> ReadAsync(PipeReader reader, IPayloadReceiver receiver, TimeProvider clock, CancellationToken stop)
    {
        bool isAny = false;
        bool skipsFeed = false;

        // A server that has gone without a word is found out by its silence only.
        using var silence = clock.CreateTimer(static state => ((PipeReader)state!).CancelPendingRead(), reader, options.MaxSilence, Timeout.InfiniteTimeSpan);
        while (true)
        {
            var result = await reader.ReadAsync(stop).ConfigureAwait(false);
            silence.Change(options.MaxSilence, Timeout.InfiniteTimeSpan);
            if (result.IsCanceled)
            {
                throw new IOException("The server was silent for too long.");
            }

            var buffer = result.Buffer;
            while (TryTakeLine(ref buffer, ref skipsFeed, out var line))
            {
                if (TakeLine(line))
                {
                    isAny = true;
                    await DeliverAsync(receiver).ConfigureAwait(false);
                    _events.Begin();
                }
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                return isAny;
            }

            // A field's name, a colon and a space beside what may be kept.
            if (buffer.Length > options.MaxBytes + 64L)
            {
                throw new IOException("The server sent a line that is longer than the limit.");
            }
        }
    }

    private ValueTask DeliverAsync(IPayloadReceiver receiver)
    {
        var payload = new Payload(new ReadOnlySequence<byte>(_events.Data), _topic)
        {
            Headers = _events.Name.Length == 0 ? default : new PayloadHeaders([new("event", _events.Name)]),
        };
        if (_events.IsTooLarge)
        {
            receiver.Reject(in payload, DeadLetterReason.TooLarge, string.Create(CultureInfo.InvariantCulture, $"The event is longer than the limit of {options.MaxBytes} bytes."));
            return ValueTask.CompletedTask;
        }

        return receiver.ReceiveAsync(in payload);
    }

    private bool TakeLine(in ReadOnlySequence<byte> line)
    {
        if (line.IsSingleSegment)
        {
            return _events.Take(line.FirstSpan);
        }

        byte[] joined = ArrayPool<byte>.Shared.Rent((int)line.Length);
        try
        {
            line.CopyTo(joined);
            return _events.Take(joined.AsSpan(0, (int)line.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(joined);
        }
    }

    /// <summary>A line ends in LF, CR or both; the LF of a CRLF may come with the next read.</summary>
    private static bool TryTakeLine(ref ReadOnlySequence<byte> buffer, ref bool skipsFeed, out ReadOnlySequence<byte> line)
    {
        if (skipsFeed && buffer.Length > 0)
        {
            skipsFeed = false;
            buffer = buffer.FirstSpan[0] == '\n' ? buffer.Slice(1) : buffer;
        }

        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadToAny(out line, "\r\n"u8, advancePastDelimiter: false))
        {
            return false;
        }

        skipsFeed = reader.TryPeek(out byte end) && end == '\r';
        buffer = buffer.Slice(reader.Position).Slice(1);
        return true;
    }
}
