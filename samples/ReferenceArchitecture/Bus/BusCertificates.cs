using System.Security.Cryptography.X509Certificates;

using IoT.Cep;

namespace IoT.Reference.Bus;

/// <summary>The bus is a client of its own broker: over TLS it trusts the one certificate it listens with.</summary>
internal static class BusCertificates
{
    public static MqttTlsOptions Trust(X509Certificate2 certificate, string dataFolder)
    {
        string file = Path.Combine(dataFolder, "bus-certificate.pem");
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return new MqttTlsOptions { CaFile = file, TargetHost = certificate.GetNameInfo(X509NameType.DnsName, false) };
    }
}
