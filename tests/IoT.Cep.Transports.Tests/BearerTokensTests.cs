using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

public sealed class BearerTokensTests : IDisposable
{
    private static readonly DateTimeOffset _now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly string[] _devices = ["s1", "s2"], _critical = ["b64"];
    private readonly FakeTimeProvider _time = new(_now);
    private readonly TokenIssuer _issuer = new("https://issuer.example", _now);
    private readonly string _file = Path.GetTempFileName();

    public BearerTokensTests() => File.WriteAllText(_file, _issuer.Jwks());

    public void Dispose()
    {
        File.Delete(_file);
        _issuer.Dispose();
    }

    [Fact]
    public async Task A_token_of_the_issuer_becomes_an_identity()
    {
        using var tokens = Open();
        var identity = await tokens.Validate(_issuer.Sign("line-7", c => (c["scope"], c["devices"]) = ("publish", _devices)));

        Assert.Equal(("line-7", AuthenticationMethod.Token, "publish"), (identity!.Name, identity.Method, identity.Claims["scope"]));
        Assert.True(identity.MaySpeakFor("s2") && identity.MaySpeakFor("line-7") && !identity.MaySpeakFor("s3"));
        Assert.Equal(_now.AddMinutes(5) + TimeSpan.FromSeconds(30), identity.Expires);
    }

    [Theory]
    [InlineData("iss", "https://other.example")]
    [InlineData("aud", "another")]
    [InlineData("sub", null)]
    [InlineData("sub", "")]
    [InlineData("sub", "a\nb")]
    [InlineData("exp", null)]
    [InlineData("exp", -31)]
    [InlineData("nbf", 31)]
    [Trait("Requirement", "R66")]
    public async Task A_token_with_a_wrong_claim_is_refused(string claim, object? value)
    {
        using var tokens = Open();
        Assert.NotNull(await tokens.Validate(_issuer.Sign("a")));
        Assert.Null(await tokens.Validate(_issuer.Sign("a", c => c[claim] = value is int seconds ? (_now.ToUnixTimeSeconds() + seconds) : value!)));
    }

    [Fact]
    public async Task A_clock_that_differs_a_little_is_borne()
    {
        using var tokens = Open();
        Assert.NotNull(await tokens.Validate(_issuer.Sign("a", c => (c["exp"], c["nbf"]) = (_now.ToUnixTimeSeconds() - 29, _now.ToUnixTimeSeconds() - 60))));
        Assert.NotNull(await tokens.Validate(_issuer.Sign("a", c => c["nbf"] = _now.ToUnixTimeSeconds() + 29)));
    }

    [Fact]
    public async Task A_remembered_token_ends_when_its_proof_ends()
    {
        using var tokens = Open();
        string token = _issuer.Sign("a", c => c["exp"] = _now.ToUnixTimeSeconds() + 1);
        Assert.Same(await tokens.Validate(token), await tokens.Validate(token));
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Null(await tokens.Validate(token));
    }

