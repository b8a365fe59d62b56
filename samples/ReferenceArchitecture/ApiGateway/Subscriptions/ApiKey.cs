using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace IoT.Reference.ApiGateway.Subscriptions;

/// <summary>
/// A key of an API: 256 random bits, shown once. What is kept is its hash, to find it by, and the app's secret sealed with a key derived from it: the database alone opens nothing.
/// </summary>
internal static class ApiKey
{
    /// <summary>So that scanners of repositories know one when they see it.</summary>
    private const string Prefix = "iot_";

    private const int Bytes = 32, Shown = 12, Characters = 47, TagBytes = 16;

    private static readonly byte[] _purpose = "IoT.Reference.ApiGateway secret v1"u8.ToArray();

    internal static string New() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes));

    internal static bool IsWellFormed(string key) => key.Length == Characters && key.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The first characters, by which people tell keys apart.</summary>
    internal static string NameOf(string key) => key[..Shown];

    // A plain hash is enough for what nobody can guess.
    internal static string HashOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    internal static byte[] Seal(string key, string app, string secret)
    {
        byte[] plain = Encoding.UTF8.GetBytes(secret);
        byte[] box = new byte[AesGcm.NonceByteSizes.MaxSize + TagBytes + plain.Length];
        var nonce = box.AsSpan(0, AesGcm.NonceByteSizes.MaxSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(Derive(key), TagBytes);
        aes.Encrypt(nonce, plain, box.AsSpan(nonce.Length + TagBytes), box.AsSpan(nonce.Length, TagBytes), Encoding.UTF8.GetBytes(app));
        return box;
    }

    /// <exception cref="CryptographicException">It was sealed with another key, or for another app.</exception>
    internal static string Open(string key, string app, ReadOnlySpan<byte> box)
    {
        int nonce = AesGcm.NonceByteSizes.MaxSize;
        byte[] plain = new byte[box.Length - nonce - TagBytes];
        using var aes = new AesGcm(Derive(key), TagBytes);
        aes.Decrypt(box[..nonce], box[(nonce + TagBytes)..], box.Slice(nonce, TagBytes), plain, Encoding.UTF8.GetBytes(app));
        return Encoding.UTF8.GetString(plain);
    }

    private static byte[] Derive(string key) => HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(key), Bytes, salt: null, _purpose);
}
