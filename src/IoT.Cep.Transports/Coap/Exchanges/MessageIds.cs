namespace IoT.Cep;

/// <summary>
/// The message ids for one peer: counted up from a random one. None is used again while a receiver may still take it for the earlier message
/// (RFC 7252, 4.4), which allows some 250 messages a second for long, and 60,000 at once.
/// </summary>
/// <param name="first">The first id.</param>
/// <param name="lifetime">How long an id may not come again, in ticks.</param>
internal sealed class MessageIds(ushort first, long lifetime)
{
    /// <summary>Times are kept for runs of this many ids: 16 numbers for each peer and not 65,536.</summary>
    private const int RunLength = 4096;

    private readonly long[] _lastUse = Enumerable.Repeat(long.MinValue, (ushort.MaxValue + 1) / RunLength).ToArray();
    private ushort _next = first;
    private int _run = -1;

    /// <summary>Takes the next id; false: none is free before a certain time.</summary>
    /// <param name="now">The time in ticks.</param>
    /// <param name="id">The id.</param>
    /// <param name="freeAt">When to ask again.</param>
    internal bool TryTake(long now, out ushort id, out long freeAt)
    {
        id = _next;
        int run = id / RunLength;
        freeAt = 0;
        if (run != _run && _lastUse[run] != long.MinValue && now - _lastUse[run] < lifetime)
        {
            freeAt = _lastUse[run] + lifetime;
            return false;
        }

        _run = run;
        _lastUse[run] = now;
        _next++;
        return true;
    }
}
