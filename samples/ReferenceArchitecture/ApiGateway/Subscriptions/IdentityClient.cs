using System.Net;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.ApiGateway.Subscriptions;

/// <summary>A token and when it ends.</summary>
internal sealed record AppToken(string Value, DateTimeOffset Ends);

/// <summary>What the gateway asks <c>Identity</c> for: apps' secrets by its own right, tokens in an app's name, and people's tokens at the end of their log-in.</summary>
internal sealed class IdentityClient : IDisposable
{
    private readonly ApiGatewayOptions _options;
    private readonly HttpClient _manage;
    private readonly HttpClient _tokens;

    public IdentityClient(ApiGatewayOptions options, AccessPoint access)
    {
        _options = options;
        _manage = access.CreateClient(options.Identity);
        _tokens = new HttpClient(options.MakeHandler()) { BaseAddress = options.Identity, Timeout = TimeSpan.FromSeconds(15) };
    }

    public void Dispose()
    {
        _manage.Dispose();
        _tokens.Dispose();
    }

    /// <exception cref="HttpRequestException"><c>Identity</c> is away, or refuses.</exception>
    internal async Task<string> IssueAsync(string app, string owner, IReadOnlyList<string> scopes, CancellationToken stop)
    {
        var request = new CredentialRequest(app, SubjectKind.App, scopes, Owner: owner);
        using var response = await _manage.PostAsJsonAsync("v1/credentials", request, WireJson.Default.CredentialRequest, stop);
        return await SecretAsync(response, stop);
    }

    /// <exception cref="HttpRequestException"><c>Identity</c> is away, or refuses.</exception>
    internal async Task<string> RotateAsync(string app, TimeSpan overlap, CancellationToken stop)
    {
        using var response = await _manage.PostAsJsonAsync($"v1/credentials/{app}/rotate", new RotateRequest(overlap), WireJson.Default.RotateRequest, stop);
        return await SecretAsync(response, stop);
    }

    /// <summary>Deletes an app, which makes its tokens void; one that is not there is as good as deleted.</summary>
    /// <exception cref="HttpRequestException"><c>Identity</c> is away, or refuses.</exception>
    internal async Task DeleteAsync(string app, CancellationToken stop)
    {
        using var response = await _manage.DeleteAsync($"v1/credentials/{app}", stop);
        if (response.StatusCode != HttpStatusCode.NotFound)
        {
            response.EnsureSuccessStatusCode();
        }
    }

    /// <returns>Null: the secret does not hold any more.</returns>
    /// <exception cref="HttpRequestException"><c>Identity</c> is away.</exception>
    internal Task<AppToken?> TokenOfAppAsync(string app, string secret, IReadOnlyList<string> scopes, CancellationToken stop) => TokenAsync(
        [new("grant_type", "client_credentials"), new("client_id", app), new("client_secret", secret), new("scope", string.Join(' ', scopes))], stop);

    /// <returns>Null: the code does not hold.</returns>
    /// <exception cref="HttpRequestException"><c>Identity</c> is away.</exception>
    internal Task<AppToken?> TokenOfCodeAsync(string code, string verifier, Uri redirect, CancellationToken stop) => TokenAsync(
        [
            new("grant_type", "authorization_code"), new("code", code), new("code_verifier", verifier), new("redirect_uri", redirect.AbsoluteUri),
            new("client_id", _options.Service.Id), new("client_secret", _options.Service.Secret),
        ],
        stop);

    private static async Task<string> SecretAsync(HttpResponseMessage response, CancellationToken stop)
    {
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync(WireJson.Default.IssuedCredential, stop))?.Secret ?? throw new HttpRequestException("Identity gave no secret.");
    }

    private async Task<AppToken?> TokenAsync(KeyValuePair<string, string>[] form, CancellationToken stop)
    {
        using var content = new FormUrlEncodedContent(form);
        using var response = await _tokens.PostAsync(new Uri("connect/token", UriKind.Relative), content, stop);
        if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        try
        {
            using var answer = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(stop));
            double seconds = answer.RootElement.TryGetProperty("expires_in", out var given) ? given.GetDouble() : 60;
            return new AppToken(answer.RootElement.GetProperty("access_token").GetString()!, _options.TimeProvider.GetUtcNow().AddSeconds(seconds));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new HttpRequestException("Identity answered what is no token.", e);
        }
    }
}
