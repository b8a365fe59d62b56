using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>Fetches an address again and again. An answer that the server calls the same as before is no message.</summary>
/// <param name="uri">The address.</param>
/// <param name="every">The pause between two requests.</param>
/// <param name="options">Its options.</param>
internal sealed class HttpPollTransport(Uri uri, TimeSpan every, HttpClientOptions options) : ITransport
{
    private readonly string _topic = uri.Host + uri.AbsolutePath.TrimEnd('/');
    private EntityTagHeaderValue? _tag;
    private DateTimeOffset? _modified;

    public string Name { get; } = $"poll {HttpConnector.NameOf(uri)}";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        using var client = HttpConnector.Create(options);
        var backoff = new Backoff(every < options.LongestPause ? every : options.LongestPause, options.LongestPause);
        while (!stop.IsCancellationRequested)
        {
            TimeSpan pause;
            try
            {
                var wait = await FetchAsync(client, receiver, context, stop).ConfigureAwait(false);
                backoff.Reset();
                pause = wait > every ? wait : Jitter(every);
            }
            catch (HttpRetryException later)
            {
                var next = backoff.Next();
                pause = later.After > next ? later.After : next;
                Lost(receiver, context, later.Message, pause);
            }
            catch (Exception e) when (HttpConnector.IsTransient(e) && !stop.IsCancellationRequested)
            {
                pause = backoff.Next();
                Lost(receiver, context, HttpConnector.Describe(e), pause);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }

            await Task.Delay(pause, context.TimeProvider, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        receiver.ConnectionChanged(false, "stopped");
    }

    private void Lost(IPayloadReceiver receiver, ConnectionContext context, string reason, TimeSpan pause)
    {
        HttpLog.Lost(context.Logger, Name, reason, pause);
        receiver.ConnectionChanged(false, reason);
    }

    private async Task<TimeSpan> FetchAsync(HttpClient client, IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);
        if (_tag is not null)
        {
            request.Headers.IfNoneMatch.Add(_tag);
        }

        request.Headers.IfModifiedSince = _modified;
        using var response = await HttpConnector.SendAsync(client, request, options, context.TimeProvider, stop).ConfigureAwait(false);
        var wait = HttpConnector.RetryAfter(response, options.LongestPause, context.TimeProvider);
        if (response.StatusCode is not (HttpStatusCode.NotModified or HttpStatusCode.NoContent or HttpStatusCode.OK))
        {
            throw HttpRetryException.Of(response, wait);
        }

        receiver.ConnectionChanged(true);
        if (response.StatusCode == HttpStatusCode.OK)
        {
            await TakeAsync(response, receiver, context, stop).ConfigureAwait(false);

            // Only when it was taken: what failed on the way is fetched again.
            (_tag, _modified) = (response.Headers.ETag, response.Content.Headers.LastModified);
        }

        return wait;
    }

    private async Task TakeAsync(HttpResponseMessage response, IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(options.Timeout, context.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        var stream = await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
        var reader = PipeReader.Create(stream);
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(either.Token).ConfigureAwait(false);
                var payload = new Payload(result.Buffer, _topic)
                {
                    ContentType = response.Content.Headers.ContentType?.ToString(),
                    SentTicks = response.Headers.Date is { } date ? date.UtcTicks - DateTimeOffset.UnixEpoch.Ticks : 0,
                };
                if (result.Buffer.Length > options.MaxBytes)
                {
                    receiver.Reject(in payload, DeadLetterReason.TooLarge, string.Create(CultureInfo.InvariantCulture, $"The answer is longer than the limit of {options.MaxBytes} bytes."));
                    return;
                }

                if (result.IsCompleted)
                {
                    await receiver.ReceiveAsync(in payload).ConfigureAwait(false);
                    return;
                }

                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            }
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    private static TimeSpan Jitter(TimeSpan pause)
    {
#pragma warning disable CA5394 // a pause is no secret
        return pause * (0.9 + (0.2 * Random.Shared.NextDouble()));
#pragma warning restore CA5394
    }
}

/// <summary>An answer that is none; asked for again later.</summary>
internal sealed class HttpRetryException : Exception
{
    private HttpRetryException(string message, TimeSpan after)
        : base(message) => After = after;

    /// <summary>When the server wants to be asked.</summary>
    internal TimeSpan After { get; }

    internal static HttpRetryException Of(HttpResponseMessage response, TimeSpan after)
    {
        int status = (int)response.StatusCode;
        string answer = string.Create(CultureInfo.InvariantCulture, $"The server answered {status}.");
        return new HttpRetryException(status is >= 300 and < 400 ? answer + " Redirections are not followed: give the address that it leads to." : answer, after);
    }
}

/// <summary>All that the HTTP client writes to the log. Nothing per message; nothing from a server that is not escaped.</summary>
internal static partial class HttpLog
{
    [LoggerMessage(11, LogLevel.Warning, "{Name}: {Reason} Next attempt in {Pause}.")]
    internal static partial void Lost(ILogger logger, string name, string reason, TimeSpan pause);
}
