using System.Collections.Concurrent;

namespace IoT.Cep;

/// <summary>
/// What <see cref="Authorize"/> said lately. Bounded without counting uses: entries go into a young half; when that is full it becomes the old half, and what
/// was in the old one is forgotten.
/// </summary>
/// <param name="capacity">How many decisions at most.</param>
/// <param name="lifetime">How long one is believed.</param>
/// <param name="time">The clock.</param>
internal sealed class Decisions(int capacity, TimeSpan lifetime, TimeProvider time)
{
    /// <summary>A longer resource is asked about each time: the table's memory is bounded too.</summary>
    private const int MaxResourceChars = 512;

    private readonly long _lifetime = (long)(lifetime.TotalSeconds * time.TimestampFrequency);
    private readonly Lock _gate = new();
    private volatile ConcurrentDictionary<Key, Decision> _young = new();
    private volatile ConcurrentDictionary<Key, Decision> _old = new();
    private int _youngCount;
    private int _generation;

    /// <summary>Counts up when all is forgotten: a decision that was asked for before is not kept.</summary>
    internal int Generation => Volatile.Read(ref _generation);

    // By reference: two tokens of one subject may allow different things.
    internal bool? Find(Identity identity, AccessAction action, string resource)
    {
        var key = new Key(identity, action, resource);
        return (_young.TryGetValue(key, out var decision) || _old.TryGetValue(key, out decision)) && time.GetTimestamp() < decision.Until ? decision.IsAllowed : null;
    }

    internal void Keep(Identity identity, AccessAction action, string resource, bool isAllowed, int generation)
    {
        if (resource.Length > MaxResourceChars || capacity == 0)
        {
            return;
        }

        lock (_gate)
        {
            if (generation != _generation)
            {
                return;
            }

            if (_youngCount >= Math.Max(1, capacity / 2))
            {
                _old = _young;
                _young = new ConcurrentDictionary<Key, Decision>();
                _youngCount = 0;
            }

            _young[new Key(identity, action, resource)] = new Decision(isAllowed, time.GetTimestamp() + _lifetime);
            _youngCount++;
        }
    }

    internal void Clear()
    {
        lock (_gate)
        {
            _generation++;
            _young = new ConcurrentDictionary<Key, Decision>();
            _old = new ConcurrentDictionary<Key, Decision>();
            _youngCount = 0;
        }
    }

    private readonly record struct Key(Identity Identity, AccessAction Action, string Resource);

    private readonly record struct Decision(bool IsAllowed, long Until);
}
