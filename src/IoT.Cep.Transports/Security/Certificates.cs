using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>Which part of a client's certificate is its name.</summary>
public enum CertificateName
{
    /// <summary>The subject's only common name (CN).</summary>
    CommonName,

    /// <summary>The first DNS name among the subject's alternative names (SAN).</summary>
    DnsName,
}

/// <summary>
/// Knows clients by certificates of given authorities: <c>new ListenerSecurity { Certificate = Certificates.FromPemFile("ca.pem").Validate }</c>. The chain must end at one of these and no other,
/// be valid now, and be for clients where the certificate says what it is for.
/// </summary>
/// <remarks>Thread-safe. Takes no certificate from the network, so intermediate ones stand beside the roots. Revocation lists are looked at where asked for; the connection ends when the certificate does.</remarks>
public sealed class Certificates
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2", CommonName = "2.5.4.3";

    private readonly X509Certificate2Collection _roots = [];
    private readonly X509Certificate2Collection _intermediates = [];
    private readonly CertificateName _nameFrom;
    private readonly X509RevocationMode _revocation;
    private readonly TimeProvider _time;

    private Certificates(X509Certificate2Collection authorities, CertificateName nameFrom, X509RevocationMode revocation, TimeProvider time)
    {
        (_nameFrom, _revocation, _time) = (nameFrom, revocation, time);
        foreach (var authority in authorities)
        {
            bool isRoot = authority.SubjectName.RawData.AsSpan().SequenceEqual(authority.IssuerName.RawData);
            (isRoot ? _roots : _intermediates).Add(authority);
        }

        if (_roots.Count == 0)
        {
            throw new ArgumentException("Among the authorities is no root, which signs itself: without one no chain can end.", nameof(authorities));
        }
    }

    /// <summary>Trusts these authorities.</summary>
    /// <param name="authorities">Roots, at least one, and intermediate ones.</param>
    /// <param name="nameFrom">Which part is the client's name.</param>
    /// <param name="revocation">Whether revocation lists are looked at. Default: no; most private authorities publish none.</param>
    /// <param name="timeProvider">The clock; null: the system's.</param>
    /// <exception cref="ArgumentException">There is no root among them.</exception>
    public static Certificates FromAuthorities(
        X509Certificate2Collection authorities,
        CertificateName nameFrom = CertificateName.CommonName,
        X509RevocationMode revocation = X509RevocationMode.NoCheck,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(authorities);
        return new Certificates(authorities, nameFrom, revocation, timeProvider ?? TimeProvider.System);
    }

    /// <summary>Trusts the authorities in a file.</summary>
    /// <param name="path">A PEM file with at least one root.</param>
    /// <param name="nameFrom">Which part is the client's name.</param>
    /// <param name="revocation">Whether revocation lists are looked at. Default: no; most private authorities publish none.</param>
    /// <param name="timeProvider">The clock; null: the system's.</param>
    /// <exception cref="ArgumentException">There is no root in it.</exception>
    public static Certificates FromPemFile(
        string path,
        CertificateName nameFrom = CertificateName.CommonName,
        X509RevocationMode revocation = X509RevocationMode.NoCheck,
        TimeProvider? timeProvider = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(path);
        return FromAuthorities(authorities, nameFrom, revocation, timeProvider);
    }

    /// <summary>Knows a client by its certificate; for <see cref="ListenerSecurity.Certificate"/>.</summary>
    /// <param name="certificate">The certificate, whose private key the TLS handshake has proved.</param>
    /// <returns>Null where it is not valid, or has no name, or two.</returns>
    public ValueTask<Identity?> Validate(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_roots);
        chain.ChainPolicy.ExtraStore.AddRange(_intermediates);
        chain.ChainPolicy.RevocationMode = _revocation;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().LocalDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new System.Security.Cryptography.Oid(ClientAuthentication));
        string? name = chain.Build(certificate) ? NameOf(certificate) : null;
        foreach (var element in chain.ChainElements)
        {
            element.Certificate.Dispose();
        }

        return new ValueTask<Identity?>(
            name is null ? null : new Identity(name, AuthenticationMethod.Certificate, expires: new DateTimeOffset(certificate.NotAfter.ToUniversalTime())));
    }

    private string? NameOf(X509Certificate2 certificate)
    {
        string? name = _nameFrom == CertificateName.DnsName ? DnsNameOf(certificate) : CommonNameOf(certificate);
        return string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl) ? null : name;
    }

    private static string? DnsNameOf(X509Certificate2 certificate)
    {
        foreach (var extension in certificate.Extensions)
        {
            if (extension is X509SubjectAlternativeNameExtension names)
            {
                return names.EnumerateDnsNames().FirstOrDefault();
            }
        }

        return null;
    }

    private static string? CommonNameOf(X509Certificate2 certificate)
    {
        string? found = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (!part.HasMultipleElements && part.GetSingleElementType().Value == CommonName)
            {
                if (found is not null)
                {
                    // Which of two is meant, an attacker would choose.
                    return null;
                }

                found = part.GetSingleElementValue();
            }
        }

        return found;
    }
}
