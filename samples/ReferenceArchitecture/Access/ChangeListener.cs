using System.Globalization;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>
/// Hears of changes over server-sent events. After every break it goes on after the last number it heard; where <c>Identity</c> can't (it says <c>reset</c>), everything is forgotten.
/// Revocations are read as a whole after each connection: one that was missed is told late rather than never.
/// </summary>
internal sealed class ChangeListener : IAsyncDisposable
{
    /// <summary><c>Identity</c> says something every 10 s at least.</summary>
    private static readonly TimeSpan _silence = TimeSpan.FromSeconds(35);

    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(100), _longestPause = TimeSpan.FromSeconds(2), _patience = TimeSpan.FromSeconds(5);

    private readonly AccessOptions _options;
    private readonly HttpClient _client;
    private readonly Revocations _revocations;
    private readonly Action<Change> _onChange;
    private readonly Action _onReset;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _knows = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private long _last = -1;
    private volatile bool _isConnected;

    internal ChangeListener(AccessOptions options, HttpClient client, Revocations revocations, Action<Change> onChange, Action onReset)
    {
        (_options, _client, _revocations, _onChange, _onReset) = (options, client, revocations, onChange, onReset);
    }

    internal bool IsConnected => _isConnected;

    internal void Start() => _running = Task.Run(RunAsync);

    /// <summary>Whether it is known who is revoked; waits a little for the first connection.</summary>
    internal ValueTask<bool> KnowsRevocationsAsync() => _knows.Task.IsCompletedSuccessfully ? new ValueTask<bool>(true) : WaitAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async ValueTask<bool> WaitAsync()
    {
        try
        {
            await _knows.Task.WaitAsync(_patience, _options.TimeProvider, _stop.Token);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task RunAsync()
    {
        var pause = _firstPause;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await ListenAsync();
                pause = _firstPause;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or FormatException || (e is OperationCanceledException && !_stop.IsCancellationRequested))
            {
                AccessLog.Away(_options.Logger, "changes", e.Message);
                pause = _isConnected ? _firstPause : pause * 2 < _longestPause ? pause * 2 : _longestPause;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            _isConnected = false;
            try
            {
                // The system's clock: a test that stops time must not stop this.
                await Task.Delay(pause, _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ListenAsync()
    {
        using var silence = new CancellationTokenSource(_silence);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, _stop.Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("v1/changes", UriKind.Relative));
        if (_last >= 0)
        {
            request.Headers.Add("Last-Event-ID", _last.ToString(CultureInfo.InvariantCulture));
        }

        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"status {(int)response.StatusCode}", null, response.StatusCode);
        }

        await using var body = await response.Content.ReadAsStreamAsync(either.Token);
        bool isFirst = true;
        await foreach (var item in SseParser.Create(body).EnumerateAsync(either.Token))
        {
            silence.CancelAfter(_silence);
            await TakeAsync(item, either.Token);
            if (isFirst)
            {
                // Only now: what is revoked after the list was read is told on the stream that is open already.
                isFirst = false;
                await ReadRevocationsAsync(either.Token);
                _isConnected = true;
                AccessLog.Connected(_options.Logger, _options.Identity);
                _knows.TrySetResult();
            }
        }
    }

    private async ValueTask TakeAsync(SseItem<string> item, CancellationToken stop)
    {
        switch (item.EventType)
        {
            case "change" when JsonSerializer.Deserialize(item.Data, WireJson.Default.Change) is { } change:
                _last = change.Number;
                _onChange(change);
                break;
            case "reset":
                _last = long.Parse(item.Data, NumberStyles.None, CultureInfo.InvariantCulture);
                _onReset();
                await ReadRevocationsAsync(stop);
                break;
            default:
                // "alive": that it came is all it says.
                break;
        }
    }

    private async Task ReadRevocationsAsync(CancellationToken stop)
    {
        var all = await _client.GetFromJsonAsync(new Uri("v1/revocations", UriKind.Relative), WireJson.Default.ListRevocation, stop) ?? [];
        foreach (var revocation in all)
        {
            if (_revocations.Add(revocation.Subject, revocation.Before))
            {
                _onChange(new Change(Math.Max(0, _last), ChangeKinds.Revoked, revocation.Subject, revocation.Before));
            }
        }
    }
}
