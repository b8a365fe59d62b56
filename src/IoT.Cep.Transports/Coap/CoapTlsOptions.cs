namespace IoT.Cep;

/// <summary>Encryption of CoAP over TCP and WebSocket. TLS 1.2 or 1.3; the server's certificate is always checked.</summary>
public sealed class CoapTlsOptions
{
    /// <summary>A PEM file with the certificate authorities to trust, and no others; null trusts the operating system's.</summary>
    public string? CaFile { get; set; }

    /// <summary>A PEM file with this client's certificate; null: none is shown.</summary>
    public string? CertificateFile { get; set; }

    /// <summary>A PEM file with the private key of <see cref="CertificateFile"/>; null: it stands in the same file.</summary>
    public string? KeyFile { get; set; }

    /// <summary>The name that the server's certificate must carry; null: the URI's host.</summary>
    public string? TargetHost { get; set; }
}
