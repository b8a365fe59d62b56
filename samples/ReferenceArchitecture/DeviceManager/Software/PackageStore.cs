using System.Security.Cryptography;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Storage;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Software;

/// <summary>Software for devices: the content as a file, its hash and signature in the store. Devices take only what this key, or that of the makers, has signed.</summary>
internal sealed class PackageStore : IDisposable
{
    private readonly Database _database;
    private readonly AuditLog _audit;
    private readonly DeviceManagerOptions _options;
    private readonly string _folder;
    private readonly ECDsa _key;
    private readonly ECDsa? _makers;

    public PackageStore(Database database, AuditLog audit, DeviceManagerOptions options)
    {
        (_database, _audit, _options) = (database, audit, options);
        _folder = Path.Combine(options.DataFolder, "packages");
        Directory.CreateDirectory(_folder);
        _key = SigningKey.Open(Path.Combine(options.DataFolder, "signing.pem"));
        if (options.MakersKey is not null)
        {
            _makers = ECDsa.Create();
            _makers.ImportFromPem(options.MakersKey);
        }
    }

    /// <summary>What devices are made with, to know what they may install.</summary>
    public string PublicKey => (_makers ?? _key).ExportSubjectPublicKeyInfoPem();

    /// <summary>Takes a package: writes it to the disk as it comes, and only then tells of it.</summary>
    /// <param name="signature">Of the makers, in Base64; null: this layer signs.</param>
    public async Task<PackageRecord> AddAsync(string type, string version, string? signature, Stream content, string by, CancellationToken stop)
    {
        if (type is not { Length: > 0 and <= 64 } || version is not { Length: > 0 and <= 64 } || version.Any(char.IsControl))
        {
            throw Refusal.Invalid("A package has a type and a version.");
        }

        if (_database.Number("select count(*) from packages") >= _options.MaxPackages)
        {
            throw new Refusal(StatusCodes.Status507InsufficientStorage, "Full", "There are as many packages as may be.");
        }

        var now = _options.TimeProvider.GetUtcNow();
        string id = Guid.CreateVersion7(now).ToString("n"), beside = PathOf(id) + ".new";
        try
        {
            var (hash, size) = await WriteAsync(beside, content, stop);
            var package = new PackageRecord(id, type, version, size, Convert.ToHexStringLower(hash), Sign(hash, signature), now);
            File.Move(beside, PathOf(id));
            _database.Execute(
                "insert into packages(id, type, version, size, sha256, signature, created) values($id, $type, $version, $size, $sha, $signature, $now)",
                ("$id", id), ("$type", type), ("$version", version), ("$size", size), ("$sha", package.Sha256), ("$signature", package.Signature), ("$now", now));
            _audit.Write(by, "package", "package:" + id, "done", $"{type} {version}, {package.Sha256}");
            return package;
        }
        finally
        {
            File.Delete(beside);
        }
    }

    public PackageRecord Get(string id) => Find("id = $id", ("$id", id)) is [var package] ? package : throw Refusal.NotFound();

    public List<PackageRecord> List(string after, int limit) => Find("id > $after order by id limit $limit", ("$after", after), ("$limit", limit));

    /// <summary>The content of a package that there is.</summary>
    public string PathOf(string id) => Path.Combine(_folder, id + ".bin");

    public void Dispose()
    {
        _key.Dispose();
        _makers?.Dispose();
    }

    private static PackageRecord Read(SqliteDataReader row) =>
        new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetString(4), row.GetString(5), row.Time(6));

    private List<PackageRecord> Find(string where, params ReadOnlySpan<(string Name, object? Value)> values) =>
        _database.Query($"select id, type, version, size, sha256, signature, created from packages where {where}", Read, values);

    private async Task<(byte[] Hash, long Size)> WriteAsync(string path, Stream content, CancellationToken stop)
    {
        using var running = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        byte[] buffer = new byte[64 * 1024];
        long size = 0;
        for (int read; (read = await content.ReadAsync(buffer, stop)) > 0;)
        {
            size += read;
            if (size > _options.MaxPackageBytes)
            {
                throw new Refusal(StatusCodes.Status413PayloadTooLarge, "Too long", $"A package has {_options.MaxPackageBytes} bytes at most.");
            }

            running.AppendData(buffer, 0, read);
            await file.WriteAsync(buffer.AsMemory(0, read), stop);
        }

        return size > 0 ? (running.GetHashAndReset(), size) : throw Refusal.Invalid("The package is empty.");
    }

    private string Sign(byte[] hash, string? signature)
    {
        if (signature is null)
        {
            return _makers is null ? Convert.ToBase64String(_key.SignHash(hash)) : throw Refusal.Invalid("The makers' signature is needed.");
        }

        byte[] given = new byte[256];
        return signature.Length <= 256 && Convert.TryFromBase64String(signature, given, out int length) && (_makers ?? _key).VerifyHash(hash, given.AsSpan(0, length))
            ? signature
            : throw Refusal.Invalid("The signature does not hold.");
    }
}
