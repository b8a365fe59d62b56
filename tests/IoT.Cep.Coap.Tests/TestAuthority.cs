using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep.CoapTests;

/// <summary>A certificate authority, a server's certificate for localhost and a client's.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("coap").FullName;

    internal TestAuthority()
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Test authority", rootKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var (from, to) = (TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(30));
        Root = request.CreateSelfSigned(from, to);
        RootFile = Path.Combine(_folder, "ca.pem");
        File.WriteAllText(RootFile, Root.ExportCertificatePem());
        (Server, ServerFile) = Issue("localhost", from, to);
        (Client, ClientFile) = Issue("device-1", from, to);
    }

    internal X509Certificate2 Root { get; }

    internal string RootFile { get; }

    internal X509Certificate2 Server { get; }

    internal string ServerFile { get; }

    internal X509Certificate2 Client { get; }

    internal string ClientFile { get; }

    public void Dispose()
    {
        Root.Dispose();
        Server.Dispose();
        Client.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private (X509Certificate2 Certificate, string File) Issue(string name, DateTimeOffset from, DateTimeOffset to)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(Root, from, to, RandomNumberGenerator.GetBytes(8));
        string file = Path.Combine(_folder, name + ".pem");
        File.WriteAllText(file, issued.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());

        // A key that has been written and read is one that every TLS implementation takes.
        using var joined = issued.CopyWithPrivateKey(key);
        return (X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pkcs12), null), file);
    }
}
