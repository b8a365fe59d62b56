using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A server that does not take results now; tried again later.</summary>
/// <param name="message">What it answered.</param>
internal sealed class HttpNotNowException(string message) : Exception(message);

/// <summary>
/// Posts results, one request after the other, which keeps their order. What the server has taken is not posted again when a later request fails.
/// </summary>
/// <typeparam name="T">The result's type.</typeparam>
internal sealed class HttpPostSink<T>(Uri uri, Action<T, IBufferWriter<byte>> encode, string contentType, HttpPostOptions options) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _bodies = new();
    private readonly List<(int Row, Range Body)> _results = [];

    // Two queries may end in one sink; its buffers are for one of them at a time.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private HttpClient? _client;
    private TimeProvider _clock = TimeProvider.System;
    private long _notBefore;

    public string Name { get; } = $"post {HttpConnector.NameOf(uri)}";

    public bool IsDurable => true;

    public bool UsesIdentity => false;

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        _clock = context.TimeProvider;
        _notBefore = _clock.GetTimestamp();
        _client ??= HttpConnector.Create(options);
        return ValueTask.CompletedTask;
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            var left = _clock.GetElapsedTime(_clock.GetTimestamp(), _notBefore);
            if (left > TimeSpan.Zero)
            {
                await Task.Delay(left, _clock, stop).ConfigureAwait(false);
            }

            Encode(batch);
            int most = options.Batch == HttpBatch.None ? 1 : options.MaxBatch;
            for (int start = 0; start < _results.Count; start += most)
            {
                await PostAsync(batch, start, Math.Min(most, _results.Count - start), stop).ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        _client?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Encode(SinkBatch<T> batch)
    {
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        _results.Clear();
        _bodies.ResetWrittenCount();
        for (int row = 0; row < results.Length; row++)
        {
            if (!kinds.IsEmpty && kinds[row] == EventKind.Retract)
            {
                continue;
            }

            int start = _bodies.WrittenCount;
            try
            {
                encode(results[row], _bodies);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new SinkRejectedException(row, $"The function that writes a result failed: {SafeText.Escape(e.Message)}", e);
            }

            if (_bodies.WrittenCount - start > options.MaxBytes)
            {
                throw new SinkRejectedException(row, $"The result has {_bodies.WrittenCount - start} bytes; MaxBytes allows {options.MaxBytes}.");
            }

            _results.Add((row, start.._bodies.WrittenCount));
        }
    }

    /// <summary>Posts some results as one request. Where the server rejects several together, each is posted alone, so that one bad result is one dead letter.</summary>
    private async Task PostAsync(SinkBatch<T> batch, int start, int count, CancellationToken stop)
    {
        string? rejection = await SendAsync(batch, start, count, stop).ConfigureAwait(false);
        for (int i = start; i < start + count; i++)
        {
            if (rejection is not null && count > 1)
            {
                await PostAsync(batch, i, 1, stop).ConfigureAwait(false);
            }
            else if (rejection is not null)
            {
                throw new SinkRejectedException(_results[i].Row, rejection);
            }

            batch.MarkWritten(_results[i].Row);
        }
    }

    /// <returns>Why the server will never take them; null where it has taken them.</returns>
    /// <exception cref="HttpNotNowException">It may take them later.</exception>
    private async Task<string?> SendAsync(SinkBatch<T> batch, int start, int count, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = Content(start, count) };
        if (options.UseIdempotencyKey)
        {
            request.Headers.Add("Idempotency-Key", Key(batch, start, count));
        }

        using var response = await HttpConnector.SendAsync(
            _client ?? throw new InvalidOperationException("The sink was not opened."), request, options, _clock, stop).ConfigureAwait(false);
        int status = (int)response.StatusCode;
        if (response.IsSuccessStatusCode)
        {
            return null;
        }

        string answer = string.Create(CultureInfo.InvariantCulture, $"The server answered {status}.");
        bool isForGood = status is >= 400 and < 500 && response.StatusCode is not (HttpStatusCode.Unauthorized or HttpStatusCode.ProxyAuthenticationRequired
            or HttpStatusCode.RequestTimeout or (HttpStatusCode)425 or HttpStatusCode.TooManyRequests);
        if (isForGood)
        {
            return answer;
        }

        var wait = HttpConnector.RetryAfter(response, options.LongestPause, _clock);
        _notBefore = _clock.GetTimestamp() + (long)(wait.TotalSeconds * _clock.TimestampFrequency);
        throw new HttpNotNowException(status is >= 300 and < 400 ? answer + " Redirections are not followed: give the address that it leads to." : answer);
    }

    private ByteArrayContent Content(int start, int count)
    {
        var written = _bodies.WrittenSpan;
        byte[] body;
        string type = contentType;
        if (options.Batch == HttpBatch.None)
        {
            body = written[_results[start].Body].ToArray();
        }
        else
        {
            bool isArray = options.Batch == HttpBatch.JsonArray;
            type = isArray ? "application/json" : "application/x-ndjson";
            var joined = new ArrayBufferWriter<byte>();
            for (int i = start; i < start + count; i++)
            {
                joined.Write(isArray ? i == start ? "["u8 : ","u8 : default);
                joined.Write(written[_results[i].Body]);
                joined.Write(isArray ? default : "\n"u8);
            }

            joined.Write(isArray ? "]"u8 : default);
            body = joined.WrittenSpan.ToArray();
        }

        var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return content;
    }

    /// <summary>The same for the same results at the same times, whichever attempt it is and whichever process makes it.</summary>
    private string Key(SinkBatch<T> batch, int start, int count)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(uri.AbsoluteUri));
        Span<byte> ticks = stackalloc byte[sizeof(long)];
        for (int i = start; i < start + count; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(ticks, batch.Ticks.Span[_results[i].Row]);
            hash.AppendData(ticks);
            hash.AppendData(_bodies.WrittenSpan[_results[i].Body]);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
