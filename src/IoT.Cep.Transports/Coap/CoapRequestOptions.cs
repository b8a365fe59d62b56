namespace IoT.Cep;

/// <summary>What a request asks of a CoAP resource.</summary>
public enum CoapMethod
{
    /// <summary>To be given its state.</summary>
    Get,

    /// <summary>To take something.</summary>
    Post,

    /// <summary>To have this state.</summary>
    Put,

    /// <summary>To be no more.</summary>
    Delete,
}

/// <summary>How requests are sent over CoAP.</summary>
public sealed record CoapRequestOptions
{
    /// <summary>What each request asks. Default: POST.</summary>
    public Func<Message, CoapMethod> Method { get; init; } = static _ => CoapMethod.Post;

    /// <summary>Which headers of a message go along, as queries (<c>?unit=K</c>); whatever else its headers say stays here. Default: none.</summary>
    public IReadOnlyList<string> QueryHeaders { get; init; } = [];

    /// <summary>How many requests may be under way at once; more wait. Default: 100. How many of them one server is sent at a time is <see cref="CoapTransmission.MaxOutstanding"/>.</summary>
    public int MaxInFlight { get; init; } = 100;

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        if (MaxInFlight < 1 || Method is null || QueryHeaders is null)
        {
            throw new InvalidOperationException("CoAP requests: MaxInFlight must be at least 1, and Method and QueryHeaders must not be null.");
        }
    }
}
