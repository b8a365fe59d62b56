namespace IoT.Reference.Identity.Store;

/// <summary>Files and folders that this user alone can read, from their first byte on.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    internal static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, Mine | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Makes an empty file where there is none: a database gives what is beside it (its log of writes) the same rights.</summary>
    internal static string Reserve(string path)
    {
        if (!File.Exists(path))
        {
            Write(path, []);
        }

        return path;
    }

    internal static void Write(string path, byte[] content)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = Mine;
        }

        // Beside it first: a file that is written by half is a key that nobody has.
        string beside = path + ".new";
        File.Delete(beside);
        using (var file = new FileStream(beside, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
    }
}
