using System.Globalization;
using System.Security.Cryptography;

namespace IoT.Cep;

/// <summary>
/// How far a file was read, and which file that was: files that follow each other under one name are told apart by their first bytes, since neither their inode
/// nor their time of creation is to be had everywhere.
/// </summary>
/// <param name="Offset">The position.</param>
/// <param name="HeadBytes">How many of the first bytes were looked at.</param>
/// <param name="Head">Their hash.</param>
internal sealed record FilePosition(long Offset, int HeadBytes, string Head)
{
    // Enough for a header of a CSV file and the time in its first row.
    private const int MaxHeadBytes = 1024;

    /// <summary>A position in a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">The position; not beyond the file's end.</param>
    /// <param name="earlier">An earlier position in the same file, whose first bytes need not be looked at again; null where there is none.</param>
    internal static FilePosition Of(Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset, FilePosition? earlier = null)
    {
        if (earlier?.HeadBytes == MaxHeadBytes)
        {
            return earlier with { Offset = offset };
        }

        int length = (int)Math.Min(MaxHeadBytes, offset);
        return new FilePosition(offset, length, HashOf(file, length) ?? "");
    }

    /// <summary>Whether this is the same file, not shorter than it was.</summary>
    internal bool IsIn(Microsoft.Win32.SafeHandles.SafeFileHandle file) =>
        RandomAccess.GetLength(file) >= Offset && HashOf(file, HeadBytes) == Head;

    internal static FilePosition? Read(string path)
    {
        // What can't be read is as good as none: the file is read from its start then, at least once.
        string[] parts = File.Exists(path) ? File.ReadAllText(path).Split(' ', StringSplitOptions.TrimEntries) : [];
        return parts is [var offset, var length, var head]
            && long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out long at)
            && int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bytes) && bytes <= MaxHeadBytes
            ? new FilePosition(at, bytes, head)
            : null;
    }

    /// <summary>Replaces what is there by a rename, so that a crash leaves the old one or the new one.</summary>
    internal void Write(string path)
    {
        string next = path + ".new";
        using (var file = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Offset} {HeadBytes} {Head}\n")));
            file.Flush(flushToDisk: true);
        }

        File.Move(next, path, overwrite: true);
    }

    private static string? HashOf(Microsoft.Win32.SafeHandles.SafeFileHandle file, int length)
    {
        Span<byte> head = stackalloc byte[MaxHeadBytes];
        int read = RandomAccess.Read(file, head[..length], 0);
        return read < length ? null : Convert.ToHexStringLower(SHA256.HashData(head[..length]).AsSpan(0, 8));
    }
}
