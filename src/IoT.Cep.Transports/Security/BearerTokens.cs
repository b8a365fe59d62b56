using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Cep;

/// <summary>
/// Knows bearer tokens (JWT, RFC 7519, checked as RFC 8725 says) by the keys of their issuer: <c>new ListenerSecurity { Token = BearerTokens.FromJwks(address, options).Validate }</c>.
/// A token must be signed with one of the allowed algorithms by a key of that kind, have an end, and name an issuer, an audience and a subject that the options know.
/// </summary>
/// <remarks>Thread-safe. Keys are read when first needed, again at intervals and when a token names one that is not known; see <see cref="BearerTokenOptions"/>.</remarks>
public sealed class BearerTokens : IDisposable
{
    private const int MaxRemembered = 10_000, MaxClaims = 64, MaxNameChars = 512;

    private readonly BearerTokenOptions _options;
    private readonly BearerKeys _keys;
    private readonly JsonWebTokenHandler _handler;
    private readonly ConcurrentDictionary<string, (Identity Identity, long Until)> _remembered = new(StringComparer.Ordinal);

    private BearerTokens(BearerKeys keys, BearerTokenOptions options)
    {
        (_keys, _options) = (keys, options);
        _handler = new JsonWebTokenHandler { MaximumTokenSizeInBytes = options.MaxTokenChars, MapInboundClaims = false };
    }

    /// <summary>Takes keys from a JSON Web Key Set.</summary>
    /// <param name="fileOrAddress">A file, or an address: https, or http on this machine.</param>
    /// <param name="options">Which tokens are taken.</param>
    /// <param name="logger">Told when the keys can't be read; null: nobody.</param>
    /// <exception cref="ArgumentException">The address is not safe.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static BearerTokens FromJwks(string fileOrAddress, BearerTokenOptions options, ILogger? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileOrAddress);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return new BearerTokens(new BearerKeys(fileOrAddress, options, logger ?? NullLogger.Instance), options);
    }

    /// <summary>Knows a client by its token; for <see cref="ListenerSecurity.Token"/>.</summary>
    /// <param name="token">The token: text from the network.</param>
    /// <returns>Null where it is not valid now.</returns>
    public async ValueTask<Identity?> Validate(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length > _options.MaxTokenChars || token.Length == 0 || !_handler.CanReadToken(token))
        {
            return null;
        }

        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (_remembered.TryGetValue(hash, out var known) && _options.TimeProvider.GetTimestamp() < known.Until && IsCurrent(known.Identity))
        {
            return known.Identity;
        }

        // What "crit" names must be understood (RFC 7515, 4.1.11), and nothing is.
        if (Read(token) is not { } parsed || !_options.Algorithms.Contains(parsed.Alg, StringComparer.Ordinal) || HasCritical(parsed))
        {
            return null;
        }

        string? keyId = string.IsNullOrEmpty(parsed.Kid) ? null : parsed.Kid;
        if (await _keys.ForAsync(keyId).ConfigureAwait(false) is not { } keys)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(parsed, Parameters(keys, keyId, parsed.Alg)).ConfigureAwait(false);
        if (!result.IsValid || ToIdentity(parsed) is not { } identity)
        {
            return null;
        }

        if (_remembered.Count >= MaxRemembered)
        {
            _remembered.Clear();
        }

        _remembered[hash] = (identity, _options.TimeProvider.GetTimestamp() + (long)(_options.RememberTokens.TotalSeconds * _options.TimeProvider.TimestampFrequency));
        return identity;
    }

    /// <summary>Closes what keys are read with.</summary>
    public void Dispose() => _keys.Dispose();

    private static JsonWebToken? Read(string token)
    {
        try
        {
            return new JsonWebToken(token);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or JsonException or SecurityTokenException)
        {
            return null;
        }
    }

    private TokenValidationParameters Parameters(IReadOnlyList<SecurityKey> keys, string? keyId, string algorithm) => new()
    {
        ValidIssuers = _options.Issuers,
        ValidAudiences = _options.Audiences,
        ValidAlgorithms = _options.Algorithms,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        ValidateIssuerSigningKey = true,
        TryAllIssuerSigningKeys = false,

        // The key's kind must be the algorithm's: else what is public would serve as a secret (RFC 8725, 2.1).
        IssuerSigningKeyResolver = (_, _, _, _) => keys.Where(k => (keyId is null || k.KeyId == keyId) && IsOfKind((JsonWebKey)k, algorithm)),
        LifetimeValidator = (from, until, _, _) => IsWithin(from, until),
    };

    private static bool IsOfKind(JsonWebKey key, string algorithm) =>
        (string.IsNullOrEmpty(key.Alg) || key.Alg == algorithm) && algorithm[0] switch
        {
            'R' or 'P' => key.Kty == "RSA",
            'E' => key.Kty == "EC",
            _ => key.Kty == "oct",
        };

    private bool IsWithin(DateTime? from, DateTime? until)
    {
        var now = _options.TimeProvider.GetUtcNow().UtcDateTime;
        return until is { } end && now < end + _options.ClockSkew && (from is null || from <= now + _options.ClockSkew);
    }

    private bool IsCurrent(Identity identity) => identity.Expires is not { } expires || _options.TimeProvider.GetUtcNow() < expires;

    private static bool HasCritical(JsonWebToken token)
    {
        using var header = Parse(token.EncodedHeader);
        return header is null || header.RootElement.TryGetProperty("crit", out _);
    }

    // By hand: the library gives registered claims in its own types only.
    private static JsonDocument? Parse(string part)
    {
        try
        {
            var json = JsonDocument.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(part), new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                return json;
            }

            json.Dispose();
            return null;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
    }

    private Identity? ToIdentity(JsonWebToken token)
    {
        using var payload = Parse(token.EncodedPayload);
        if (payload is null || !payload.RootElement.TryGetProperty(_options.NameClaim, out var subject) || subject.ValueKind != JsonValueKind.String
            || subject.GetString() is not { Length: > 0 and <= MaxNameChars } name || name.Any(char.IsControl))
        {
            return null;
        }

        string[] devices = [];
        var claims = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var claim in payload.RootElement.EnumerateObject())
        {
            string? text = TextOf(claim.Value);
            if (claim.Name == _options.SpeaksForClaim)
            {
                devices = text?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
            }
            else if (text is not null && claims.Count < MaxClaims)
            {
                claims[claim.Name] = text;
            }
        }

        return new Identity(name, AuthenticationMethod.Token, devices, claims, new DateTimeOffset(token.ValidTo, TimeSpan.Zero) + _options.ClockSkew);
    }

    /// <summary>A claim's text; the texts of an array with blanks between them, as OAuth writes a scope.</summary>
    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Array => string.Join(' ', value.EnumerateArray().Where(static v => v.ValueKind == JsonValueKind.String).Select(static v => v.GetString())),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => null,
    };
}
