using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Store;

/// <summary>The secret of a device, gateway, app or service, and what it is good for.</summary>
/// <param name="OldHash">The one before, which holds until <paramref name="OldUntil"/>.</param>
internal sealed record Credential(
    string Subject, SubjectKind Kind, IReadOnlyList<string> Scopes, IReadOnlyList<string>? SpeaksFor, string? Owner, byte[] Hash, byte[]? OldHash = null, DateTimeOffset? OldUntil = null);

/// <summary>
/// Secrets of machines. They are made here, 256 random bits, so nobody can guess them however fast he tries: HMAC-SHA-256 with a pepper that is not in the database is enough, and ten thousand
/// devices that come back at once cost milliseconds. (People's passwords are hashed slowly: <see cref="People"/>.)
/// </summary>
/// <remarks>All are in memory, as hashes; the database is written before anything counts.</remarks>
internal sealed class Credentials
{
    private const int SecretBytes = 32;

    private readonly Database _database;
    private readonly IdentityOptions _options;
    private readonly byte[] _pepper;
    private readonly ConcurrentDictionary<string, Credential> _all = new(StringComparer.Ordinal);

    internal Credentials(Database database, IdentityOptions options, byte[] pepper)
    {
        (_database, _options, _pepper) = (database, options, pepper);
        var rows = database.Query(
            "select subject, kind, scopes, speaks_for, owner, hash, old_hash, old_until from credentials",
            static r => new Credential(
                r.GetString(0), (SubjectKind)r.GetInt32(1), Rows.Words(r.Text(2)), r.Text(3) is { } devices ? Rows.Words(devices) : null, r.Text(4),
                (byte[])r[5], r.IsDBNull(6) ? null : (byte[])r[6], r.IsDBNull(7) ? null : r.Time(7)));
        foreach (var credential in rows)
        {
            _all[credential.Subject] = credential;
        }
    }

    internal int Count => _all.Count;

    internal Credential? Find(string subject) => _all.GetValueOrDefault(subject);

    internal IEnumerable<Credential> OfOwner(string owner) => _all.Values.Where(c => c.Owner == owner);

    /// <summary>Makes a secret; one that there was before is void at once.</summary>
    /// <returns>Null: there is no room.</returns>
    internal string? Issue(CredentialRequest request)
    {
        if (_all.Count >= _options.MaxSubjects && !_all.ContainsKey(request.Subject))
        {
            return null;
        }

        string secret = NewSecret();
        IReadOnlyList<string> scopes = request.Scopes ?? (request.Kind == SubjectKind.Device ? [Scopes.UseBus] : []);
        string[]? devices = request.SpeaksFor is null ? null : ["@" + request.Subject, .. request.SpeaksFor];
        Save(new Credential(request.Subject, request.Kind, scopes, devices, request.Owner, HashOf(secret)));
        return secret;
    }

    /// <summary>Makes a new secret; the one before holds until a time.</summary>
    internal string? Rotate(string subject, DateTimeOffset oldUntil)
    {
        if (!_all.TryGetValue(subject, out var credential))
        {
            return null;
        }

        string secret = NewSecret();
        Save(credential with { Hash = HashOf(secret), OldHash = credential.Hash, OldUntil = oldUntil });
        return secret;
    }

    internal bool Delete(string subject)
    {
        _database.Execute("delete from credentials where subject = $subject", ("$subject", subject));
        return _all.TryRemove(subject, out _);
    }

    /// <summary>Whose secret it is; null: not this one's. The time is when an older secret ends.</summary>
    internal (Credential Credential, DateTimeOffset? Until)? Verify(string subject, string secret)
    {
        byte[] hash = HashOf(secret);
        if (!_all.TryGetValue(subject, out var credential))
        {
            return null;
        }

        if (CryptographicOperations.FixedTimeEquals(hash, credential.Hash))
        {
            return (credential, null);
        }

        return credential.OldHash is { } old && credential.OldUntil > _options.TimeProvider.GetUtcNow() && CryptographicOperations.FixedTimeEquals(hash, old)
            ? (credential, credential.OldUntil) : null;
    }

    private static string NewSecret() => Base64Url(RandomNumberGenerator.GetBytes(SecretBytes));

    private static string Base64Url(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    private byte[] HashOf(string secret) => HMACSHA256.HashData(_pepper, Encoding.UTF8.GetBytes(secret));

    private void Save(Credential credential)
    {
        _database.Execute(
            "insert into credentials values($subject, $kind, $scopes, $devices, $owner, $hash, $old, $until, $now) on conflict(subject) do update set "
            + "kind = $kind, scopes = $scopes, speaks_for = $devices, owner = $owner, hash = $hash, old_hash = $old, old_until = $until",
            ("$subject", credential.Subject), ("$kind", (int)credential.Kind), ("$scopes", string.Join(' ', credential.Scopes)),
            ("$devices", credential.SpeaksFor is null ? null : string.Join(' ', credential.SpeaksFor)), ("$owner", credential.Owner), ("$hash", credential.Hash),
            ("$old", credential.OldHash), ("$until", credential.OldUntil?.ToUnixTimeMilliseconds()), ("$now", _options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds()));
        _all[credential.Subject] = credential;
    }
}
