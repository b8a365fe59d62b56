using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace IoT.Reference.Access;

/// <summary>This layer's own token, by client credentials: asked for when it is first needed and again when four fifths of its life are over.</summary>
internal sealed class ServiceTokens : IDisposable
{
    private readonly AccessOptions _options;
    private readonly HttpClient _client;
    private readonly SemaphoreSlim _asking = new(1);
    private Held? _held;

    internal ServiceTokens(AccessOptions options)
    {
        _options = options;
#pragma warning disable CA2000 // The client disposes the handler.
        _client = new HttpClient(options.MakeHandler()) { BaseAddress = options.Identity, Timeout = TimeSpan.FromSeconds(10) };
#pragma warning restore CA2000
    }

    /// <exception cref="HttpRequestException"><c>Identity</c> does not answer, or gives no token.</exception>
    internal async ValueTask<string> GetAsync(CancellationToken stop)
    {
        if (Current() is { } token)
        {
            return token;
        }

        await _asking.WaitAsync(stop);
        try
        {
            return Current() ?? (_held = await AskAsync(stop)).Token;
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <summary>It was refused: the next call asks for another.</summary>
    internal void Drop(string token) => Interlocked.CompareExchange(ref _held, null, _held is { } held && held.Token == token ? held : null);

    public void Dispose()
    {
        _client.Dispose();
        _asking.Dispose();
    }

    private string? Current() => Volatile.Read(ref _held) is { } held && _options.TimeProvider.GetUtcNow() < held.Until ? held.Token : null;

    private async Task<Held> AskAsync(CancellationToken stop)
    {
        using var body = new FormUrlEncodedContent([
            new("grant_type", "client_credentials"), new("client_id", _options.Service.Id), new("client_secret", _options.Service.Secret)]);
        var asked = _options.TimeProvider.GetUtcNow();
        using var response = await _client.PostAsync(new Uri("connect/token", UriKind.Relative), body, stop);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"Identity gives no token to {_options.Service.Id}: {(int)response.StatusCode}.", null, response.StatusCode);
        }

        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(stop);
            using var json = await JsonDocument.ParseAsync(stream, cancellationToken: stop);
            string token = json.RootElement.GetProperty("access_token").GetString() ?? "";
            int seconds = json.RootElement.GetProperty("expires_in").GetInt32();
            return new Held(token, asked + TimeSpan.FromSeconds(seconds * 0.8));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new HttpRequestException("Identity's answer is no token.", e);
        }
    }

    private sealed record Held(string Token, DateTimeOffset Until);

    /// <summary>Sends the token; asks for another once where it is refused, if what was sent can be sent again.</summary>
    /// <param name="tokens">The tokens.</param>
    internal sealed class Handler(ServiceTokens tokens, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            string token = await tokens.GetAsync(cancellationToken);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            var response = await base.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.Unauthorized)
            {
                return response;
            }

            tokens.Drop(token);
            if (request.Content is not (null or ByteArrayContent))
            {
                return response;
            }

            response.Dispose();
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await tokens.GetAsync(cancellationToken));
            return await base.SendAsync(request, cancellationToken);
        }
    }
}
