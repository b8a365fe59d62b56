using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>A certificate authority made for one test, and what it signed, as PEM files.</summary>
internal sealed class TestAuthority : IDisposable
{
    private static readonly DateTimeOffset _from = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), _until = new(2090, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mqtt-tls");
    private readonly X509Certificate2 _authority;

    internal TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        _authority = request.CreateSelfSigned(_from, _until);
        File.WriteAllText(CaFile, _authority.ExportCertificatePem());
    }

    internal string CaFile => Path.Combine(_folder.FullName, "ca.pem");

    internal (string Certificate, string Key) Sign(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(_authority, _from, _until.AddYears(-1), Guid.NewGuid().ToByteArray());
        var files = (Path.Combine(_folder.FullName, name + ".pem"), Path.Combine(_folder.FullName, name + ".key"));
        File.WriteAllText(files.Item1, certificate.ExportCertificatePem());
        File.WriteAllText(files.Item2, key.ExportPkcs8PrivateKeyPem());
        return files;
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }
}

public sealed class MqttTlsTests
{
    [MosquittoFact]
    public async Task Password_and_client_certificate_reach_mosquitto_over_tls()
    {
        using var authority = new TestAuthority();
        var server = authority.Sign("localhost");
        var client = authority.Sign("client");
        await using var broker = await Mosquitto.StartAsync($"""
            cafile {authority.CaFile}
            certfile {server.Certificate}
            keyfile {server.Key}
            require_certificate true
            allow_anonymous true
            """);
        var connections = RunningTransport.To(broker.Port, o =>
        {
            (o.UserName, o.Password) = ("unit", "secret");
            o.Tls = new MqttTlsOptions { CaFile = authority.CaFile, CertificateFile = client.Certificate, KeyFile = client.Key };
        });
        await using var source = await RunningTransport.StartAsync(new Collector(), connections, "a");
        await using var sink = await Publisher.OpenAsync(connections);
        await sink.SendAsync([.. Enumerable.Range(0, 300).Select(i => ("a", $"{i}"))]);

        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"{i}"), (await source.Collector.TakeAsync(300)).Select(r => r.Text));
    }

    [Fact]
    public async Task A_certificate_from_another_authority_is_refused()
    {
        using var mine = new TestAuthority();
        using var other = new TestAuthority();
        var files = other.Sign("localhost");
        using var pem = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
        using var certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        await using var broker = await EmbeddedBroker.StartAsync(o => o.Certificate = certificate);

        await using var trusting = await Publisher.OpenAsync(RunningTransport.To(broker.Port, o => o.Tls = new MqttTlsOptions { CaFile = other.CaFile }));
        await trusting.SendAsync(("a", "1"));
        var refused = await Assert.ThrowsAnyAsync<Exception>(
            () => Publisher.OpenAsync(RunningTransport.To(broker.Port, o => o.Tls = new MqttTlsOptions { CaFile = mine.CaFile })));
        Assert.True(MqttFailure.IsTransient(refused));
    }
}
