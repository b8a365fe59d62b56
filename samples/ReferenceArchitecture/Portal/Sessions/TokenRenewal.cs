using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace IoT.Reference.Portal.Sessions;

/// <summary>
/// Renews a session's access token by its refresh token shortly before it ends. A refresh token holds once: of all requests, threads and instances one renews, and the others wait for it.
/// </summary>
internal sealed class TokenRenewal(
    SessionStore sessions, PortalOptions options, IOptionsMonitor<OpenIdConnectOptions> oidc, ILogger<TokenRenewal> logger)
{
    private const string ExpiresAt = "expires_at";

    private static readonly TimeSpan _before = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _claim = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, Task<AuthenticationTicket?>> _running = new(StringComparer.Ordinal);

    /// <summary>Called for each request with a session.</summary>
    internal async Task ValidateAsync(CookieValidatePrincipalContext context)
    {
        if (!IsEnding(context.Properties) || context.Properties.GetString(SessionStore.Id) is not { } id)
        {
            return;
        }

        if (await RenewOnceAsync(id) is not { } renewed)
        {
            context.RejectPrincipal();
            await sessions.RemoveAsync(id);
            return;
        }

        context.Properties.StoreTokens(renewed.Properties.GetTokens());
    }

    private bool IsEnding(AuthenticationProperties properties) =>
        !DateTimeOffset.TryParse(properties.GetTokenValue(ExpiresAt), CultureInfo.InvariantCulture, out var ends) || ends - options.TimeProvider.GetUtcNow() < _before;

    private async Task<AuthenticationTicket?> RenewOnceAsync(string id)
    {
        var mine = new TaskCompletionSource<AuthenticationTicket?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = _running.GetOrAdd(id, mine.Task);
        if (running != mine.Task)
        {
            return await running;
        }

        AuthenticationTicket? renewed = null;
        try
        {
            renewed = await RenewAsync(id);
        }
        finally
        {
            _running.TryRemove(id, out _);
            mine.TrySetResult(renewed);
        }

        return renewed;
    }

    private async Task<AuthenticationTicket?> RenewAsync(string id)
    {
        // Another instance may be at it: its result is in the store.
        while (!sessions.TryClaim(id, _claim))
        {
            if (sessions.Find(id) is not { } other || !IsEnding(other.Properties))
            {
                return sessions.Find(id);
            }

            await Task.Delay(_look, options.TimeProvider, CancellationToken.None);
        }

        try
        {
            var ticket = sessions.Find(id);
            if (ticket is null || !IsEnding(ticket.Properties))
            {
                return ticket;
            }

            return await AskAsync(ticket) is { } answered ? Keep(id, answered) : null;
        }
        finally
        {
            sessions.Release(id);
        }
    }

    private AuthenticationTicket Keep(string id, AuthenticationTicket ticket)
    {
        sessions.Put(id, ticket);
        return ticket;
    }

    /// <returns>Null: the session is over.</returns>
    private async Task<AuthenticationTicket?> AskAsync(AuthenticationTicket ticket)
    {
        string? refresh = ticket.Properties.GetTokenValue("refresh_token");
        if (string.IsNullOrEmpty(refresh))
        {
            return null;
        }

        var settings = oidc.Get(OpenIdConnectDefaults.AuthenticationScheme);
        try
        {
            OpenIdConnectConfiguration places = await settings.ConfigurationManager!.GetConfigurationAsync(CancellationToken.None);
            using var form = new FormUrlEncodedContent(
            [
                new("grant_type", "refresh_token"), new("refresh_token", refresh), new("client_id", settings.ClientId!), new("client_secret", settings.ClientSecret!),
            ]);
            using var response = await settings.Backchannel.PostAsync(new Uri(places.TokenEndpoint), form);
            if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized)
            {
                return null;
            }

            response.EnsureSuccessStatusCode();
            using var answer = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
            Put(ticket.Properties, answer.RootElement);
            return ticket;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or OperationCanceledException)
        {
            // Identity is away for a moment: the token holds on for as long as it does, and the next request asks again.
            SessionLog.NotRenewed(logger, e.Message);
            return ticket;
        }
    }

    private void Put(AuthenticationProperties properties, JsonElement answer)
    {
        double seconds = answer.TryGetProperty("expires_in", out var given) ? given.GetDouble() : 600;
        properties.StoreTokens(
        [
            new() { Name = "access_token", Value = answer.GetProperty("access_token").GetString()! },
            new() { Name = "refresh_token", Value = answer.TryGetProperty("refresh_token", out var next) ? next.GetString()! : properties.GetTokenValue("refresh_token")! },
            new() { Name = ExpiresAt, Value = options.TimeProvider.GetUtcNow().AddSeconds(seconds).ToString("o", CultureInfo.InvariantCulture) },
        ]);
    }
}

internal static partial class SessionLog
{
    [LoggerMessage(1, LogLevel.Warning, "A session's token could not be renewed now: {Reason}")]
    internal static partial void NotRenewed(ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "The log-in failed: {Reason}")]
    internal static partial void LogInFailed(ILogger logger, string reason);
}
