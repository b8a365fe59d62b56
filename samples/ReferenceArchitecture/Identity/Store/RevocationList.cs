using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Store;

/// <summary>Since when the tokens of a subject are void. An entry is kept as long as a token of before could live; of an erased person only a keyed hash is written.</summary>
internal sealed class RevocationList
{
    private readonly Database _database;
    private readonly IdentityOptions _options;
    private readonly byte[] _pepper;
    private readonly ConcurrentDictionary<string, DateTimeOffset> _before = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _erased = new(StringComparer.Ordinal);

    internal RevocationList(Database database, IdentityOptions options, byte[] pepper)
    {
        (_database, _options, _pepper) = (database, options, pepper);
        foreach (var (subject, before) in database.Query("select subject, before from revocations", static r => (r.GetString(0), r.Time(1))))
        {
            _before[subject] = before;
        }

        foreach (string hash in database.Query("select subject from erased", static r => Convert.ToHexString((byte[])r[0])))
        {
            _erased[hash] = true;
        }
    }

    // Longest-lived of all is what a log-in can be prolonged with.
    private TimeSpan Kept => TimeSpan.FromTicks(Math.Max(Math.Max(_options.DeviceTokenLifetime.Ticks, _options.AccessTokenLifetime.Ticks), _options.RefreshTokenLifetime.Ticks)) + TimeSpan.FromHours(1);

    internal void Add(string subject, DateTimeOffset before)
    {
        var oldest = _options.TimeProvider.GetUtcNow() - Kept;
        _database.Together(() =>
        {
            _database.Execute("insert or replace into revocations values($subject, $before)", ("$subject", subject), ("$before", before.ToUnixTimeMilliseconds()));
            _database.Execute("delete from revocations where before < $oldest", ("$oldest", oldest.ToUnixTimeMilliseconds()));
        });
        _before[subject] = before;
    }

    internal void AddErased(string subject, DateTimeOffset before)
    {
        byte[] hash = HashOf(subject);
        _database.Execute("delete from revocations where subject = $subject", ("$subject", subject));
        _database.Execute("insert or ignore into erased values($hash, $at)", ("$hash", hash), ("$at", before.ToUnixTimeMilliseconds()));
        _before[subject] = before;
        _erased[Convert.ToHexString(hash)] = true;
    }

    /// <summary>Whether this name was erased: nobody gets it again.</summary>
    internal bool IsErased(string subject) => !_erased.IsEmpty && _erased.ContainsKey(Convert.ToHexString(HashOf(subject)));

    internal bool IsVoid(string subject, DateTimeOffset issued) => (_before.TryGetValue(subject, out var before) && issued < before) || IsErased(subject);

    internal List<Revocation> List()
    {
        var oldest = _options.TimeProvider.GetUtcNow() - Kept;
        return [.. _before.Where(b => b.Value >= oldest).Select(static b => new Revocation(b.Key, b.Value))];
    }

    private byte[] HashOf(string subject) => HMACSHA256.HashData(_pepper, Encoding.UTF8.GetBytes("erased\0" + subject));
}
