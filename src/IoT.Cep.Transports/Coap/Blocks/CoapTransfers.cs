using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Which body: by whom, of what.</summary>
/// <param name="Link">What it comes by.</param>
/// <param name="Remote">The client.</param>
/// <param name="Kind">Method, and the options that make a request what it is.</param>
internal readonly record struct CoapTransferKey(ICoapLink Link, CoapRemote Remote, string Kind);

/// <summary>A body on its way: what a client has sent so far, or what it has not fetched yet.</summary>
internal sealed class CoapTransfer(CoapTransferKey key, bool isUpload)
{
    internal CoapTransferKey Key => key;

    internal bool IsUpload => isUpload;

    internal LinkedListNode<CoapTransfer>? Node { get; set; }

    internal long Touched { get; set; }

    /// <summary>An upload's bytes so far.</summary>
    internal ArrayBufferWriter<byte> Body { get; } = new(isUpload ? 2048 : 1);

    /// <summary>A download's whole response.</summary>
    internal CoapMessage? Response { get; set; }

    /// <summary>The answer to an upload's last block, which may come again.</summary>
    internal Task<CoapMessage?>? Result { get; set; }

    internal long Bytes => isUpload ? Body.Capacity : Response?.Payload.Length ?? 0;
}

/// <summary>The bodies on their way, bounded in number, in bytes and in time. Not thread-safe.</summary>
/// <param name="settings">The bounds.</param>
internal sealed class CoapTransfers(CoapTransferSettings settings)
{
    private readonly Dictionary<(CoapTransferKey Key, bool IsUpload), CoapTransfer> _transfers = [];
    private readonly Dictionary<CoapRemote, int> _perRemote = [];
    private readonly LinkedList<CoapTransfer> _byUse = new();

    internal int Count => _transfers.Count;

    internal long Bytes { get; private set; }

    internal CoapTransfer? Find(CoapTransferKey key, bool isUpload, long now)
    {
        Expire(now);
        if (_transfers.TryGetValue((key, isUpload), out var transfer))
        {
            transfer.Touched = now;
            _byUse.Remove(transfer.Node!);
            _byUse.AddLast(transfer.Node!);
        }

        return transfer;
    }

    /// <summary>Begins a transfer in place of one with the same key; null: this client has too many, or all together are too large.</summary>
    /// <param name="key">Which.</param>
    /// <param name="isUpload">Whether the client sends.</param>
    /// <param name="now">The time.</param>
    /// <param name="bytes">Its size, as far as it is known.</param>
    internal CoapTransfer? Begin(CoapTransferKey key, bool isUpload, long now, long bytes)
    {
        Expire(now);
        if (_transfers.TryGetValue((key, isUpload), out var before))
        {
            Remove(before);
        }

        int ofRemote = _perRemote.GetValueOrDefault(key.Remote);
        if (_transfers.Count >= settings.MaxTransfers || ofRemote >= settings.MaxTransfersPerPeer || Bytes + bytes > settings.MaxBytes)
        {
            // A client that begins more and more gives up its own oldest; others are not made to pay for it.
            if (ofRemote == 0 || OldestOf(key.Remote) is not { } oldest || Bytes - oldest.Bytes + bytes > settings.MaxBytes)
            {
                return null;
            }

            Remove(oldest);
        }

        var transfer = new CoapTransfer(key, isUpload) { Touched = now };
        transfer.Node = _byUse.AddLast(transfer);
        _transfers.Add((key, isUpload), transfer);
        _perRemote[key.Remote] = _perRemote.GetValueOrDefault(key.Remote) + 1;
        Bytes += transfer.Bytes;
        return transfer;
    }

    /// <summary>Changes a transfer and counts what it holds.</summary>
    /// <param name="transfer">The transfer.</param>
    /// <param name="change">The change.</param>
    internal void Change(CoapTransfer transfer, Action<CoapTransfer> change)
    {
        Bytes -= transfer.Bytes;
        change(transfer);
        Bytes += transfer.Bytes;
    }

    internal void Remove(CoapTransfer transfer)
    {
        if (_transfers.Remove((transfer.Key, transfer.IsUpload)))
        {
            _byUse.Remove(transfer.Node!);
            Bytes -= transfer.Bytes;
            int left = _perRemote[transfer.Key.Remote] - 1;
            if (left == 0)
            {
                _perRemote.Remove(transfer.Key.Remote);
            }
            else
            {
                _perRemote[transfer.Key.Remote] = left;
            }
        }
    }

    internal void RemoveAll(ICoapLink link, CoapRemote remote)
    {
        foreach (var transfer in _byUse.Where(t => t.Key.Link == link && t.Key.Remote == remote).ToList())
        {
            Remove(transfer);
        }
    }

    /// <summary>Drops what nobody went on with; gives the time of the next look, or null where nothing is held.</summary>
    /// <param name="now">The time.</param>
    internal long? Expire(long now)
    {
        while (_byUse.First is { } oldest)
        {
            long ends = oldest.Value.Touched + settings.TimeToLive.Ticks;
            if (ends > now)
            {
                return ends;
            }

            Remove(oldest.Value);
        }

        return null;
    }

    private CoapTransfer? OldestOf(CoapRemote remote)
    {
        foreach (var transfer in _byUse)
        {
            if (transfer.Key.Remote == remote)
            {
                return transfer;
            }
        }

        return null;
    }
}

/// <summary>The bounds of block-wise transfers at a server.</summary>
internal sealed record CoapTransferSettings
{
    /// <summary>The largest request body; longer ones are 4.13.</summary>
    internal int MaxBodyBytes { get; init; } = 1 << 20;

    internal int MaxTransfers { get; init; } = 1000;

    internal int MaxTransfersPerPeer { get; init; } = 8;

    /// <summary>All together.</summary>
    internal long MaxBytes { get; init; } = 32 << 20;

    /// <summary>A transfer that nobody goes on with is dropped after this (RFC 7959, 2.5 asks for EXCHANGE_LIFETIME).</summary>
    internal TimeSpan TimeToLive { get; init; } = TimeSpan.FromSeconds(247);
}
