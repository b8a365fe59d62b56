namespace IoT.Cep;

/// <summary>The bounds of an endpoint.</summary>
internal sealed record CoapEndpointSettings
{
    internal CoapTransmission Transmission { get; init; } = new();

    /// <summary>Other endpoints that are known at a time; beyond them the one idle for longest is forgotten, or, where all are busy, the new one not heard.</summary>
    internal int MaxPeers { get; init; } = 10_000;

    /// <summary>Requests that are being answered at a time; beyond them 5.03.</summary>
    internal int MaxExchanges { get; init; } = 4096;

    /// <summary>Own messages that wait for their turn at one peer; beyond them sending fails.</summary>
    internal int MaxWaiting { get; init; } = 1024;

    /// <summary>Messages remembered so that their duplicates are known; beyond them the oldest is forgotten.</summary>
    internal int MaxRemembered { get; init; } = 65_536;

    /// <summary>Notifications without acknowledgement that a reset is still understood for.</summary>
    internal int MaxUnconfirmed { get; init; } = 4096;

    /// <summary>The largest payload of one message; IPv6's least packet holds it with its headers (RFC 7252, 4.6).</summary>
    internal int MaxPayload { get; init; } = 1024;

    /// <summary>How long a response is waited for behind the acknowledgement of its request.</summary>
    internal TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A request that takes longer than this is acknowledged and answered by a message of its own; well below the client's first wait of 2 s.</summary>
    internal TimeSpan SeparateAfter { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>To an address that is not verified, at most this many times its request's bytes; 0: no limit.</summary>
    internal int MaxAmplification { get; init; } = 3;

    /// <summary>How long an address that was verified counts as such.</summary>
    internal TimeSpan VerifiedFor { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Whether requests of a client want an acknowledgement.</summary>
    internal bool IsConfirmable { get; init; } = true;
}

/// <summary>What an endpoint has seen, for tests and metrics.</summary>
internal sealed class CoapCounters
{
    internal long Malformed;
    internal long Duplicates;
    internal long Repetitions;
    internal long RefusedPeers;
    internal long Challenged;
    internal long Unmatched;
    internal long Withheld;
}
