using System.Net;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What carries CoAP.</summary>
internal enum CoapScheme
{
    Udp,
    Dtls,
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

/// <summary>Where a resource is: <c>coap://host:port/path?query</c> and the like (RFC 7252, 6; RFC 8323, 8).</summary>
internal sealed record CoapUri
{
    /// <summary>The largest path or query segment (RFC 7252, 5.10.1).</summary>
    private const int MaxSegmentBytes = 255;

    internal required CoapScheme Scheme { get; init; }

    internal required string Host { get; init; }

    internal required int Port { get; init; }

    /// <summary>Uri-Host, Uri-Path and Uri-Query, encoded.</summary>
    internal required byte[] Options { get; init; }

    /// <summary>Scheme, host and port: what a connection is to.</summary>
    internal (CoapScheme Scheme, string Host, int Port) Authority => (Scheme, Host, Port);

    internal bool IsDatagram => Scheme is CoapScheme.Udp or CoapScheme.Dtls;

    /// <summary>Reads a URI.</summary>
    /// <param name="text">The URI.</param>
    /// <exception cref="FormatException">It is none of CoAP; the message says why.</exception>
    internal static CoapUri Parse(string text) => TryParse(text, out string? problem) ?? throw new FormatException(problem);

    /// <summary>Reads a URI, or says what is wrong with it.</summary>
    /// <param name="text">The URI.</param>
    /// <param name="problem">What is wrong.</param>
    internal static CoapUri? TryParse(string? text, out string? problem)
    {
        problem = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || SchemeOf(uri.Scheme) is not { } scheme || uri.IdnHost.Length == 0)
        {
            problem = $"'{SafeText.Escape(text)}' is no CoAP URI; write coap://host/path (or coaps, coap+tcp, coaps+tcp, coap+ws, coaps+ws).";
        }
        else if (uri.Fragment.Length > 0 || uri.UserInfo.Length > 0)
        {
            problem = $"'{SafeText.Escape(text)}' has a fragment or a user, which CoAP URIs have not.";
        }
        else if (TryEncode(uri, out byte[]? options))
        {
            return new CoapUri { Scheme = scheme, Host = uri.IdnHost, Port = uri.Port > 0 ? uri.Port : DefaultPort(scheme), Options = options };
        }
        else
        {
            problem = $"'{SafeText.Escape(text)}' has a segment of more than {MaxSegmentBytes} bytes.";
        }

        return null;
    }

    private static CoapScheme? SchemeOf(string scheme) => scheme switch
    {
        "coap" => CoapScheme.Udp,
        "coaps" => CoapScheme.Dtls,
        "coap+tcp" => CoapScheme.Tcp,
        "coaps+tcp" => CoapScheme.Tls,
        "coap+ws" => CoapScheme.WebSocket,
        "coaps+ws" => CoapScheme.SecureWebSocket,
        _ => null,
    };

    private static int DefaultPort(CoapScheme scheme) => scheme switch
    {
        CoapScheme.Udp or CoapScheme.Tcp => 5683,
        CoapScheme.Dtls or CoapScheme.Tls => 5684,
        CoapScheme.WebSocket => 80,
        _ => 443,
    };

    private static bool TryEncode(Uri uri, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out byte[]? encoded)
    {
        encoded = null;
        var options = new CoapOptionBuilder();

        // An address is what the message is sent to already; a name tells virtual hosts apart (6.4).
        if (!IPAddress.TryParse(uri.IdnHost, out _))
        {
            options.Add(CoapOptionNumber.UriHost, uri.IdnHost);
        }

        string path = uri.AbsolutePath;
        return AddAll(options, CoapOptionNumber.UriPath, path is "/" or "" ? [] : path[1..].Split('/'))
            && AddAll(options, CoapOptionNumber.UriQuery, uri.Query.Length < 2 ? [] : uri.Query[1..].Split('&'))
            && (encoded = options.ToArray()) is not null;
    }

    private static bool AddAll(CoapOptionBuilder options, int number, string[] segments)
    {
        foreach (string segment in segments)
        {
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(Uri.UnescapeDataString(segment));
            if (bytes.Length > MaxSegmentBytes)
            {
                return false;
            }

            options.Add(number, bytes);
        }

        return true;
    }
}
