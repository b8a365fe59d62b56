using System.Text.Json;

namespace IoT.Reference.Devices.Links;

/// <summary>A device's access token, got from <c>Identity</c> for its id and secret (client credentials).</summary>
/// <param name="device">The device's id.</param>
/// <param name="secret">Its secret.</param>
/// <param name="identity">Its base address is <c>Identity</c>'s; shared by all devices of a process.</param>
/// <param name="timeProvider">The clock.</param>
public sealed class DeviceToken(string device, string secret, HttpClient identity, TimeProvider timeProvider)
{
    // A device opens its sessions together, and one token does for them. Kept for longer, one that was revoked would be shown again and again.
    private static readonly TimeSpan _kept = TimeSpan.FromMinutes(1);

    private Held? _held;
    private volatile string _secret = secret;

    /// <summary>A token that is valid, as far as the device can know.</summary>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="IOException">There is none; the device may ask again.</exception>
    public async ValueTask<string?> GetAsync(CancellationToken stop)
    {
        DateTimeOffset now = timeProvider.GetUtcNow();
        if (Volatile.Read(ref _held) is { } held && now < held.Until)
        {
            return held.Token;
        }

        try
        {
            using var form = new FormUrlEncodedContent([new("grant_type", "client_credentials"), new("client_id", device), new("client_secret", _secret)]);
            using HttpResponseMessage answer = await identity.PostAsync(new Uri("connect/token", UriKind.Relative), form, stop);
            if (!answer.IsSuccessStatusCode)
            {
                throw new IOException($"Identity gives {device} no token: {(int)answer.StatusCode}.");
            }

            using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(stop));
            string token = json.RootElement.GetProperty("access_token").GetString() ?? throw new IOException("Identity's answer has no token.");
            TimeSpan life = TimeSpan.FromSeconds(json.RootElement.GetProperty("expires_in").GetInt32()) / 2;
            Volatile.Write(ref _held, new Held(token, now + (life < _kept ? life : _kept)));
            return token;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new IOException($"Identity gives {device} no token: {e.Message}", e);
        }
    }

    /// <summary>The next token is asked for with this secret.</summary>
    /// <param name="secret">The secret.</param>
    public void UseSecret(string secret)
    {
        _secret = secret;
        Volatile.Write(ref _held, null);
    }

    private sealed record Held(string Token, DateTimeOffset Until);
}
