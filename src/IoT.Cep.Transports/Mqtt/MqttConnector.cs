using System.Security.Cryptography.X509Certificates;
using System.Text;
using IoT.Cep.Extensibility;
using MQTTnet;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;

namespace IoT.Cep;

/// <summary>Makes MQTTnet clients from <see cref="MqttOptions"/>, with sockets that read ahead.</summary>
/// <param name="options">The connection's options.</param>
/// <param name="session">Where received messages go; null: a client that only publishes.</param>
internal sealed class MqttConnector(MqttOptions options, InboundSession? session = null) : IMqttClientAdapterFactory
{
    /// <summary>The largest header of a PUBLISH beside its payload: fixed header, topic of 65,535 bytes, packet id, a few properties.</summary>
    private const int MaxHeaderBytes = 70_000;

    // MQTTnet's 8 KiB of socket buffer are less than one packet of the loopback interface (64 KiB): a broker that has filled
    // such a window goes on by a timer of 200 ms, 40 messages at a time. Four packets keep it going; more would only hold messages back.
    private const int SocketBufferBytes = 1 << 18;

    /// <summary>The adapter of the latest connection.</summary>
    internal ReceivingAdapter? Adapter { get; private set; }

    /// <summary>What the broker said when it accepted the latest connection; null before.</summary>
    internal MqttClientConnectResult? Accepted { get; private set; }

    public IMqttChannelAdapter CreateClientAdapter(MqttClientOptions clientOptions, MqttPacketInspector packetInspector, IMqttNetLogger logger)
    {
        ArgumentNullException.ThrowIfNull(clientOptions);
        var channel = new BufferedChannel(new MqttTcpChannel(clientOptions));
        var writer = new MqttBufferWriter(clientOptions.WriterBufferSize, clientOptions.WriterBufferSizeMax);
        var inner = new MqttChannelAdapter(channel, new MqttPacketFormatterAdapter(clientOptions.ProtocolVersion, writer), logger)
        {
            // One write for each packet, not one for its header and one for its payload; some brokers insist on it as well.
            AllowPacketFragmentation = false,
        };
        return session is null ? inner : Adapter = new ReceivingAdapter(inner, channel, session);
    }

    /// <summary>Connects a client, or throws what <see cref="MqttFailure.IsTransient"/> knows.</summary>
    /// <param name="clientId">The client's name for the broker.</param>
    /// <param name="cleanStart">Whether the broker begins a new session.</param>
    /// <param name="timeProvider">The clock of the time limit.</param>
    /// <param name="stop">Gives up.</param>
    internal async Task<IMqttClient> ConnectAsync(string clientId, bool cleanStart, TimeProvider timeProvider, CancellationToken stop)
    {
        var client = new MqttClient(this, MqttNetNullLogger.Instance);
        try
        {
            using var limit = new CancellationTokenSource(options.ConnectTimeout, timeProvider);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            var result = await client.ConnectAsync(ToClientOptions(clientId, cleanStart), either.Token).ConfigureAwait(false);
            if (result.ResultCode != MqttClientConnectResultCode.Success)
            {
                string reason = string.IsNullOrEmpty(result.ReasonString) ? "" : $" ({SafeText.Escape(result.ReasonString)})";
                throw new MqttRefusedException($"The broker refused the connection: {result.ResultCode}{reason}.");
            }

            Accepted = result;

            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private MqttClientOptions ToClientOptions(string clientId, bool cleanStart)
    {
        bool v5 = options.ProtocolVersion == MqttProtocol.V5;
        var clientOptions = new MqttClientOptions
        {
            ClientId = clientId,
            ProtocolVersion = options.ProtocolVersion switch
            {
                MqttProtocol.V5 => MqttProtocolVersion.V500,
                MqttProtocol.V31 => MqttProtocolVersion.V310,
                _ => MqttProtocolVersion.V311,
            },
            TopicAliasMaximum = v5 && session is not null ? (ushort)options.TopicAliasMaximum : (ushort)0,
            CleanSession = cleanStart,
            SessionExpiryInterval = v5 && session is not null && !options.IsCleanSession ? (uint)options.SessionExpiry.TotalSeconds : 0,
            KeepAlivePeriod = options.KeepAlive,
            ReceiveMaximum = v5 && session is not null ? (ushort)options.ReceiveMaximum : (ushort)0,
            MaximumPacketSize = v5 ? (uint)options.MaxPayloadBytes + MaxHeaderBytes : 0,
            Credentials = options.UserName is null ? null
                : new MqttClientCredentials(options.UserName, options.Password is null ? null : Encoding.UTF8.GetBytes(options.Password)),
            ChannelOptions = new MqttClientTcpOptions
            {
                // MQTTnet's default closes with a reset, and that discards what the broker has not read yet: QoS 0 messages, acknowledgements.
                LingerState = new System.Net.Sockets.LingerOption(enable: false, 0),
                BufferSize = SocketBufferBytes,
                RemoteEndpoint = new System.Net.DnsEndPoint(options.Host, options.EffectivePort),
                TlsOptions = options.Tls is { } tls ? ToTls(tls) : new MqttClientTlsOptions(),
            },
        };
        if (options.Will is { } will)
        {
            clientOptions.WillTopic = will.Topic;
            clientOptions.WillPayload = will.Payload.ToArray();
            clientOptions.WillQualityOfServiceLevel = (MQTTnet.Protocol.MqttQualityOfServiceLevel)will.QualityOfService;
            clientOptions.WillRetain = will.Retained;
            clientOptions.WillDelayInterval = v5 ? (uint)will.Delay.TotalSeconds : 0;
            clientOptions.WillContentType = v5 ? will.ContentType : null;
        }

        return clientOptions;
    }

    private MqttClientTlsOptions ToTls(MqttTlsOptions tls)
    {
        var trusted = new X509Certificate2Collection();
        if (tls.CaFile is not null)
        {
            trusted.ImportFromPemFile(tls.CaFile);
            if (trusted.Count == 0)
            {
                throw new InvalidOperationException($"Tls.CaFile holds no certificate in PEM form: {tls.CaFile}.");
            }
        }

        return new MqttClientTlsOptions
        {
            UseTls = true,
            TargetHost = tls.TargetHost ?? options.Host,
            TrustChain = trusted,
            // As .NET's own default: most brokers' authorities publish no revocation list.
            RevocationMode = X509RevocationMode.NoCheck,
            IgnoreCertificateRevocationErrors = true,
            ClientCertificatesProvider = tls.CertificateFile is null ? null
                : new DefaultMqttCertificatesProvider([X509Certificate2.CreateFromPemFile(tls.CertificateFile, tls.KeyFile)]),
        };
    }
}
