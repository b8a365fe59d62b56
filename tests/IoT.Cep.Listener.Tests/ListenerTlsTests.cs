using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep.Listener.Tests;

/// <summary>The listener with <c>--tls</c>, and devices that check its certificate.</summary>
public sealed class ListenerTlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("listener-tls");

    public ListenerTlsTests()
    {
        var from = TimeProvider.System.GetUtcNow().AddDays(-1);
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=Test authority", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var root = rootRequest.CreateSelfSigned(from, from.AddDays(30));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(root, from, from.AddDays(20), RandomNumberGenerator.GetBytes(8));
        using var whole = issued.CopyWithPrivateKey(key);
        File.WriteAllText(CaFile, root.ExportCertificatePem());
        File.WriteAllText(Pem, issued.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        File.WriteAllBytes(Pfx, whole.Export(X509ContentType.Pkcs12));
    }

    private string CaFile => Path.Combine(_folder.FullName, "ca.pem");

    private string Pem => Path.Combine(_folder.FullName, "server.pem");

    private string Pfx => Path.Combine(_folder.FullName, "server.pfx");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("mqtt", false)]
    [InlineData("mqtt", true)]
    [InlineData("mqtt-ingest", false)]
    public async Task Mosquitto_publishes_over_tls(string transport, bool asPfx)
    {
        if (IsMissing("mosquitto_pub"))
        {
            return;
        }

        await using var run = Run.Start("--" + transport, "0", "--tls", asPfx ? Pfx : Pem);
        string port = await run.PortAsync(transport);
        await SendAsync("mosquitto_pub", "--cafile", CaFile, "-h", "localhost", "-p", port, "-V", "5", "-q", "1", "-t", "plant/1", "-f", "FILE");
        await ExpectAsync(run, transport, "plant/1");
        Assert.NotEqual(0, await ExitAsync("mosquitto_pub", "-h", "localhost", "-p", port, "-q", "1", "-t", "plant/1", "-m", "without"));
    }

    [Fact]
    public async Task Mosquitto_shows_its_token_over_tls()
    {
        if (IsMissing("mosquitto_pub"))
        {
            return;
        }

        await using var run = Run.Start("--mqtt", "0", "--tls", Pem, "--token", "correct horse");
        string port = await run.PortAsync("mqtt");
        Assert.NotEqual(0, await ExitAsync("mosquitto_pub", "--cafile", CaFile, "-h", "localhost", "-p", port, "-u", "x", "-P", "wrong horse", "-q", "1", "-t", "plant/1", "-m", "1"));
        await SendAsync("mosquitto_pub", "--cafile", CaFile, "-h", "localhost", "-p", port, "-u", "x", "-P", "correct horse", "-q", "1", "-t", "plant/1", "-f", "FILE");
        await ExpectAsync(run, "mqtt", "plant/1");
    }

    [Fact]
    public async Task Curl_posts_over_tls_and_trusts_no_other_authority()
    {
        if (IsMissing("curl"))
        {
            return;
        }

        await using var run = Run.Start("--http", "0", "--tls", Pem);
        string port = await run.PortAsync("http");
        Assert.NotEqual(0, await ExitAsync("curl", "-sf", "-d", "1", $"https://localhost:{port}/plant/1"));
        await SendAsync("curl", "-sf", "--cacert", CaFile, "-H", "Content-Type: application/json", "--data-binary", "@FILE", $"https://localhost:{port}/plant/1");
        await ExpectAsync(run, "http", "plant/1");
    }

    [Theory]
    [InlineData("coaps")]
    [InlineData("coaps+tcp")]
    public async Task Libcoap_posts_over_dtls_and_tls(string scheme)
    {
        if (IsMissing("coap-client-openssl"))
        {
            return;
        }

        await using var run = Run.Start("--coap", "0", "--tls", Pem);
        string port = await run.PortAsync("coap");
        await SendAsync("coap-client-openssl", "-B", "20", "-C", CaFile, "-m", "post", "-t", "50", "-f", "FILE", $"{scheme}://localhost:{port}/plant/1");
        await ExpectAsync(run, "coap", "plant/1");
    }

    [Fact]
    public async Task Openssl_sends_lines_over_tls()
    {
        if (IsMissing("openssl"))
        {
            return;
        }

        await using var run = Run.Start("--tcp", "0", "--tls", Pem);
        string port = await run.PortAsync("tcp");
        using var process = Process.Start(new ProcessStartInfo(
            Device.Find("openssl")!, ["s_client", "-connect", $"localhost:{port}", "-CAfile", CaFile, "-verify_return_error", "-quiet"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await process.StandardInput.WriteAsync("""{"sensor":"s1","temperature":21.5}""" + "\n");
        await process.StandardInput.FlushAsync();
        await ExpectAsync(run, "tcp", null);
        process.Kill();
        await process.WaitForExitAsync().WaitAsync(Run.Patience);
    }

    private static async Task ExpectAsync(Run run, string transport, string? resource)
    {
        var line = await run.NextAsync();
        Assert.Equal((transport, "s1", 21.5), (line.GetProperty("transport").GetString(), line.GetProperty("sensor").GetString(), line.GetProperty("value").GetDouble()));
        if (resource is not null)
        {
            Assert.Equal(resource, line.GetProperty("resource").GetString());
        }
    }

    private static Task SendAsync(string program, params string[] args) => Device.SendAsync(Device.Find(program)!, """{"sensor":"s1","temperature":21.5}"""u8.ToArray(), args);

    private static async Task<int> ExitAsync(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(Device.Find(program)!, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        await process.WaitForExitAsync().WaitAsync(Run.Patience);
        return process.ExitCode;
    }

    // xunit 2 has no skipping in the middle of a test: CI installs the programs, and fails without them.
    private static bool IsMissing(string program)
    {
        bool isMissing = Device.Find(program) is null;
        Assert.False(isMissing && Environment.GetEnvironmentVariable("CI") == "true", string.Create(CultureInfo.InvariantCulture, $"{program} is not installed."));
        return isMissing;
    }
}
