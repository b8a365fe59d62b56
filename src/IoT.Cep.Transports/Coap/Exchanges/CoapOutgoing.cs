namespace IoT.Cep;

/// <summary>Something that is due at a time.</summary>
internal abstract class CoapTimed
{
    /// <summary>When, in the endpoint's ticks; an entry of the queue for another time is an old one.</summary>
    internal long Due { get; set; } = long.MaxValue;
}

/// <summary>A message of our own that takes its turn at its peer and is repeated until it is answered.</summary>
/// <param name="peer">The receiver.</param>
/// <param name="isConfirmable">Whether it wants an acknowledgement.</param>
internal abstract class CoapOutgoing(CoapPeer peer, bool isConfirmable) : CoapTimed
{
    internal CoapPeer Peer => peer;

    internal bool IsConfirmable => isConfirmable;

    /// <summary>The message; its id is written in when it goes out.</summary>
    internal byte[] Bytes { get; set; } = [];

    internal ushort MessageId { get; set; }

    /// <summary>Whether it takes one of the peer's NSTART places.</summary>
    internal bool IsOutstanding { get; set; }

    /// <summary>Nobody waits for it any more.</summary>
    internal bool IsOver { get; set; }

    internal int Repetitions { get; set; }

    /// <summary>The wait after the latest transmission, in ticks.</summary>
    internal long Wait { get; set; }

    /// <summary>What may still be sent to an address that is not verified; null: as much as wanted.</summary>
    internal CoapServerExchange? Budget { get; init; }
}

/// <summary>A request of ours.</summary>
internal sealed class CoapClientExchange(CoapPeer peer, bool isConfirmable, CoapToken token, CoapObservation? observation) : CoapOutgoing(peer, isConfirmable)
{
    internal CoapToken Token => token;

    internal CoapObservation? Observation => observation;

    // Continuations run where the response was received, behind the endpoint's lock: they are this library's own and don't block.
    internal TaskCompletionSource<CoapMessage> Response { get; } = new();
}

/// <summary>A response to a request that was acknowledged earlier.</summary>
internal sealed class CoapSeparateResponse(CoapPeer peer) : CoapOutgoing(peer, isConfirmable: true);

/// <summary>A further response to an observer.</summary>
internal sealed class CoapNotification(CoapPeer peer, bool isConfirmable, CoapToken token) : CoapOutgoing(peer, isConfirmable)
{
    internal CoapToken Token => token;

    internal TaskCompletionSource<CoapDelivery> Delivery { get; } = new();
}

/// <summary>Asks whether a peer is there.</summary>
internal sealed class CoapPing(CoapPeer peer) : CoapOutgoing(peer, isConfirmable: true)
{
    internal TaskCompletionSource<bool> Answered { get; } = new();
}

/// <summary>Ids are free for a peer again.</summary>
internal sealed class CoapWakeUp(CoapPeer peer) : CoapTimed
{
    internal CoapPeer Peer => peer;
}

/// <summary>A request that is being answered.</summary>
internal sealed class CoapServerExchange(CoapPeer peer, CoapToken token, ushort messageId, bool isConfirmable, long duplicateNumber) : CoapTimed
{
    internal CoapPeer Peer => peer;

    internal CoapToken Token => token;

    internal ushort MessageId => messageId;

    internal bool IsConfirmable => isConfirmable;

    internal long DuplicateNumber => duplicateNumber;

    internal bool IsAcknowledged { get; set; }

    internal bool IsAnswered { get; set; }

    /// <summary>Bytes that may still go to an address that is not verified.</summary>
    internal int Budget { get; set; } = int.MaxValue;

    internal bool TrySpend(int bytes)
    {
        if (Budget == int.MaxValue)
        {
            return true;
        }

        if (bytes > Budget)
        {
            return false;
        }

        Budget -= bytes;
        return true;
    }
}
