using System.Buffers.Binary;
using System.Text;

namespace IoT.Cep;

/// <summary>A topic that was seen: its text, made once, and who takes its messages.</summary>
/// <param name="utf8">As it is sent.</param>
/// <param name="hash">The hash of that.</param>
/// <param name="text">As the engine sees it: without a slash in front.</param>
/// <param name="takers">The subscriptions whose template takes it.</param>
internal sealed class Topic(byte[] utf8, int hash, string text, IngestSubscription[] takers)
{
    internal byte[] Utf8 => utf8;

    internal int Hash => hash;

    internal string Text => text;

    internal IngestSubscription[] Takers => takers;

    /// <summary>The next one in the pool with the same place.</summary>
    internal Topic? Next { get; set; }
}

/// <summary>
/// All topics in use, so that a message's topic is not made into text again, whoever sends it. Bounded: when it is full it begins anew; connections keep those they
/// use themselves.
/// </summary>
/// <param name="capacity">How many topics.</param>
/// <param name="maxBytes">The longest topic.</param>
/// <param name="subscriptions">Who may take messages.</param>
internal sealed class TopicPool(int capacity, int maxBytes, IReadOnlyCollection<IngestSubscription> subscriptions)
{
    /// <summary>Strict: text that is not valid is refused and not replaced, or two topics could become one.</summary>
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    // Made anew in each process, so that nobody can choose topics that share a place.
    private static readonly ulong _seed = BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(sizeof(ulong)));

    private readonly Lock _gate = new();
    private Topic?[] _places = new Topic?[64];
    private int _count;

    /// <summary>A topic by its bytes; null where it is none that anyone may publish to.</summary>
    /// <param name="utf8">Its bytes.</param>
    /// <param name="hash">Their hash.</param>
    internal Topic? Get(ReadOnlySpan<byte> utf8, int hash)
    {
        lock (_gate)
        {
            for (var topic = _places[hash & (_places.Length - 1)]; topic is not null; topic = topic.Next)
            {
                if (topic.Hash == hash && utf8.SequenceEqual(topic.Utf8))
                {
                    return topic;
                }
            }
        }

        if (Make(utf8, hash) is not { } made)
        {
            return null;
        }

        lock (_gate)
        {
            // Another connection may have added it meanwhile; two of one topic do no harm.
            Add(made);
        }

        return made;
    }

    /// <summary>Forgets all: who takes what may have changed.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            Array.Clear(_places);
            _count = 0;
        }
    }

    internal static int HashOf(ReadOnlySpan<byte> bytes)
    {
        const ulong First = 0xA0761D6478BD642F, Second = 0xE7037ED1A0B428DB;
        ulong hash = _seed ^ ((ulong)bytes.Length * First);
        while (bytes.Length > sizeof(ulong))
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes), Second);
            bytes = bytes[sizeof(ulong)..];
        }

        ulong last = 0;
        foreach (byte b in bytes)
        {
            last = (last << 8) | b;
        }

        hash = Mix(hash ^ last, Second ^ First);
        return (int)hash;
    }

    private static ulong Mix(ulong a, ulong b) => Math.BigMul(a, b, out ulong low) ^ low;

    private Topic? Make(ReadOnlySpan<byte> utf8, int hash)
    {
        if (utf8.IsEmpty || utf8.Length > maxBytes || utf8.ContainsAny((byte)'+', (byte)'#'))
        {
            return null;
        }

        string text;
        try
        {
            text = _utf8.GetString(utf8[0] == '/' ? utf8[1..] : utf8);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        foreach (char c in text)
        {
            if (char.IsControl(c))
            {
                return null;
            }
        }

        IngestSubscription[] takers = [.. subscriptions.Where(s => s.Template.Filter.Matches(text))];
        return new Topic(utf8.ToArray(), hash, text, takers);
    }

    private void Add(Topic topic)
    {
        if (_count >= capacity)
        {
            Array.Clear(_places);
            _count = 0;
        }
        else if (_count >= _places.Length && _places.Length < capacity)
        {
            var old = _places;
            _places = new Topic?[old.Length * 2];
            foreach (var first in old)
            {
                for (var next = first; next is not null;)
                {
                    var moved = next;
                    next = next.Next;
                    Link(moved);
                }
            }
        }

        _count++;
        Link(topic);
    }

    private void Link(Topic topic)
    {
        ref var place = ref _places[topic.Hash & (_places.Length - 1)];
        topic.Next = place;
        place = topic;
    }
}

/// <summary>
/// A connection's own topics, with what it may do there: a device has a few, a gateway many. Grows as far as its limit, and begins anew there.
/// </summary>
internal struct TopicCache
{
    private const int LeastSlots = 4;

