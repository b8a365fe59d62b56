using System.Globalization;
using System.Security.Cryptography;
using IoT.Reference.Identity.Store;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Server;

namespace IoT.Reference.Identity.OAuth;

/// <summary>
/// The keys, in files that this user alone can read: ECDSA P-256 for tokens, one key for what only this server reads again, a pepper for hashes. A new signing key signs at once, since verifiers read
/// the key set again when they meet one they don't know; the one before stays in the set until the last token that it signed has ended.
/// </summary>
internal sealed class KeyRing : IConfigureOptions<OpenIddictServerOptions>
{
    private const string Pattern = "signing-*.pem";

    private readonly string _folder;
    private readonly IdentityOptions _options;
    private readonly Lock _gate = new();
    private List<(ECDsaSecurityKey Key, DateTimeOffset Since)> _signing = [];

    internal KeyRing(string folder, IdentityOptions options)
    {
        (_folder, _options) = (folder, options);
        PrivateFiles.CreateFolder(folder);
        Pepper = Secret("pepper.key");
        Encryption = new SymmetricSecurityKey(Secret("encryption.key"));
        Read();
        RotateIfOld();
    }

    internal byte[] Pepper { get; }

    private SymmetricSecurityKey Encryption { get; }

    /// <summary>The keys that tokens may be signed with, the newest first.</summary>
    internal IReadOnlyList<ECDsaSecurityKey> Signing
    {
        get
        {
            lock (_gate)
            {
                return [.. _signing.Select(static k => k.Key)];
            }
        }
    }

    /// <summary>Makes a new signing key if the newest is old; forgets those whose tokens have all ended.</summary>
    /// <returns>Whether anything changed.</returns>
    internal bool RotateIfOld()
    {
        lock (_gate)
        {
            bool isOld = _signing.Count == 0 || _options.TimeProvider.GetUtcNow() - _signing[0].Since >= _options.SigningKeyLifetime;
            return isOld ? Rotate() : Prune();
        }
    }

    /// <summary>Makes a new signing key.</summary>
    internal bool Rotate()
    {
        lock (_gate)
        {
            var now = _options.TimeProvider.GetUtcNow();
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            string name = string.Create(CultureInfo.InvariantCulture, $"signing-{now.ToUnixTimeMilliseconds()}-{RandomNumberGenerator.GetHexString(8, true)}.pem");
            PrivateFiles.Write(Path.Combine(_folder, name), System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
            Read();
            Prune();
            return true;
        }
    }

    public void Configure(OpenIddictServerOptions options)
    {
        foreach (var key in Signing)
        {
            options.SigningCredentials.Add(new SigningCredentials(key, SecurityAlgorithms.EcdsaSha256));
        }

        options.EncryptionCredentials.Add(new EncryptingCredentials(Encryption, SecurityAlgorithms.Aes256KW, SecurityAlgorithms.Aes256CbcHmacSha512));
    }

    private void Read() => _signing = [.. Directory.GetFiles(_folder, Pattern).Select(ReadKey).OrderByDescending(static k => k.Since)];

    private static (ECDsaSecurityKey Key, DateTimeOffset Since) ReadKey(string path)
    {
        string[] parts = Path.GetFileNameWithoutExtension(path).Split('-');
#pragma warning disable CA2000 // The key lives as long as the ring; a token may be signed by it at any time.
        var key = ECDsa.Create();
#pragma warning restore CA2000
        key.ImportFromPem(File.ReadAllText(path));
        return (new ECDsaSecurityKey(key) { KeyId = parts[2] }, DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(parts[1], CultureInfo.InvariantCulture)));
    }

    // A key goes when the next one has signed for longer than any token lives.
    private bool Prune()
    {
        var longest = TimeSpan.FromTicks(Math.Max(_options.AccessTokenLifetime.Ticks, _options.DeviceTokenLifetime.Ticks)) + TimeSpan.FromMinutes(5);
        bool isChanged = false;
        for (int i = _signing.Count - 1; i >= 1; i--)
        {
            if (_options.TimeProvider.GetUtcNow() - _signing[i - 1].Since > longest)
            {
                foreach (string file in Directory.GetFiles(_folder, $"signing-*-{_signing[i].Key.KeyId}.pem"))
                {
                    File.Delete(file);
                }

                _signing.RemoveAt(i);
                isChanged = true;
            }
        }

        return isChanged;
    }

    private byte[] Secret(string name)
    {
        string path = Path.Combine(_folder, name);
        if (!File.Exists(path))
        {
            PrivateFiles.Write(path, RandomNumberGenerator.GetBytes(32));
        }

        return File.ReadAllBytes(path);
    }
}
