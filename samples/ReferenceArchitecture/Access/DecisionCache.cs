using System.Collections.Concurrent;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>
/// Decisions that were made lately. A change makes those void that were asked for before it, by a number that counts up with every change: so an answer that was on its way when the
/// change came is void too.
/// </summary>
/// <param name="capacity">How many at most: entries go into a young half; when that is full it becomes the old half, and what was in the old one is forgotten.</param>
/// <param name="lifetime">How long one is believed.</param>
/// <param name="time">The clock.</param>
internal sealed class DecisionCache(int capacity, TimeSpan lifetime, TimeProvider time)
{
    private readonly Lock _gate = new();
    private volatile ConcurrentDictionary<Key, Entry> _young = new(), _old = new();
    private volatile ConcurrentDictionary<string, long> _changed = new(StringComparer.Ordinal);
    private int _youngCount;
    private long _changes;
    private long _allChanged;

    /// <summary>Take it before asking and give it to <see cref="Keep"/>.</summary>
    internal long Changes => Volatile.Read(ref _changes);

    internal Decision? Find(Subject subject, string action, string resource)
    {
        var key = new Key(subject, action, resource);
        return (_young.TryGetValue(key, out var entry) || _old.TryGetValue(key, out entry)) && time.GetUtcNow() < entry.Until && !IsVoid(key, entry.Asked)
            ? entry.Decision : null;
    }

    internal void Keep(Subject subject, string action, string resource, Decision decision, long asked)
    {
        var key = new Key(subject, action, resource);
        var until = time.GetUtcNow() + lifetime;
        var entry = new Entry(decision, decision.Until is { } end && end < until ? end : until, asked);
        if (capacity == 0 || IsVoid(key, asked))
        {
            return;
        }

        lock (_gate)
        {
            if (_youngCount >= Math.Max(1, capacity / 2))
            {
                (_old, _young, _youngCount) = (_young, new ConcurrentDictionary<Key, Entry>(), 0);
            }

            _young[key] = entry;
            _youngCount++;
        }
    }

    /// <summary>Decisions about a resource, and those of a subject of that name, are void.</summary>
    internal void Forget(string id)
    {
        lock (_gate)
        {
            // What changed is remembered without an end otherwise; to forget all decisions is always right.
            if (_changed.Count >= Math.Max(1, capacity))
            {
                ForgetAllLocked();
                return;
            }

            _changed[id] = ++_changes;
        }
    }

    internal void ForgetAll()
    {
        lock (_gate)
        {
            ForgetAllLocked();
        }
    }

    private void ForgetAllLocked()
    {
        Volatile.Write(ref _allChanged, ++_changes);
        _changed = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        (_old, _young, _youngCount) = (new ConcurrentDictionary<Key, Entry>(), new ConcurrentDictionary<Key, Entry>(), 0);
    }

    private bool IsVoid(Key key, long asked)
    {
        var changed = _changed;
        return asked < Volatile.Read(ref _allChanged)
            || (!changed.IsEmpty && ((changed.TryGetValue(key.Resource, out long resource) && asked < resource)
                || (changed.TryGetValue(key.Subject.Id, out long subject) && asked < subject)));
    }

    private readonly record struct Key(Subject Subject, string Action, string Resource);

    private readonly record struct Entry(Decision Decision, DateTimeOffset Until, long Asked);
}
