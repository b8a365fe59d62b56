namespace IoT.Cep;

/// <summary>How requests are made to another server.</summary>
public class HttpClientOptions
{
    /// <summary>
    /// Whether addresses may be called that only this network reaches: this machine, private and link-local ones (a cloud's metadata service among them). False by default: an address that came from a
    /// configuration or a user must not open them. Looked at when a connection is made, after its name was resolved.
    /// </summary>
    public bool AllowPrivateNetworks { get; set; }

    /// <summary>Gives the bearer token of the next request; called for each request, so it should keep the token while it is valid. Null, the default: none.</summary>
    public Func<CancellationToken, ValueTask<string>>? Token { get; set; }

    /// <summary>Whether a token may cross the network without TLS. False by default: such a source or sink does not start.</summary>
    public bool AllowPlainTextToken { get; set; }

    /// <summary>Header fields of each request.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>How long a request may take until its answer has begun; 30 seconds by default. To connect, a third of it.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a stream of events may be silent before it is taken for lost and opened again; 2 minutes by default. Servers send a comment now and then to show that they are there.</summary>
    public TimeSpan MaxSilence { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>The longest body, message or event that is read; 1 MiB by default. A longer one is a dead letter.</summary>
    public int MaxBytes { get; set; } = 1 << 20;

    /// <summary>The longest pause after failures, and the longest <c>Retry-After</c> that is heeded; 5 minutes by default.</summary>
    public TimeSpan LongestPause { get; set; } = TimeSpan.FromMinutes(5);

    /// <exception cref="ArgumentException">The address or the options can't work; the message names the remedy.</exception>
    internal void Validate(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(MaxSilence, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(LongestPause, TimeSpan.Zero);
        if (!uri.IsAbsoluteUri || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
        {
            throw new ArgumentException("The address must begin with https:// or http://.", nameof(uri));
        }

        if (uri.UserInfo.Length > 0)
        {
            throw new ArgumentException("The address holds a user's name or password, which would stand in logs: give a Token or a header field.", nameof(uri));
        }

        if (Token is not null && uri.Scheme != Uri.UriSchemeHttps && !AllowPlainTextToken)
        {
            throw new ArgumentException("The token would cross the network in clear text: use https://, or set AllowPlainTextToken.", nameof(uri));
        }
    }
}

/// <summary>How several results are one request.</summary>
public enum HttpBatch
{
    /// <summary>They are not: a request for each.</summary>
    None,

    /// <summary>A JSON array.</summary>
    JsonArray,

    /// <summary>Lines (<c>application/x-ndjson</c>).</summary>
    Lines,
}

/// <summary>How results are posted.</summary>
public sealed class HttpPostOptions : HttpClientOptions
{
    /// <summary>How several results are one request; <see cref="HttpBatch.None"/> by default.</summary>
    public HttpBatch Batch { get; set; } = HttpBatch.None;

    /// <summary>How many results one request may hold; 100 by default.</summary>
    public int MaxBatch { get; set; } = 100;

    /// <summary>Whether each request has an <c>Idempotency-Key</c>, made from the address, the results and their times: the same for the same results, also after a restart. True by default.</summary>
    public bool UseIdempotencyKey { get; set; } = true;
}
