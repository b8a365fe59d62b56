using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>An address that may not be called.</summary>
/// <param name="message">Which, and how to allow it.</param>
internal sealed class AddressNotAllowedException(string message) : Exception(message);

/// <summary>Makes requests: without cookies, proxies and redirections, and only to addresses that are allowed.</summary>
internal static class HttpConnector
{
    /// <summary>A connection is made anew so often, so that a name that moves is followed.</summary>
    private static readonly TimeSpan _connectionLifetime = TimeSpan.FromMinutes(2);

    internal static HttpClient Create(HttpClientOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,

            // A proxy would resolve the name by itself, and what it reaches could not be looked at.
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = options.Timeout / 3,
            PooledConnectionLifetime = _connectionLifetime,
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 64 * 1024,
            ConnectCallback = (context, stop) => ConnectAsync(context.DnsEndPoint, options.AllowPrivateNetworks, stop),
        };
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Sends a request and gives the answer's beginning.</summary>
    internal static async Task<HttpResponseMessage> SendAsync(
        HttpClient client, HttpRequestMessage request, HttpClientOptions options, TimeProvider clock, CancellationToken stop)
    {
        foreach (var (name, value) in options.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (options.Token is { } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await token(stop).ConfigureAwait(false));
        }

        using var limit = new CancellationTokenSource(options.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
    }

    /// <summary>How long the server asks to wait; zero where it does not ask.</summary>
    internal static TimeSpan RetryAfter(HttpResponseMessage response, TimeSpan longest, TimeProvider clock)
    {
        var after = response.Headers.RetryAfter;
        var wait = after?.Delta ?? (after?.Date is { } date ? date - clock.GetUtcNow() : TimeSpan.Zero);
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > longest ? longest : wait;
    }

    /// <summary>Whether connecting again may help.</summary>
    internal static bool IsTransient(Exception error) => error is HttpRequestException or IOException or SocketException or OperationCanceledException or AddressNotAllowedException;

    /// <summary>An error as a line for people: the innermost cause, safe to show.</summary>
    internal static string Describe(Exception error)
    {
        var cause = error;
        while (cause.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is OperationCanceledException ? "it took too long" : SafeText.Escape(cause.Message);
    }

    /// <summary>The address without query and fragment, which may hold secrets.</summary>
    internal static string NameOf(Uri uri) => SafeText.Escape(uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint target, bool allowPrivate, CancellationToken stop)
    {
        IPAddress[] addresses = IPAddress.TryParse(target.Host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(target.Host, stop).ConfigureAwait(false);
        IPAddress[] allowed = allowPrivate ? addresses : [.. addresses.Where(static a => !PrivateNetworks.Contain(a))];
        if (allowed.Length == 0)
        {
            throw new AddressNotAllowedException(
                $"'{SafeText.Escape(target.Host)}' is in a private network. Set AllowPrivateNetworks where that is meant.");
        }

        // The addresses that were looked at, not the name: a second look-up might give another.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, target.Port, stop).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>Addresses that are not the internet's: IANA's special-purpose registries, without what is reachable from everywhere.</summary>
internal static class PrivateNetworks
{
    private static readonly IPNetwork[] _networks =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/127", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(IPNetwork.Parse),
    ];

    internal static bool Contain(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && Inner(address) is { } inner)
        {
            address = inner;
        }

        foreach (var network in _networks)
        {
            if (network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 or 6to4.</summary>
    private static IPAddress? Inner(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bool isLast = address.IsIPv4MappedToIPv6 || bytes.StartsWith((ReadOnlySpan<byte>)[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])
            || (bytes[..12].IndexOfAnyExcept((byte)0) < 0 && bytes[12] != 0);
        return isLast ? new IPAddress(bytes[12..]) : bytes.StartsWith((ReadOnlySpan<byte>)[0x20, 0x02]) ? new IPAddress(bytes[2..6]) : null;
    }
}
