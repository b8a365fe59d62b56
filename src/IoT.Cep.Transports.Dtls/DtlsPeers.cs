using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using CertificateRequest = Org.BouncyCastle.Tls.CertificateRequest;
using HashAlgorithm = Org.BouncyCastle.Tls.HashAlgorithm;

namespace IoT.Cep;

/// <summary>The suites and versions of both sides.</summary>
internal static class DtlsSuites
{
    /// <summary>DTLS 1.2 and nothing older.</summary>
    internal static ProtocolVersion[] Versions => ProtocolVersion.DTLSv12.Only();

    /// <summary>Those with forward secrecy first; then the ones that RFC 7252, 9 demands and small devices have.</summary>
    internal static readonly int[] Psk =
    [
        CipherSuite.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
        CipherSuite.TLS_PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_PSK_WITH_AES_128_CCM,
        CipherSuite.TLS_PSK_WITH_AES_128_CCM_8,
    ];

    internal static readonly int[] Certificate =
    [
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    ];

    /// <summary>Signs with a certificate's key.</summary>
    /// <param name="context">The handshake.</param>
    /// <param name="crypto">The primitives.</param>
    /// <param name="certificate">The certificate.</param>
    /// <param name="accepted">What the other side accepts.</param>
    internal static TlsCredentialedSigner Signer(TlsContext context, BcTlsCrypto crypto, X509Certificate2 certificate, IList<SignatureAndHashAlgorithm>? accepted)
    {
        bool isEcdsa = certificate.GetECDsaPrivateKey() is not null;
        var key = PrivateKey(certificate);
        var chain = new Certificate([new BcTlsCertificate(crypto, certificate.RawData)]);
        short wanted = isEcdsa ? SignatureAlgorithm.ecdsa : SignatureAlgorithm.rsa;
        var algorithm = accepted?.FirstOrDefault(a => a.Signature == wanted && a.Hash == HashAlgorithm.sha256)
            ?? accepted?.FirstOrDefault(a => a.Signature == wanted && a.Hash >= HashAlgorithm.sha256)
            ?? throw new TlsFatalAlert(AlertDescription.handshake_failure);
        return new BcDefaultTlsCredentialedSigner(new TlsCryptoParameters(context), crypto, key, chain, algorithm);
    }

    private static AsymmetricKeyParameter PrivateKey(X509Certificate2 certificate)
    {
        using AsymmetricAlgorithm? key = (AsymmetricAlgorithm?)certificate.GetECDsaPrivateKey() ?? certificate.GetRSAPrivateKey();
        return PrivateKeyFactory.CreateKey((key ?? throw new InvalidOperationException("DTLS: the certificate's key is neither ECDSA nor RSA.")).ExportPkcs8PrivateKey());
    }
}

/// <summary>A server's side of a handshake.</summary>
internal sealed class DtlsServerPeer(BcTlsCrypto crypto, DtlsOptions options, ListenerSecurity security, System.Net.IPAddress remote) : AbstractTlsServer(crypto), TlsPskIdentityManager
{
    private readonly BcTlsCrypto _crypto = crypto;

    /// <summary>Who the client proved to be; null: nobody in particular.</summary>
    internal Identity? Identity { get; private set; }

    /// <summary>Its stay, when the handshake is done.</summary>
    internal Admission? Admission { get; private set; }

    /// <summary>RFC 6347, 4.1.2.7: a forged record is dropped, and does not end the session of whoever it pretends to be from.</summary>
    public override bool IgnoreCorruptDtlsRecords => true;

    public override int GetHandshakeTimeoutMillis() => (int)options.HandshakeTimeout.TotalMilliseconds;

    protected override ProtocolVersion[] GetSupportedVersions() => DtlsSuites.Versions;

    protected override int[] GetSupportedCipherSuites() => TlsUtilities.GetSupportedCipherSuites(Crypto,
    [
        .. options.Certificate is null ? [] : DtlsSuites.Certificate,
        .. security.PreSharedKey is null ? [] : DtlsSuites.Psk,
    ]);

    public override TlsPskIdentityManager GetPskIdentityManager() => this;

