using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace IoT.Cep;

/// <summary>
/// The keys that tokens are signed with, from a JWKS file or address. Read by one task at a time, no more often than the options say, whatever strangers' tokens ask for; while they can't be
/// read, those of before hold for a bounded time.
/// </summary>
internal sealed class BearerKeys : IDisposable
{
    /// <summary>A provider has a few keys of about 1 KiB.</summary>
    private const int MaxBytes = 1 << 18, MaxKeys = 100;

    private static readonly TimeSpan _requestTimeout = TimeSpan.FromSeconds(5);

    private readonly string _source;
    private readonly Uri? _address;
    private readonly BearerTokenOptions _options;
    private readonly ILogger _logger;
    private readonly HttpClient? _client;
    private readonly SemaphoreSlim _reading = new(1, 1);
    private volatile Held? _held;
    private long _tried = long.MinValue;

    internal BearerKeys(string source, BearerTokenOptions options, ILogger logger)
    {
        (_source, _options, _logger) = (source, options, logger);
        if (Uri.TryCreate(source, UriKind.Absolute, out var address) && !address.IsFile)
        {
            bool isLocal = address.IsLoopback || (IPAddress.TryParse(address.Host, out var ip) && IPAddress.IsLoopback(ip));
            if (address.Scheme != Uri.UriSchemeHttps && !(address.Scheme == Uri.UriSchemeHttp && isLocal))
            {
                throw new ArgumentException($"Keys from {Extensibility.SafeText.Escape(source)} could be anyone's on the way: use https (http on this machine only).", nameof(source));
            }

            _address = address;
#pragma warning disable CA2000 // The client disposes the handler.
            _client = new HttpClient(options.Handler ?? new SocketsHttpHandler { AllowAutoRedirect = false }, disposeHandler: options.Handler is null)
#pragma warning restore CA2000
            {
                Timeout = _requestTimeout,
                MaxResponseContentBufferSize = MaxBytes,
            };
        }
        else if (!File.Exists(source))
        {
            throw new FileNotFoundException($"There is no file of keys at {source}.", source);
        }
    }

    internal static bool IsKnownAlgorithm(string algorithm) =>
        algorithm is ['R' or 'P' or 'E' or 'H', 'S', ..] && algorithm.AsSpan(2) is "256" or "384" or "512";

    /// <summary>The keys that hold now; null: there are none, and there is no way to read them now.</summary>
    /// <param name="keyId">The key that a token names; null: it names none.</param>
    internal async ValueTask<IReadOnlyList<SecurityKey>?> ForAsync(string? keyId)
    {
        var held = _held;
        long now = _options.TimeProvider.GetTimestamp();
        bool isWanted = held is null || Age(held, now) >= _options.RefreshEvery || (keyId is not null && !held.Ids.Contains(keyId));
        if (isWanted && MayTry(now))
        {
            await ReadAsync().ConfigureAwait(false);
            held = _held;
        }

        return held is null || Age(held, _options.TimeProvider.GetTimestamp()) > _options.KeysLifetime ? null : held.Keys;
    }

    public void Dispose()
    {
        _client?.Dispose();
        _reading.Dispose();
    }

    private TimeSpan Age(Held held, long now) => _options.TimeProvider.GetElapsedTime(held.Since, now);

    private bool MayTry(long now)
    {
        long tried = Volatile.Read(ref _tried);
        return tried == long.MinValue || _options.TimeProvider.GetElapsedTime(tried, now) >= _options.RefreshAtMostEvery;
    }

    private async Task ReadAsync()
    {
        await _reading.WaitAsync().ConfigureAwait(false);
        try
        {
            long now = _options.TimeProvider.GetTimestamp();
            if (!MayTry(now))
            {
                // Another did while this one waited.
                return;
            }

            string json = _address is null ? await ReadFileAsync().ConfigureAwait(false) : await _client!.GetStringAsync(_address).ConfigureAwait(false);
            _held = Parse(json, now);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or OperationCanceledException or ArgumentException or InvalidDataException)
        {
            var until = _held is { } held ? _options.TimeProvider.GetUtcNow() + _options.KeysLifetime - Age(held, _options.TimeProvider.GetTimestamp()) : _options.TimeProvider.GetUtcNow();
            SecurityLog.NoKeys(_logger, _source, Extensibility.SafeText.Escape(e.Message), until);
        }
        finally
        {
            Volatile.Write(ref _tried, _options.TimeProvider.GetTimestamp());
            _reading.Release();
        }
    }

    private async Task<string> ReadFileAsync() =>
        new FileInfo(_source).Length <= MaxBytes ? await File.ReadAllTextAsync(_source).ConfigureAwait(false) : throw new InvalidDataException($"The file has more than {MaxBytes} bytes.");

    private Held Parse(string json, long now)
    {
        var keys = new List<SecurityKey>();
        foreach (var key in new JsonWebKeySet(json).Keys)
        {
            // A symmetric key signs as well as it proves: it is taken only where its algorithms were named.
            bool isWanted = key.Use is null or "" or "sig" && (key.Kty != "oct" || _options.Algorithms.Any(static a => a[0] == 'H'));
            if (isWanted && keys.Count < MaxKeys)
            {
                keys.Add(key);
            }
        }

        return keys.Count > 0
            ? new Held(keys, [.. keys.Select(static k => k.KeyId ?? "")], now)
            : throw new InvalidDataException("There is no key for signatures in it.");
    }

    private sealed record Held(IReadOnlyList<SecurityKey> Keys, HashSet<string> Ids, long Since);
}
