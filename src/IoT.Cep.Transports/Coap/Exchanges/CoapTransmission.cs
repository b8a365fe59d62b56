namespace IoT.Cep;

/// <summary>How CoAP repeats messages over datagrams (RFC 7252, 4.8). All other times follow from these.</summary>
public sealed class CoapTransmission
{
    /// <summary>How long the first acknowledgement is waited for, at least; doubled with each repetition. Default: 2 s.</summary>
    public TimeSpan AckTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The first wait is <see cref="AckTimeout"/> times a random number between 1 and this. Default: 1.5.</summary>
    public double AckRandomFactor { get; set; } = 1.5;

    /// <summary>How often a message is repeated before its receiver is given up. Default: 4.</summary>
    public int MaxRetransmit { get; set; } = 4;

    /// <summary>How many messages to one peer may be unanswered at a time (NSTART). Default: 1; more needs a network that can take it.</summary>
    public int MaxOutstanding { get; set; } = 1;

    // 4.8.2; 100 s is the RFC's own guess at how long a datagram may be on its way.
    internal static readonly TimeSpan MaxLatency = TimeSpan.FromSeconds(100);

    internal TimeSpan MaxTransmitSpan => AckTimeout * (((1 << MaxRetransmit) - 1) * AckRandomFactor);

    internal TimeSpan MaxTransmitWait => AckTimeout * (((1 << (MaxRetransmit + 1)) - 1) * AckRandomFactor);

    /// <summary>How long a message id may come again and mean the same message (EXCHANGE_LIFETIME).</summary>
    internal TimeSpan ExchangeLifetime => MaxTransmitSpan + (2 * MaxLatency) + AckTimeout;

    internal TimeSpan NonLifetime => MaxTransmitSpan + MaxLatency;

    /// <summary>What is wrong with it, for an error message; null: nothing.</summary>
    internal string? Problem() =>
        AckTimeout < TimeSpan.FromMilliseconds(1) || AckTimeout > TimeSpan.FromHours(1) ? "AckTimeout must be 1 ms to 1 h"
        : AckRandomFactor is not (>= 1 and <= 10) ? "AckRandomFactor must be 1 to 10"
        : MaxRetransmit is < 0 or > 10 ? "MaxRetransmit must be 0 to 10"
        : MaxOutstanding is < 1 or > 1024 ? "MaxOutstanding must be 1 to 1,024"
        : null;
}
