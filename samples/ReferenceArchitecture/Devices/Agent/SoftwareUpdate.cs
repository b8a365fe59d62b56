using System.Security.Cryptography;
using System.Text.Json;

namespace IoT.Reference.Devices.Agent;

/// <summary>A package as the command to install it describes it.</summary>
internal sealed record SoftwareUpdate(string Type, string Version, Uri Url, string Sha256, string Signature, long Size)
{
    /// <summary>Reads the command's arguments.</summary>
    /// <returns>Null, with the problem, where something is missing.</returns>
    public static SoftwareUpdate? Read(JsonElement? arguments, out string problem)
    {
        problem = "";
        if (arguments is not { ValueKind: JsonValueKind.Object } given)
        {
            problem = "the command has no arguments";
            return null;
        }

        string Text(string name) => given.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        foreach (string name in (string[])["type", "version", "url", "sha256", "signature"])
        {
            if (Text(name).Length == 0)
            {
                problem = $"'{name}' is missing";
                return null;
            }
        }

        if (!Uri.TryCreate(Text("url"), UriKind.Absolute, out Uri? url) || (url.Scheme != Uri.UriSchemeHttps && !url.IsLoopback))
        {
            problem = "'url' must be https";
            return null;
        }

        long size = given.TryGetProperty("size", out JsonElement bytes) && bytes.TryGetInt64(out long number) ? number : -1;
        return new SoftwareUpdate(Text("type"), Text("version"), url, Text("sha256"), Text("signature"), size);
    }

    /// <summary>Loads the package and makes sure that it is the one that was meant, by its makers.</summary>
    /// <returns>What is wrong with it; null: nothing.</returns>
    public async Task<string?> FetchAsync(HttpClient downloads, string updateKey, int maxBytes, CancellationToken stop)
    {
        if (Size > maxBytes)
        {
            return $"the package has {Size} bytes; {maxBytes} fit";
        }

        byte[] hash;
        try
        {
            using HttpResponseMessage answer = await downloads.GetAsync(Url, HttpCompletionOption.ResponseHeadersRead, stop);
            answer.EnsureSuccessStatusCode();
            await using Stream content = await answer.Content.ReadAsStreamAsync(stop);
            using var running = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[16 * 1024];
            long total = 0;
            for (int read; (read = await content.ReadAsync(buffer, stop)) > 0;)
            {
                if ((total += read) > maxBytes)
                {
                    return $"the package has more than {maxBytes} bytes";
                }

                running.AppendData(buffer, 0, read);
            }

            if (Size >= 0 && total != Size)
            {
                return $"the package has {total} bytes and not {Size}";
            }

            hash = running.GetHashAndReset();
        }
        catch (HttpRequestException e)
        {
            return "the package could not be loaded: " + e.Message;
        }

        return Verify(hash, updateKey);
    }

    // First the hash of the command, then that the makers signed it: a command that somebody forged comes with a hash that fits.
    private string? Verify(byte[] hash, string updateKey)
    {
        if (!Convert.ToHexStringLower(hash).Equals(Sha256, StringComparison.Ordinal))
        {
            return "the package's hash is another one";
        }

        byte[] signature = new byte[Signature.Length];
        using var key = ECDsa.Create();
        key.ImportFromPem(updateKey);
        return Convert.TryFromBase64String(Signature, signature, out int length) && key.VerifyHash(hash, signature.AsSpan(0, length))
            ? null
            : "the package's signature does not hold";
    }
}
