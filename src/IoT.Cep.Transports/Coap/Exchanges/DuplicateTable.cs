using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>A message by its sender and id.</summary>
/// <param name="Peer">The sender, or the receiver of an own one.</param>
/// <param name="MessageId">The id.</param>
internal readonly record struct MessageKey(CoapPeer Peer, ushort MessageId);

/// <summary>
/// Remembers which messages came and what was answered, for as long as they may come again (RFC 7252, 4.5). A ring in the order of arrival: when it is
/// full, the oldest is forgotten and counted, and should that one come again, it is processed again.
/// </summary>
/// <param name="capacity">How many messages at most; rounded up to a power of two.</param>
internal sealed class DuplicateTable(int capacity)
{
    private readonly Dictionary<MessageKey, long> _index = [];
    private Entry[] _ring = new Entry[Math.Min(64, RoundUp(capacity))];
    private long _head;
    private long _tail;

    internal long Forgotten { get; private set; }

    internal int Count => (int)(_tail - _head);

    /// <summary>The number of a message that came before and may be a duplicate's original; -1: there is none.</summary>
    /// <param name="key">The message.</param>
    /// <param name="now">The time.</param>
    internal long Find(MessageKey key, long now) =>
        _index.TryGetValue(key, out long number) && _ring[Slot(number)].Expires > now ? number : -1;

    /// <summary>Remembers a message; its number serves to add the answer.</summary>
    /// <param name="key">The message.</param>
    /// <param name="now">The time.</param>
    /// <param name="expires">Until when.</param>
    internal long Add(MessageKey key, long now, long expires)
    {
        while (_head < _tail && _ring[Slot(_head)].Expires <= now)
        {
            DropOldest();
        }

        if (Count == _ring.Length && !TryGrow())
        {
            DropOldest();
            Forgotten++;
        }

        long number = _tail++;
        ref var entry = ref _ring[Slot(number)];
        entry.Key = key;
        entry.Expires = expires;
        entry.ReplyLength = 0;
        entry.LongReply = null;
        _index[key] = number;
        return number;
    }

    /// <summary>Keeps the answer to a message, if the message is still remembered.</summary>
    /// <param name="number">The message's number.</param>
    /// <param name="reply">The answer as it went out.</param>
    internal void SetReply(long number, ReadOnlySpan<byte> reply)
    {
        if (number < _head)
        {
            return;
        }

        ref var entry = ref _ring[Slot(number)];
        entry.ReplyLength = reply.Length;
        entry.LongReply = null;
        if (reply.Length <= ShortReply.Length)
        {
            reply.CopyTo(entry.Reply);
        }
        else
        {
            entry.LongReply = reply.ToArray();
        }
    }

    /// <summary>The answer to a message; empty: none yet.</summary>
    /// <param name="number">The message's number.</param>
    internal ReadOnlySpan<byte> Reply(long number)
    {
        ref var entry = ref _ring[Slot(number)];
        return entry.LongReply ?? ((ReadOnlySpan<byte>)entry.Reply)[..entry.ReplyLength];
    }

    private static int RoundUp(int capacity) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity);

    private int Slot(long number) => (int)(number & (_ring.Length - 1));

    private void DropOldest()
    {
        Debug.Assert(_head < _tail, "There is an oldest message.");
        ref var entry = ref _ring[Slot(_head)];

        // An expired message whose id came again has a newer entry, which stays.
        if (_index.TryGetValue(entry.Key, out long number) && number == _head)
        {
            _index.Remove(entry.Key);
        }

        entry = default;
        _head++;
    }

    private bool TryGrow()
    {
        if (_ring.Length >= RoundUp(capacity))
        {
            return false;
        }

        var larger = new Entry[_ring.Length * 2];
        for (long number = _head; number < _tail; number++)
        {
            larger[number & (larger.Length - 1)] = _ring[Slot(number)];
        }

        _ring = larger;
        return true;
    }

    private struct Entry
    {
        internal MessageKey Key;
        internal long Expires;
        internal int ReplyLength;
        internal ShortReply Reply;
        internal byte[]? LongReply;
    }

    /// <summary>An acknowledgement, or a response without a payload, fits: most servers' replies need no memory of their own.</summary>
    [InlineArray(Length)]
    private struct ShortReply
    {
        internal const int Length = 20;
        private byte _first;
    }
}
