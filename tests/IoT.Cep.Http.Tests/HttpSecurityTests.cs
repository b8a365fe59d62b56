using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace IoT.Cep;

public sealed class HttpSecurityTests
{
    private const string One = """{"sensor":"a","v":1}""";

    private static ListenerSecurity Tokens => new()
    {
        Token = token => new ValueTask<Identity?>(token.StartsWith("t-", StringComparison.Ordinal) ? new Identity(token[2..], AuthenticationMethod.Token) : null),
        Authorize = (identity, action, resource) => new ValueTask<bool>(action == AccessAction.Publish && !resource.EndsWith("secret", StringComparison.Ordinal)),
        DevicePlace = "sensor",
    };

    [Theory]
    [InlineData("t-dev7", "dev7", HttpStatusCode.NoContent)]
    [InlineData("t-dev7", "dev8", HttpStatusCode.Forbidden)]
    [InlineData("t-secret", "secret", HttpStatusCode.Forbidden)]
    [InlineData("wrong", "dev7", HttpStatusCode.Unauthorized)]
    [InlineData(null, "dev7", HttpStatusCode.Unauthorized)]
    [Trait("Requirement", "R66")]
    public async Task A_device_sends_its_own_data_with_its_own_token(string? token, string device, HttpStatusCode expected)
    {
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = Tokens);
        (string, string)[] headers = token is null ? [] : [("Authorization", "Bearer " + token)];

        // Twice: what is remembered of a connection must say the same.
        Assert.Equal(expected, await endpoint.PostAsync("/t/" + device, One, headers: headers).StatusAsync());
        Assert.Equal(expected, await endpoint.PostAsync("/t/" + device, One, headers: headers).StatusAsync());
        Assert.Equal(expected == HttpStatusCode.NoContent ? 0 : 2, endpoint.Server.Statistics.Refused);
        if (expected == HttpStatusCode.NoContent)
        {
            Assert.Equal(device, (await endpoint.Collector.NextAsync()).Sender);
        }
    }

    [Fact]
    public async Task A_connection_that_changes_its_credential_is_asked_again()
    {
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = Tokens);

        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/dev7", One, headers: ("Authorization", "Bearer t-dev7")).StatusAsync());
        Assert.Equal(HttpStatusCode.Forbidden, await endpoint.PostAsync("/t/dev7", One, headers: ("Authorization", "Bearer t-dev8")).StatusAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, await endpoint.PostAsync("/t/dev7", One).StatusAsync());
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Host", "evil.example")]
    [InlineData("X-Forwarded-For", "203.0.113.7")]
    public async Task What_a_page_or_a_proxy_brings_from_elsewhere_is_not_of_this_machine(string header, string value)
    {
        await using var endpoint = await Endpoint.StartAsync();

        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", One).StatusAsync());
        Assert.Equal(HttpStatusCode.Forbidden, await endpoint.PostAsync("/t/a", One, headers: (header, value)).StatusAsync());
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_may_call_and_gets_no_header_that_opens_the_answer_to_others()
    {
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.AllowedOrigins.Add("https://plant.example"));

        using var answer = await endpoint.PostAsync("/t/a", One, headers: ("Origin", "https://plant.example"));

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.DoesNotContain(answer.Headers, h => h.Key.StartsWith("Access-Control", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task An_address_that_others_reach_is_refused_before_it_is_opened()
    {
        using var server = new HttpServer();

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => server.ListenAsync(o => o.Address = IPAddress.Any));

        Assert.Contains("nothing proves who connects", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_and_a_certificate_are_taken_over_tls()
    {
        using var certificate = Certificate("localhost");
        using var device = Certificate("dev7");
        var security = new ListenerSecurity
        {
            Password = (user, password) => new ValueTask<Identity?>(password == "right: one" ? new Identity(user, AuthenticationMethod.Password) : null),
            Certificate = shown => new ValueTask<Identity?>(
                shown.Thumbprint == device.Thumbprint ? new Identity("dev7", AuthenticationMethod.Certificate) : null),
            Authorize = (_, _, _) => new ValueTask<bool>(true),
        };
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = security, listen: o => o.Certificate = certificate);

        Assert.Equal(HttpStatusCode.NoContent, await SendAsync(null, "dev8:right: one"));
        Assert.Equal("dev8", (await endpoint.Collector.NextAsync()).Sender);
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(null, "dev8:wrong"));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(certificate, null));
        Assert.Equal(HttpStatusCode.NoContent, await SendAsync(device, null));
        Assert.Equal("dev7", (await endpoint.Collector.NextAsync()).Sender);

        async Task<HttpStatusCode> SendAsync(X509Certificate2? shown, string? password)
        {
            using var handler = new SocketsHttpHandler();
            handler.SslOptions.RemoteCertificateValidationCallback = (_, got, _, _) => got?.GetCertHashString() == certificate.Thumbprint;
            if (shown is not null)
            {
                handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(shown, null);
            }

            using var client = new HttpClient(handler) { BaseAddress = endpoint.Address };
            (string, string)[] headers = password is null ? [] : [("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(password)))];
            return await client.PostTextAsync("/t/a", One, "application/json", headers).StatusAsync();
        }
    }

    private static X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var from = new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using var made = request.CreateSelfSigned(from, from.AddYears(30));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
