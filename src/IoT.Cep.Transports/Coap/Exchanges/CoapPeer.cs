using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What an endpoint keeps of one other endpoint.</summary>
/// <param name="remote">The other endpoint.</param>
internal sealed class CoapPeer(CoapRemote remote)
{
    internal CoapRemote Remote => remote;

    /// <summary>Own messages that wait for their turn.</summary>
    internal Queue<CoapOutgoing> Waiting { get; } = new();

    /// <summary>Own messages that are unanswered, at most NSTART.</summary>
    internal int Outstanding { get; set; }

    /// <summary>Requests, theirs and ours, that are not over.</summary>
    internal int Exchanges { get; set; }

    /// <summary>Until when its address counts as its own (RFC 9175).</summary>
    internal long VerifiedUntil { get; set; } = long.MinValue;

    internal MessageIds? MessageIds { get; set; }

    internal LinkedListNode<CoapPeer>? Node { get; set; }

    internal bool IsIdle => Outstanding == 0 && Exchanges == 0 && Waiting.Count == 0;
}

/// <summary>The peers that are known; when there are too many, the one that was idle for longest goes.</summary>
/// <param name="capacity">How many at most.</param>
internal sealed class CoapPeers(int capacity)
{
    /// <summary>How many of the longest unused are looked at for one that is idle: a bound on the work that a flood of addresses causes.</summary>
    private const int Tries = 16;

    private readonly Dictionary<CoapRemote, CoapPeer> _peers = [];
    private readonly LinkedList<CoapPeer> _byUse = new();

    internal int Count => _peers.Count;

    internal IEnumerable<CoapPeer> All => _peers.Values;

    internal CoapPeer? Find(CoapRemote remote) => _peers.GetValueOrDefault(remote);

    /// <summary>The peer, made if need be; null: there are too many, and all are busy.</summary>
    /// <param name="remote">The other endpoint.</param>
    internal CoapPeer? GetOrAdd(CoapRemote remote)
    {
        if (_peers.TryGetValue(remote, out var peer))
        {
            if (_byUse.Last != peer.Node)
            {
                _byUse.Remove(peer.Node!);
                _byUse.AddLast(peer.Node!);
            }

            return peer;
        }

        if (_peers.Count >= capacity && !TryEvict())
        {
            return null;
        }

        peer = new CoapPeer(remote);
        peer.Node = _byUse.AddLast(peer);
        _peers.Add(remote, peer);
        return peer;
    }

    internal void Remove(CoapPeer peer)
    {
        if (_peers.Remove(peer.Remote))
        {
            _byUse.Remove(peer.Node!);
        }
    }

    private bool TryEvict()
    {
        var node = _byUse.First;
        for (int i = 0; i < Tries && node is not null; i++, node = node.Next)
        {
            if (node.Value.IsIdle)
            {
                Remove(node.Value);
                return true;
            }
        }

        return false;
    }
}
