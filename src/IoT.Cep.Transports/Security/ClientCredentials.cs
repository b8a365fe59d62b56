using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace IoT.Cep;

/// <summary>What a client of a listener brought to show who it is.</summary>
/// <param name="Remote">Where it connects from; null where that is not known.</param>
/// <param name="IsEncrypted">Whether the connection is encrypted.</param>
public sealed record ClientCredentials(IPAddress? Remote, bool IsEncrypted)
{
    /// <summary>A user's name; null: none.</summary>
    public string? UserName { get; init; }

    /// <summary>A password; null: none.</summary>
    public string? Password { get; init; }

    /// <summary>A bearer token; null: none.</summary>
    public string? Token { get; init; }

    /// <summary>A certificate; null: none.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Who the transport's own handshake has proved: DTLS with a pre-shared key. Null: nobody.</summary>
    public Identity? Proven { get; init; }

    // Passwords and tokens must not get into logs.
    private bool PrintMembers(System.Text.StringBuilder text)
    {
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Remote = {Remote}, IsEncrypted = {IsEncrypted}");
        return true;
    }
}
