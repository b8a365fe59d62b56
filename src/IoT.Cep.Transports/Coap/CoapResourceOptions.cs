namespace IoT.Cep;

/// <summary>How results are shown as a resource.</summary>
public sealed record CoapResourceOptions
{
    /// <summary>The defaults.</summary>
    public static CoapResourceOptions Default { get; } = new();

    /// <summary>How long a client may take a result for the current one when it hears nothing; it then asks again. Default: 60 s.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Whether observers acknowledge each notification, and get none while one is unacknowledged. Default: true. Otherwise notifications may be lost, and one a minute asks for an acknowledgement.
    /// </summary>
    public bool IsConfirmable { get; init; } = true;

    /// <summary>How many may observe one resource; further ones get the state once and must ask again. Default: 1,000.</summary>
    public int MaxObservers { get; init; } = 1000;

    /// <summary>How many resources there may be where each result names its own; further ones become dead letters. Default: 10,000.</summary>
    public int MaxResources { get; init; } = 10_000;

    /// <summary>
    /// Where each result names its own resource: paths that may be read and observed before there is a result for them, such as <c>commands/{device}</c>; they are empty until then. Whoever may read one makes it,
    /// up to <see cref="MaxResources"/>. Null, the default: a path is 4.04 until its first result.
    /// </summary>
    public string? Awaited { get; init; }

    /// <summary>What it is about, for those who look for it in <c>/.well-known/core</c> (<c>rt</c>); null: not said.</summary>
    public string? ResourceType { get; init; }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxAge, TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfNegative(MaxObservers);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxResources, 1);
    }
}
