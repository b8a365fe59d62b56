namespace IoT.Cep;

/// <summary>When a request that brought messages is answered.</summary>
public enum HttpAnswer
{
    /// <summary>When the engine has acknowledged them: their effect is where the queries' guarantee says. 204, or 200 with a report.</summary>
    Acknowledged,

    /// <summary>When they have been taken and decoded. 202; what happens to them later, nobody is told.</summary>
    Accepted,
}

/// <summary>How an endpoint takes messages.</summary>
public sealed class HttpReceiveOptions
{
    /// <summary>When a request is answered; <see cref="HttpAnswer.Acknowledged"/> by default.</summary>
    public HttpAnswer Answer { get; set; } = HttpAnswer.Acknowledged;

    /// <summary>
    /// How long a request waits for the engine, to be taken and to be acknowledged, each; 10 seconds by default. Past it the answer is 503 with <c>Retry-After</c>: the message may have been taken
    /// all the same, so a device that must not send twice gives an <c>Idempotency-Key</c>.
    /// </summary>
    public TimeSpan AnswerTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether a GET with a query sends a message too, for devices that can't POST. False by default: GETs are repeated and followed by programs that do not mean to send.</summary>
    public bool AllowGet { get; set; }

    /// <summary>Whether a WebSocket may be opened at the endpoint, each of whose messages is a message; true by default.</summary>
    public bool AllowWebSockets { get; set; } = true;

    /// <summary>The longest message: a body, a line or a WebSocket message, decompressed, in bytes; the identity's <see cref="PrincipalLimits.MaxPayloadBytes"/> (1 MiB) where it is less. 1 MiB by default.</summary>
    public int MaxBytes { get; set; } = 1 << 20;

    /// <summary>The longest body of lines, in bytes, compressed and decompressed each; 1 GiB by default. It is read as the engine takes it and is never in memory as a whole.</summary>
    public long MaxStreamBytes { get; set; } = 1L << 30;

    /// <summary>Media types that are taken, without parameters; empty, the default: all. Others are answered by 415.</summary>
    public IList<string> ContentTypes { get; } = [];

    /// <summary>Media types whose bodies are lines, each a message of its own.</summary>
    public IList<string> LineContentTypes { get; } = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

    /// <summary>Names of header fields that decoders may see (<see cref="Extensibility.Payload.Headers"/>); none by default. Where one stands several times, its values are joined by commas.</summary>
    public IList<string> Headers { get; } = [];

    /// <summary>How many rejected lines a report names, and how many a WebSocket's client may leave unread; 100 by default. All are counted.</summary>
    public int MaxReportedErrors { get; set; } = 100;

    /// <summary>How many requests may wait for their answer at a time; 10,000 by default. One more is answered by 503.</summary>
    public int MaxWaiting { get; set; } = 10_000;

    /// <summary>How long an <c>Idempotency-Key</c> is remembered; 10 minutes by default.</summary>
    public TimeSpan IdempotencyPeriod { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many <c>Idempotency-Key</c>s are remembered; 10,000 by default. One more forgets the oldest that has its answer; while none has, it is answered by 503.</summary>
    public int MaxIdempotencyKeys { get; set; } = 10_000;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(AnswerTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxStreamBytes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxReportedErrors);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWaiting, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(IdempotencyPeriod, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxIdempotencyKeys, 1);
    }
}
