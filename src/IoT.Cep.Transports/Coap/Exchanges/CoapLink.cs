using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Requests and responses with peers, over datagrams or a stream; what is behind it does not matter to whoever speaks through it.</summary>
internal interface ICoapLink
{
    /// <summary>The largest payload that one message to this peer may carry.</summary>
    /// <param name="remote">The peer.</param>
    int MaxPayload(CoapRemote remote);

    /// <summary>Whether several blocks may go in one message (BERT, RFC 8323, 6).</summary>
    bool HasBert { get; }

    /// <summary>Whether what is sent arrives in order, or the connection is gone.</summary>
    bool IsReliable { get; }

    /// <summary>Sends a request and waits for its response.</summary>
    /// <param name="remote">The peer.</param>
    /// <param name="request">The request.</param>
    /// <param name="observation">Takes further responses; null: there is one.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="CoapException">There was no response.</exception>
    Task<CoapMessage> ExchangeAsync(CoapRemote remote, CoapMessage request, CoapObservation? observation, CancellationToken stop);

    /// <summary>Takes no further responses of an observation: the peer is told when it sends one.</summary>
    /// <param name="remote">The peer.</param>
    /// <param name="observation">The observation.</param>
    void Forget(CoapRemote remote, CoapObservation observation);

    /// <summary>Sends a further response to an observer.</summary>
    /// <param name="remote">The observer.</param>
    /// <param name="token">Its request's token.</param>
    /// <param name="notification">The response.</param>
    /// <param name="isConfirmable">Whether it is to be acknowledged.</param>
    Task<CoapDelivery> NotifyAsync(CoapRemote remote, CoapToken token, CoapMessage notification, bool isConfirmable);
}

/// <summary>What became of a notification.</summary>
internal enum CoapDelivery
{
    /// <summary>It went out; nothing else is known.</summary>
    Sent,

    /// <summary>The observer has it.</summary>
    Acknowledged,

    /// <summary>The observer does not want it.</summary>
    Rejected,

    /// <summary>There was no answer, or no room to send it.</summary>
    Failed,
}

/// <summary>What belongs to one token of a client for longer than one response.</summary>
/// <param name="onResponse">Called for each response but the first; on the receiving thread, must not block.</param>
/// <param name="onClosed">Called when no further one will come, since the session or connection is over; must not block.</param>
internal sealed class CoapObservation(Action<CoapMessage> onResponse, Action<Exception>? onClosed = null)
{
    /// <summary>The token, from the first request on: registering again and cancelling go by it.</summary>
    internal CoapToken? Token { get; set; }

    internal Action<CoapMessage> OnResponse => onResponse;

    internal void OnClosed(Exception why) => onClosed?.Invoke(why);
}

/// <summary>A request as a server gets it.</summary>
/// <param name="Link">What it came by.</param>
/// <param name="Remote">Who sent it.</param>
/// <param name="Token">Its token.</param>
/// <param name="Message">The request.</param>
internal sealed record CoapRequest(ICoapLink Link, CoapRemote Remote, CoapToken Token, CoapMessage Message);

/// <summary>Answers requests.</summary>
internal interface ICoapHandler
{
    /// <summary>Answers a request; the response may come later. Null: none is to be sent.</summary>
    /// <param name="request">The request.</param>
    ValueTask<CoapMessage?> HandleAsync(CoapRequest request);

    /// <summary>An observer rejected a notification that was sent earlier.</summary>
    /// <param name="link">What it came by.</param>
    /// <param name="remote">The observer.</param>
    /// <param name="token">Its token.</param>
    void OnRejected(ICoapLink link, CoapRemote remote, CoapToken token);

    /// <summary>A peer's session or connection is over.</summary>
    /// <param name="link">What it came by.</param>
    /// <param name="remote">The peer.</param>
    void OnGone(ICoapLink link, CoapRemote remote);
}

/// <summary>A request that got no response.</summary>
/// <param name="message">Why.</param>
#pragma warning disable CA1032 // made here only
internal sealed class CoapException(string message) : Exception(message);
#pragma warning restore CA1032
