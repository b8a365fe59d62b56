using System.Globalization;

namespace IoT.Reference.Bus;

/// <summary>What this process listens on, as the kernel says (Linux).</summary>
internal static class OwnPorts
{
    /// <summary>The kernel's word for a TCP socket that listens; a UDP socket that is bound and not connected has 07.</summary>
    private const string Listens = "0A", Bound = "07";

    internal static HashSet<string> Find()
    {
        var own = Directory.EnumerateFiles("/proc/self/fd").Select(Target).Where(t => t.StartsWith("socket:[", StringComparison.Ordinal)).Select(t => t[8..^1]).ToHashSet();
        return [.. Read("tcp", Listens, own), .. Read("udp", Bound, own)];
    }

    private static IEnumerable<string> Read(string protocol, string state, HashSet<string> own) =>
        new[] { protocol, protocol + "6" }.Select(table => "/proc/self/net/" + table).Where(File.Exists).SelectMany(File.ReadLines)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(columns => columns.Length > 9 && columns[3] == state && own.Contains(columns[9]))
            .Select(columns => $"{protocol} {int.Parse(columns[1].AsSpan(columns[1].IndexOf(':', StringComparison.Ordinal) + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture)}");

    private static string Target(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget ?? "";
        }
        catch (IOException)
        {
            // Closed meanwhile.
            return "";
        }
    }
}

/// <summary>A test that reads the kernel's tables.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute() => Skip = OperatingSystem.IsLinux() ? null : "There is no /proc here.";
}

/// <summary>Tests of what a whole process does: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
