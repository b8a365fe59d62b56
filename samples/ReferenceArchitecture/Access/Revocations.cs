using System.Collections.Concurrent;

namespace IoT.Reference.Access;

/// <summary>Since when the tokens of a subject are void. Bounded by time: who was revoked longer ago than any token lives needs no entry.</summary>
/// <param name="time">The clock.</param>
internal sealed class Revocations(TimeProvider time)
{
    /// <summary>Longer than any access token lives.</summary>
    private static readonly TimeSpan _kept = TimeSpan.FromDays(1);

    private const int PruneAt = 4_096;

    private readonly ConcurrentDictionary<string, DateTimeOffset> _before = new(StringComparer.Ordinal);
    private int _pruneAt = PruneAt;

    /// <summary>Keeps a revocation; false where it was known.</summary>
    internal bool Add(string subject, DateTimeOffset before)
    {
        bool isNew = !_before.TryGetValue(subject, out var known) || known < before;
        if (isNew)
        {
            _before[subject] = before;
            Prune();
        }

        return isNew;
    }

    internal bool IsVoid(string subject, DateTimeOffset issued) => _before.TryGetValue(subject, out var before) && issued < before;

    private void Prune()
    {
        if (_before.Count < Volatile.Read(ref _pruneAt))
        {
            return;
        }

        var oldest = time.GetUtcNow() - _kept;
        foreach (var entry in _before)
        {
            if (entry.Value < oldest)
            {
                _before.TryRemove(entry);
            }
        }

        Volatile.Write(ref _pruneAt, Math.Max(PruneAt, _before.Count * 2));
    }
}