    public override void NotifyHandshakeComplete()
    {
        base.NotifyHandshakeComplete();

        // On a thread for handshakes, which may wait, but not for long.
        var credentials = new ClientCredentials(remote, IsEncrypted: true) { Proven = Identity };
        var admission = security.AdmitAsync(credentials).AsTask();
        if (!admission.Wait(options.HandshakeTimeout))
        {
            _ = admission.ContinueWith(static late => late.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw new TlsFatalAlert(AlertDescription.internal_error);
        }

        Admission = admission.Result;
        if (Identity is null && Admission.Refusal == AdmissionRefusal.NotAuthenticated && security.Token is not null)
        {
            // Who it is comes by its first request, to authz-info; until then it may do nothing.
            Admission.Dispose();
            Admission = null;
            return;
        }

        if (!Admission.IsAdmitted)
        {
            throw new TlsFatalAlert(AlertDescription.access_denied);
        }
    }

    public byte[]? GetHint() => null;

    public byte[]? GetPsk(byte[] identity)
    {
        string name = Encoding.UTF8.GetString(identity);
        byte[]? key = name.Length == 0 ? null : security.PreSharedKey?.Invoke(name);
        Identity = key is null ? null : new Identity(name, AuthenticationMethod.PreSharedKey);

        // BouncyCastle overwrites what it is given when it has the session's keys.
        return (byte[]?)key?.Clone();
    }

    public override TlsCredentials? GetCredentials() => m_context.SecurityParameters.KeyExchangeAlgorithm switch
    {
        KeyExchangeAlgorithm.PSK or KeyExchangeAlgorithm.ECDHE_PSK => null,
        _ => DtlsSuites.Signer(m_context, _crypto, options.Certificate!, m_context.SecurityParameters.ClientSigAlgs),
    };

    protected override bool SelectCipherSuite(int cipherSuite)
    {
        // A suite whose signature the certificate's key can't make is none to choose.
        bool isEcdsa = options.Certificate?.PublicKey.GetECDsaPublicKey() is not null;
        return TlsUtilities.GetKeyExchangeAlgorithm(cipherSuite) switch
        {
            KeyExchangeAlgorithm.ECDHE_ECDSA => isEcdsa,
            KeyExchangeAlgorithm.ECDHE_RSA => !isEcdsa,
            _ => true,
        } && base.SelectCipherSuite(cipherSuite);
    }

    public override CertificateRequest? GetCertificateRequest() => security.Certificate is null ? null
        : new CertificateRequest([ClientCertificateType.ecdsa_sign, ClientCertificateType.rsa_sign], TlsUtilities.GetDefaultSupportedSignatureAlgorithms(m_context), null);

    public override void NotifyClientCertificate(Certificate clientCertificate)
    {
        if (clientCertificate is null || clientCertificate.IsEmpty)
        {
            // Whether nobody in particular may be here is asked at the end.
            return;
        }

        using var certificate = X509CertificateLoader.LoadCertificate(clientCertificate.GetCertificateAt(0).GetEncoded());
        var known = security.Certificate?.Invoke(certificate) ?? default;

        // On a thread for handshakes, which may wait.
        Identity = known.AsTask().GetAwaiter().GetResult() ?? throw new TlsFatalAlert(AlertDescription.bad_certificate);
    }
}

/// <summary>A client's side of a handshake.</summary>
internal sealed class DtlsClientPeer(BcTlsCrypto crypto, DtlsOptions options, string host) : AbstractTlsClient(crypto), TlsAuthentication
{
    private readonly BcTlsCrypto _crypto = crypto;

    public override bool IgnoreCorruptDtlsRecords => true;

    public override int GetHandshakeTimeoutMillis() => (int)options.HandshakeTimeout.TotalMilliseconds;

    protected override ProtocolVersion[] GetSupportedVersions() => DtlsSuites.Versions;

    protected override int[] GetSupportedCipherSuites() =>
        TlsUtilities.GetSupportedCipherSuites(Crypto, options.PreSharedKey is null ? DtlsSuites.Certificate : DtlsSuites.Psk);

    protected override IList<ServerName>? GetSniServerNames() =>
        System.Net.IPAddress.TryParse(host, out _) ? null : [new ServerName(NameType.host_name, Encoding.ASCII.GetBytes(host))];

    public override TlsPskIdentity? GetPskIdentity() =>
        options.PreSharedKey is null ? null : new BasicTlsPskIdentity(Encoding.UTF8.GetBytes(options.PskIdentity!), options.PreSharedKey);

    public override TlsAuthentication GetAuthentication() => this;

    public TlsCredentials? GetClientCredentials(CertificateRequest certificateRequest) =>
        options.Certificate is null ? null : DtlsSuites.Signer(m_context, _crypto, options.Certificate, certificateRequest.SupportedSignatureAlgorithms);

    public void NotifyServerCertificate(TlsServerCertificate serverCertificate)
    {
        var sent = serverCertificate.Certificate;
        if (sent is null || sent.IsEmpty)
        {
            throw new TlsFatalAlert(AlertDescription.bad_certificate);
        }

        using var certificate = X509CertificateLoader.LoadCertificate(sent.GetCertificateAt(0).GetEncoded());
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        for (int i = 1; i < sent.Length; i++)
        {
            chain.ChainPolicy.ExtraStore.Add(X509CertificateLoader.LoadCertificate(sent.GetCertificateAt(i).GetEncoded()));
        }

        if (options.CaFile is not null)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(options.CaFile);
        }

        if (!chain.Build(certificate) || !certificate.MatchesHostname(options.TargetHost ?? host))
        {
            throw new TlsFatalAlert(AlertDescription.bad_certificate);
        }
    }
}