    [Fact]
    public async Task Tokens_without_a_signature_or_with_a_public_key_as_secret_are_refused()
    {
        using var tokens = Open();
        string good = _issuer.Sign("a");
        string body = good.Split('.')[1];
        Assert.Null(await tokens.Validate(TokenIssuer.Encode("""{"alg":"none","typ":"JWT"}""") + "." + body + "."));
        Assert.Null(await tokens.Validate(good[..(good.LastIndexOf('.') + 1)]));
        Assert.Null(await tokens.Validate(good[..^4] + (good.EndsWith("AAAA", StringComparison.Ordinal) ? "BBBB" : "AAAA")));

        // The public key, as an attacker has it, in the forms in which a careless library would take it for an HMAC's key.
        foreach (byte[] secret in new[] { _issuer.PublicPem(), Encoding.UTF8.GetBytes(_issuer.Jwks()), _issuer.PublicDer() })
        {
            string head = TokenIssuer.Encode($$"""{"alg":"HS256","typ":"JWT","kid":"{{_issuer.KeyId}}"}""");
            string signature = TokenIssuer.Encode(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(head + "." + body)));
            Assert.Null(await tokens.Validate($"{head}.{body}.{signature}"));
            using var lax = Open(o => o with { Algorithms = ["HS256", "ES256"] });
            Assert.Null(await lax.Validate($"{head}.{body}.{signature}"));
        }
    }

    [Fact]
    public async Task A_key_of_another_algorithm_and_a_critical_header_are_refused()
    {
        using var only = Open(o => o with { Algorithms = ["RS256"] });
        Assert.Null(await only.Validate(_issuer.Sign("a")));
        using var tokens = Open();
        Assert.Null(await tokens.Validate(_issuer.Sign("a", head: h => h["crit"] = _critical)));
        Assert.Null(await tokens.Validate(_issuer.Sign("a", head: h => h["kid"] = "unknown")));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b.c")]
    [InlineData("e30.e30.")]
    [InlineData("e30.e30.e30.e30.e30")]
    [InlineData("....")]
    public async Task Garbage_is_refused(string token)
    {
        using var tokens = Open();
        Assert.Null(await tokens.Validate(token));
        Assert.Null(await tokens.Validate(_issuer.Sign(new string('x', 20_000))));
    }

    [Fact]
    public async Task Hostile_bytes_of_a_token_are_refused_and_do_no_harm()
    {
        using var tokens = Open();
        string good = _issuer.Sign("a");
        var random = new Random(11);
        for (int i = 0; i < 2_000; i++)
        {
            char[] bad = good.ToCharArray();
            int last = bad.Length - 3;
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                int at = random.Next(last);
                bad[at] = bad[at] == '!' ? '?' : random.Next(3) == 0 ? '!' : (char)(bad[at] == 'z' ? 'a' : bad[at] + 1);
            }

            Assert.Null(await tokens.Validate(new string(bad)));
        }
    }

    [Fact]
    [Trait("Requirement", "R38")]
    [Trait("Requirement", "R66")]
    public async Task A_new_key_is_found_once_the_pause_is_over_and_an_old_one_ends()
    {
        var keys = new KeyServer(_issuer.Jwks());
        using var tokens = BearerTokens.FromJwks("https://issuer.example/keys", Options(_time) with { Handler = keys, RememberTokens = TimeSpan.Zero });
        Assert.NotNull(await tokens.Validate(_issuer.Sign("a")));

        using var next = new TokenIssuer("https://issuer.example", _now);
        keys.Answer = next.Jwks();
        for (int i = 0; i < 100; i++)
        {
            Assert.Null(await tokens.Validate(next.Sign("a")));
        }

        Assert.Equal(1, keys.Requests);
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.NotNull(await tokens.Validate(next.Sign("a")));
        Assert.Null(await tokens.Validate(_issuer.Sign("a")));
        Assert.Equal(2, keys.Requests);
    }

    [Fact]
    public async Task Keys_that_cannot_be_read_again_hold_for_a_bounded_time()
    {
        var keys = new KeyServer(_issuer.Jwks());
        using var tokens = BearerTokens.FromJwks("https://issuer.example/keys", Options(_time) with { Handler = keys, RememberTokens = TimeSpan.Zero });
        string token = _issuer.Sign("a", c => c["exp"] = _now.AddDays(9).ToUnixTimeSeconds());
        Assert.NotNull(await tokens.Validate(token));
        keys.Answer = "no JSON";
        _time.Advance(TimeSpan.FromHours(23));
        Assert.NotNull(await tokens.Validate(token));
        keys.Answer = null;
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Null(await tokens.Validate(token));
        keys.Answer = _issuer.Jwks();
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.NotNull(await tokens.Validate(token));
    }

    [Theory]
    [InlineData("http://issuer.example/keys")]
    [InlineData("ftp://127.0.0.1/keys")]
    public void An_address_that_others_could_answer_for_is_refused(string address) =>
        Assert.Throws<ArgumentException>(() => BearerTokens.FromJwks(address, Options(_time)));

    [Fact]
    public void Options_without_an_audience_are_refused() =>
        Assert.Contains("Audiences", Assert.Throws<InvalidOperationException>(() => Open(o => o with { Audiences = [] })).Message, StringComparison.Ordinal);

    internal static BearerTokenOptions Options(TimeProvider time) =>
        new() { Issuers = ["https://issuer.example"], Audiences = ["plant"], SpeaksForClaim = "devices", TimeProvider = time };

    private BearerTokens Open(Func<BearerTokenOptions, BearerTokenOptions>? with = null) =>
        BearerTokens.FromJwks(_file, with?.Invoke(Options(_time)) ?? Options(_time));

    private sealed class KeyServer(string answer) : HttpMessageHandler
    {
        internal string? Answer { get; set; } = answer;

        internal int Requests { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            return Task.FromResult(Answer is null ? new HttpResponseMessage(HttpStatusCode.BadGateway) : new HttpResponseMessage { Content = new StringContent(Answer) });
        }
    }
}

/// <summary>Makes tokens as an issuer does, by hand: what is tested must not be tested with itself.</summary>
internal sealed class TokenIssuer(string name, DateTimeOffset now) : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    internal string KeyId { get; } = Guid.NewGuid().ToString("N");

    internal string Jwks()
    {
        var q = _key.ExportParameters(includePrivateParameters: false).Q;
        return $$"""{"keys":[{"kty":"EC","crv":"P-256","use":"sig","kid":"{{KeyId}}","x":"{{Encode(q.X!)}}","y":"{{Encode(q.Y!)}}"}]}""";
    }

    internal byte[] PublicPem() => Encoding.ASCII.GetBytes(_key.ExportSubjectPublicKeyInfoPem());

    internal byte[] PublicDer() => _key.ExportSubjectPublicKeyInfo();

    internal string Sign(string subject, Action<Dictionary<string, object>>? claims = null, Action<Dictionary<string, object>>? head = null)
    {
        var heads = new Dictionary<string, object> { ["alg"] = "ES256", ["typ"] = "JWT", ["kid"] = KeyId };
        var body = new Dictionary<string, object> { ["iss"] = name, ["aud"] = "plant", ["sub"] = subject, ["exp"] = now.AddMinutes(5).ToUnixTimeSeconds() };
        head?.Invoke(heads);
        claims?.Invoke(body);
        foreach (string key in body.Where(b => b.Value is null).Select(b => b.Key).ToArray())
        {
            body.Remove(key);
        }

        string signed = Encode(JsonSerializer.Serialize(heads)) + "." + Encode(JsonSerializer.Serialize(body));
        return signed + "." + Encode(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    internal static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    internal static string Encode(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    public void Dispose() => _key.Dispose();
}