    /// <summary>A gateway's devices; 12 KiB to 384 KiB for one connection.</summary>
    private const int MostSlots = 16_384;

    private Slot[]? _slots;
    private int _count;
    private int _last;

    internal struct Slot
    {
        internal Topic? Topic;

        /// <summary>Until when it is known that the client may send there, in the endpoint's milliseconds.</summary>
        internal long AllowedUntil;
    }

    /// <summary>A topic's slot; a null reference where it has none.</summary>
    /// <param name="utf8">The topic.</param>
    /// <param name="hash">Its hash, where it had to be computed.</param>
    internal ref Slot Find(ReadOnlySpan<byte> utf8, out int hash)
    {
        hash = 0;
        var slots = _slots;
        if (slots is not null && slots[_last].Topic is { } last && utf8.SequenceEqual(last.Utf8))
        {
            return ref slots[_last];
        }

        hash = TopicPool.HashOf(utf8);
        if (slots is not null)
        {
            int mask = slots.Length - 1;
            for (int i = hash & mask; slots[i].Topic is { } topic; i = (i + 1) & mask)
            {
                if (topic.Hash == hash && utf8.SequenceEqual(topic.Utf8))
                {
                    _last = i;
                    return ref slots[i];
                }
            }
        }

        return ref System.Runtime.CompilerServices.Unsafe.NullRef<Slot>();
    }

    internal ref Slot Add(Topic topic)
    {
        _slots ??= new Slot[LeastSlots];
        if (_count >= _slots.Length * 3 / 4)
        {
            Grow();
        }

        _count++;
        _last = Place(_slots, topic.Hash);
        _slots[_last] = new Slot { Topic = topic };
        return ref _slots[_last];
    }

    private static int Place(Slot[] slots, int hash)
    {
        int mask = slots.Length - 1;
        int i = hash & mask;
        while (slots[i].Topic is not null)
        {
            i = (i + 1) & mask;
        }

        return i;
    }

    private void Grow()
    {
        var old = _slots!;
        if (old.Length >= MostSlots)
        {
            Array.Clear(old);
            _count = 0;
            return;
        }

        _slots = new Slot[old.Length * 2];
        foreach (var slot in old)
        {
            if (slot.Topic is { } topic)
            {
                _slots[Place(_slots, topic.Hash)] = slot;
            }
        }
    }
}

/// <summary>Texts that come again and again beside messages: media types, the names of users' properties. Bounded; what does not fit is made each time.</summary>
internal sealed class TextPool
{
    private const int Slots = 1_024;
    private const int MaxBytes = 128;

    private readonly (byte[] Utf8, string Text)?[] _texts = new (byte[], string)?[Slots];

    internal string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            return Encoding.UTF8.GetString(utf8);
        }

        // One place for each hash, and the newest wins: no chain that anyone could make long.
        lock (_texts)
        {
            ref var slot = ref _texts[TopicPool.HashOf(utf8) & (Slots - 1)];
            if (slot is { } known && utf8.SequenceEqual(known.Utf8))
            {
                return known.Text;
            }

            string text = Encoding.UTF8.GetString(utf8);
            slot = (utf8.ToArray(), text);
            return text;
        }
    }
}

/// <summary>Receive and send buffers of all connections: rented while there is something in them.</summary>
internal sealed class BufferPool
{
    /// <summary>Most devices' messages at once; a page of memory.</summary>
    internal const int Small = 4_096;

    /// <summary>As much as a socket usually gives at once on a fast network.</summary>
    internal const int Large = 32_768;

    /// <summary>What is kept of each size: 1 MiB and 4 MiB. More than that at once is a burst, and goes back to the collector.</summary>
    private const int MostSmall = 256, MostLarge = 128;

    private readonly Stack<byte[]> _small = new(MostSmall);
    private readonly Stack<byte[]> _large = new(MostLarge);

    internal byte[] Rent(int atLeast)
    {
        if (atLeast > Large)
        {
            return System.Buffers.ArrayPool<byte>.Shared.Rent(atLeast);
        }

        var pool = atLeast > Small ? _large : _small;
        lock (pool)
        {
            if (pool.TryPop(out byte[]? kept))
            {
                return kept;
            }
        }

        return GC.AllocateUninitializedArray<byte>(atLeast > Small ? Large : Small);
    }

    internal void Return(byte[] buffer)
    {
        if (buffer.Length > Large)
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
            return;
        }

        var pool = buffer.Length > Small ? _large : _small;
        lock (pool)
        {
            if (pool.Count < (buffer.Length > Small ? MostLarge : MostSmall))
            {
                pool.Push(buffer);
            }
        }
    }
}
