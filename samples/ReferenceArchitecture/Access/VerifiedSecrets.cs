using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>Secrets that were right lately, as keyed hashes in memory: a device that sends its secret with each request costs one question in half a minute.</summary>
/// <param name="capacity">How many at most; past that all are forgotten.</param>
/// <param name="time">The clock.</param>
internal sealed class VerifiedSecrets(int capacity, TimeProvider time)
{
    private static readonly TimeSpan _lifetime = TimeSpan.FromSeconds(30);

    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private long _changes;

    /// <summary>Take it before asking and give it to <see cref="Keep"/>.</summary>
    internal long Changes => Volatile.Read(ref _changes);

    internal Subject? Find(string subject, string secret) =>
        _entries.TryGetValue(subject, out var entry) && time.GetUtcNow() < entry.Until && CryptographicOperations.FixedTimeEquals(entry.Hash, Hash(subject, secret))
            ? entry.Subject : null;

    internal void Keep(Subject subject, string secret, DateTimeOffset? until, long asked)
    {
        if (_entries.Count >= capacity)
        {
            _entries.Clear();
        }

        var end = time.GetUtcNow() + _lifetime;
        var entry = new Entry(subject, Hash(subject.Id, secret), until is { } last && last < end ? last : end);
        _entries[subject.Id] = entry;
        if (asked != Changes)
        {
            // Somebody was revoked while this one was asked for: it may be this one.
            _entries.TryRemove(KeyValuePair.Create(subject.Id, entry));
        }
    }

    internal void Forget(string subject)
    {
        Interlocked.Increment(ref _changes);
        _entries.TryRemove(subject, out _);
    }

    private byte[] Hash(string subject, string secret) => HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(subject + '\0' + secret));

    private sealed record Entry(Subject Subject, byte[] Hash, DateTimeOffset Until);
}
