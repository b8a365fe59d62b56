namespace IoT.Cep;

/// <summary>What a client of a listener wants to do.</summary>
public enum AccessAction
{
    /// <summary>To connect, or to send a first request. The resource is the client's name.</summary>
    Connect,

    /// <summary>To send data. The resource is the topic or path.</summary>
    Publish,

    /// <summary>To be told. The resource is the topic filter or path.</summary>
    Subscribe,

    /// <summary>To be sent commands, or to send one. The resource is the topic or path.</summary>
    Command,
}

/// <summary>Decides whether a client may do something. Called for many clients at once, on any thread; a decision is remembered for a short time.</summary>
/// <param name="identity">Who.</param>
/// <param name="action">What.</param>
/// <param name="resource">On what: text from the network.</param>
public delegate ValueTask<bool> Authorize(Identity identity, AccessAction action, string resource);
