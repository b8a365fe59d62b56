using System.Net;
using System.Net.Http.Headers;
using System.Text;

using IoT.Reference.Contracts;

namespace IoT.Reference.Devices.Links;

/// <summary>A device that speaks HTTP: it posts, and asks for its commands by requests that wait, so that nothing needs to reach it.</summary>
/// <param name="device">The device's id and user name.</param>
/// <param name="secret">Its secret.</param>
/// <param name="http">Shared by all devices of a process; its base address is the bus.</param>
/// <param name="asks">Whether it asks for commands; a controller of few KB only sends.</param>
public sealed class HttpLink(string device, string secret, HttpClient http, bool asks, Random random, TimeProvider timeProvider) : IDeviceLink
{
    private readonly CancellationTokenSource _stop = new();
    private AuthenticationHeaderValue _proof = Proof(device, secret);
    private Task _asking = Task.CompletedTask;

    /// <inheritdoc/>
    public Task OpenAsync(IDeviceReceiver receiver, CancellationToken stop)
    {
        if (asks)
        {
            _asking = AskAsync(receiver);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task SendAsync(string topic, ReadOnlyMemory<byte> body, string contentType, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, topic) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        await SendAsync(request, stop);
    }

    /// <summary>Sends one value as an 8-bit controller does: all of it in the first line.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="query">Such as <c>v=21.5</c>.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="IOException">It did not go.</exception>
    public async Task SendQueryAsync(string topic, string query, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{topic}?{query}") { Content = new ByteArrayContent([]) };
        await SendAsync(request, stop);
    }

    /// <inheritdoc/>
    public void UseSecret(string secret) => _proof = Proof(device, secret);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _asking;
        _stop.Dispose();
    }

    private static AuthenticationHeaderValue Proof(string device, string secret) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{device}:{secret}")));

    private async Task SendAsync(HttpRequestMessage request, CancellationToken stop)
    {
        request.Headers.Authorization = _proof;
        try
        {
            using HttpResponseMessage answer = await http.SendAsync(request, stop);
            if (!answer.IsSuccessStatusCode)
            {
                throw new IOException($"The bus answered {(int)answer.StatusCode}.");
            }
        }
        catch (HttpRequestException e)
        {
            throw new IOException($"The bus is away: {e.Message}", e);
        }
    }

    private async Task AskAsync(IDeviceReceiver receiver)
    {
        var retry = new Retry(random, timeProvider);
        string? done = null;
        long desired = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                desired = await AskForDesiredAsync(receiver, desired);
                done = await AskForCommandAsync(receiver, done);
                retry.Succeeded();
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                try
                {
                    await retry.PauseAsync(_stop.Token);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    private async Task<long> AskForDesiredAsync(IDeviceReceiver receiver, long known)
    {
        using HttpResponseMessage answer = await GetAsync(Topics.Of(Topics.Desired, device));
        if (answer.StatusCode != HttpStatusCode.OK)
        {
            return known;
        }

        byte[] body = await answer.Content.ReadAsByteArrayAsync(_stop.Token);
        long hash = HashCode.Combine(body.Length, Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(body)));
        if (hash != known)
        {
            await Inbox.TakeAsync(receiver, Topics.Of(Topics.Desired, device), body);
        }

        return hash;
    }

    /// <returns>The command that is done, to be told with the next request.</returns>
    private async Task<string?> AskForCommandAsync(IDeviceReceiver receiver, string? done)
    {
        string ack = done is null ? "" : "&ack=" + Uri.EscapeDataString(done);
        using HttpResponseMessage answer = await GetAsync($"{Topics.Of(Topics.Commands, device)}?wait=30{ack}");
        if (answer.StatusCode == HttpStatusCode.NoContent)
        {
            return null;
        }

        if (answer.StatusCode != HttpStatusCode.OK)
        {
            throw new IOException($"The bus answered {(int)answer.StatusCode}.");
        }

        byte[] body = await answer.Content.ReadAsByteArrayAsync(_stop.Token);
        await Inbox.TakeAsync(receiver, Topics.Of(Topics.Commands, device), body);
        return answer.Headers.TryGetValues("Command-Id", out var ids) ? ids.First() : null;
    }

    private async Task<HttpResponseMessage> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = _proof;
        return await http.SendAsync(request, HttpCompletionOption.ResponseContentRead, _stop.Token);
    }
}
