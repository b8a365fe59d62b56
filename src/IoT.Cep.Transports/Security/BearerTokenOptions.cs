namespace IoT.Cep;

/// <summary>Which bearer tokens <see cref="BearerTokens"/> takes.</summary>
public sealed record BearerTokenOptions
{
    /// <summary>Who may have issued a token: its <c>iss</c> must be one of these, to the letter. At least one.</summary>
    public required IReadOnlyList<string> Issuers { get; init; }

    /// <summary>Whom a token may be meant for: one of its <c>aud</c> must be one of these. At least one; tokens meant for others would open this door too.</summary>
    public required IReadOnlyList<string> Audiences { get; init; }

    /// <summary>The algorithms taken. Default: RSA, RSA-PSS and ECDSA with SHA-2. HS256, HS384 and HS512 must be named, and only work with symmetric keys; <c>none</c> is never taken.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    /// <summary>How far the issuer's clock may be from this one's. Default: 30 s.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The claim that is the identity's name. Default: <c>sub</c>.</summary>
    public string NameClaim { get; init; } = "sub";

    /// <summary>The claim that names the devices it speaks for: an array of texts, or one text with blanks between them. Default null: itself only.</summary>
    public string? SpeaksForClaim { get; init; }

    /// <summary>The longest token, in characters. Default: 16,384.</summary>
    public int MaxTokenChars { get; init; } = 16_384;

    /// <summary>How often the keys are read again. Default: 5 min.</summary>
    public TimeSpan RefreshEvery { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A token with an unknown key makes the keys be read at once, but no more often than this. Default: 30 s.</summary>
    public TimeSpan RefreshAtMostEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long keys are believed that can't be read again. Default: 24 h; after that no token is taken.</summary>
    public TimeSpan KeysLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a token that was valid is known again without looking at its signature. Default: 30 s; never past its end.</summary>
    public TimeSpan RememberTokens { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Makes requests for keys; for proxies and tests. Null, the default: one that follows no redirection.</summary>
    public HttpMessageHandler? Handler { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        Require(Issuers is { Count: > 0 } && Issuers.All(static i => !string.IsNullOrEmpty(i)), nameof(Issuers), "must name at least one issuer");
        Require(Audiences is { Count: > 0 } && Audiences.All(static a => !string.IsNullOrEmpty(a)), nameof(Audiences), "must name at least one audience");
        Require(Algorithms is { Count: > 0 } && Algorithms.All(BearerKeys.IsKnownAlgorithm), nameof(Algorithms), "must name RS, PS, ES or HS with 256, 384 or 512");
        Require(ClockSkew >= TimeSpan.Zero && ClockSkew <= TimeSpan.FromMinutes(10), nameof(ClockSkew), "must be 0 to 10 min");
        Require(!string.IsNullOrEmpty(NameClaim), nameof(NameClaim), "must be a claim's name");
        Require(MaxTokenChars is >= 64 and <= 1 << 20, nameof(MaxTokenChars), "must be 64 to 1,048,576");
        Require(RefreshAtMostEvery > TimeSpan.Zero && RefreshEvery >= RefreshAtMostEvery && KeysLifetime >= RefreshEvery, nameof(RefreshEvery), "must lie between RefreshAtMostEvery and KeysLifetime");

        static void Require(bool holds, string option, string remedy)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"Bearer tokens: {option} {remedy}.");
            }
        }
    }
}
