namespace IoT.Cep;

/// <summary>Gives CoAP its <c>coaps</c>.</summary>
public static class DtlsExtensions
{
    /// <summary>The port of <c>coaps</c> (RFC 7252, 6.2).</summary>
    private const int Port = 5684;

    /// <summary>Lets a client speak <c>coaps</c>: <c>cep.Coap(o =&gt; o.UseDtls(d =&gt; (d.PskIdentity, d.PreSharedKey) = ("plant-7", key)))</c>.</summary>
    /// <param name="options">The connection's options.</param>
    /// <param name="configure">Sets the key or certificates.</param>
    /// <returns>The same <paramref name="options"/>.</returns>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static CoapOptions UseDtls(this CoapOptions options, Action<DtlsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var dtls = Make(configure);
        options.SecureDatagrams = context => new DtlsDatagrams(context, dtls);
        return options;
    }

    /// <summary>
    /// Lets a listener speak <c>coaps</c>, at port 5684 where none is set: clients show a key that <see cref="ListenerSecurity.PreSharedKey"/> knows, or a certificate that
    /// <see cref="ListenerSecurity.Certificate"/> knows.
    /// </summary>
    /// <param name="options">The listener's options.</param>
    /// <param name="configure">Sets limits, and the certificate where it is not <see cref="CoapListenerOptions.Certificate"/>.</param>
    /// <returns>The same <paramref name="options"/>.</returns>
    /// <exception cref="InvalidOperationException">An option can't work; the message names it and the remedy.</exception>
    public static CoapListenerOptions UseDtls(this CoapListenerOptions options, Action<DtlsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var dtls = Make(configure);
        options.DtlsPort ??= Port;
        options.SecureDatagrams = context =>
        {
            dtls.Certificate ??= options.Certificate;
            return dtls.Certificate is not null || context.Security?.PreSharedKey is not null ? new DtlsDatagrams(context, dtls)
                : throw new InvalidOperationException("DTLS: there is nothing to secure it by: set Certificate, or ListenerSecurity.PreSharedKey.");
        };
        return options;
    }

    private static DtlsOptions Make(Action<DtlsOptions>? configure)
    {
        var dtls = new DtlsOptions();
        configure?.Invoke(dtls);
        dtls.Validate();
        return dtls;
    }
}
