using System.Net.Security;

namespace IoT.Cep;

/// <summary>How a TCP client connects.</summary>
public sealed record TcpConnectOptions
{
    /// <summary>The messages' topic. Default: <c>tcp</c>.</summary>
    public string Topic { get; init; } = "tcp";

    /// <summary>The longest line or frame, in bytes. Default: 1 MiB. A longer one is a dead letter; behind a frame the client connects anew.</summary>
    public int MaxMessageBytes { get; init; } = 1 << 20;

    /// <summary>How long connecting may take, TLS included. Default: 10 seconds.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The first pause before connecting again, of which half is random; doubled while no message comes. Default: half a second.</summary>
    public TimeSpan ReconnectMin { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause. Default: 30 seconds.</summary>
    public TimeSpan ReconnectMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How to speak TLS; an empty <c>TargetHost</c> is the host. Null, the default: plain TCP.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    internal static TcpConnectOptions Check(TcpConnectOptions? options, string host, int port)
    {
        options ??= new TcpConnectOptions();
        ArgumentException.ThrowIfNullOrEmpty(host);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, 65_535);
        ArgumentException.ThrowIfNullOrEmpty(options.Topic, nameof(Topic));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxMessageBytes, 1, nameof(MaxMessageBytes));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.ConnectTimeout, TimeSpan.Zero, nameof(ConnectTimeout));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.ReconnectMin, TimeSpan.Zero, nameof(ReconnectMin));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ReconnectMax, options.ReconnectMin, nameof(ReconnectMax));
        return options;
    }
}
