using System.Security.Cryptography;

namespace IoT.Reference.DeviceManager.Software;

/// <summary>The key that signs packages: made once, readable by this user only.</summary>
internal static class SigningKey
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static ECDsa Open(string path)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(path))
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key;
        }

        var file = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            file.UnixCreateMode = Mine;
        }

        // Beside it first: a key that is written by half is a key that nobody has.
        string beside = path + ".new";
        File.Delete(beside);
        using (var writer = new StreamWriter(beside, file))
        {
            writer.Write(key.ExportPkcs8PrivateKeyPem());
        }

        File.Move(beside, path);
        return key;
    }
}
